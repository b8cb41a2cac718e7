import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { ConnectionOptions } from 'node:tls';

export interface Identity {
  readonly cert?: string;
  readonly key?: string;
  /** Authority the server is judged by; undefined: any server is taken. */
  readonly ca: string | undefined;
}

export interface WireCall {
  readonly address: string;
  readonly authority: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly requests: readonly Uint8Array[];
  readonly identity: Identity;
}

export interface RunningCall {
  readonly messages: readonly Uint8Array[];
  /** How the server ended it; undefined while it runs. 14 as well when the connection was lost or never made. */
  readonly status: { readonly code: number; readonly message: string; readonly transport: boolean } | undefined;
  readonly ended: Promise<void>;
  onMessage(listener: () => void): void;
  cancel(): void;
}

const PORT = 50_000;
const USER_AGENT = 'grpc-go/1.82.1';

/** Sends one gRPC call as bytes, as grpc-go frames it, on a connection of its own. */
export function sendCall(call: WireCall): RunningCall {
  const messages: Uint8Array[] = [];
  const listeners = new Set<() => void>();
  let status: RunningCall['status'];
  let buffer = Buffer.alloc(0);
  let resolveEnded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const end = (code: number, message: string, transport: boolean): void => {
    if (status !== undefined) return;
    status = { code, message, transport };
    resolveEnded();
    session.destroy();
    for (const listener of listeners) listener();
  };

  const tls: ConnectionOptions = {
    ...(call.identity.cert === undefined ? {} : { cert: call.identity.cert, key: call.identity.key }),
    ...(call.identity.ca === undefined ? { rejectUnauthorized: false } : { ca: call.identity.ca }),
    minVersion: 'TLSv1.3',
  };
  const session: ClientHttp2Session = connect(`https://${call.address}:${PORT}`, tls);
  session.on('error', (error) => end(14, error.message, true));
  session.on('close', () => end(14, 'error reading from server: EOF', true));
  const stream: ClientHttp2Stream = session.request({
    ':method': 'POST',
    ':path': call.method,
    ':authority': call.authority,
    'content-type': 'application/grpc',
    'user-agent': USER_AGENT,
    te: 'trailers',
    'grpc-accept-encoding': 'gzip',
    ...call.headers,
  });
  stream.on('error', (error) => end(14, error.message, true));
  const take = (headers: Readonly<Record<string, unknown>>): void => {
    const code = headers['grpc-status'];
    if (code === undefined) return;
    const text = headers['grpc-message'];
    end(Number(code), typeof text === 'string' ? decodeURIComponent(text) : '', false);
  };
  stream.on('response', (headers, flags) => {
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0 || headers['grpc-status'] !== undefined) take(headers);
    if (headers[':status'] !== 200) end(13, `HTTP status ${String(headers[':status'])}`, false);
  });
  stream.on('trailers', take);
  stream.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 5) {
      const length = buffer.readUInt32BE(1);
      if (buffer.length < 5 + length) break;
      messages.push(Uint8Array.from(buffer.subarray(5, 5 + length)));
      buffer = buffer.subarray(5 + length);
      for (const listener of listeners) listener();
    }
  });
  stream.on('close', () => setImmediate(() => end(14, 'the stream was reset', true)));
  for (const request of call.requests) {
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(request.length, 1);
    stream.write(Buffer.concat([frame, request]));
  }
  stream.end();

  return {
    messages,
    get status() {
      return status;
    },
    ended,
    onMessage: (listener) => void listeners.add(listener),
    cancel() {
      if (status !== undefined) return;
      stream.close(constants.NGHTTP2_CANCEL);
      end(1, 'left', false);
    },
  };
}
