import type { ClientHttp2Session, Http2ServerResponse, IncomingHttpHeaders } from 'node:http2';
import type { Machine } from '../../machine.ts';
import { labelMessage, labelMessages, metadataField } from './merge.ts';
import { frame, messagesOf } from './frames.ts';
import { dial, failureOf, onwardHeaders, StatusError, statusOf, type Target } from './onward.ts';

export interface FannedCall {
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly roles: readonly string[];
  /** The caller's one message, framed. */
  readonly body: Uint8Array;
  readonly streaming: boolean;
}

/**
 * Sends a call to several nodes and merges what they answer: unary answers into one list, streams message by message as
 * they come. A node that fails has its error in a message of its own; the call itself ends well.
 */
export async function fanOut(
  machine: Machine,
  call: FannedCall,
  targets: readonly Target[],
  response: Http2ServerResponse,
): Promise<void> {
  const sessions = new Set<ClientHttp2Session>();
  response.stream.once('close', () => {
    for (const session of sessions) session.destroy();
  });
  const write = (message: Uint8Array): void => {
    if (response.stream.destroyed) return;
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/grpc' });
    response.write(frame(message));
  };

  const ask = async (target: Target, each: (message: Uint8Array) => void): Promise<void> => {
    let session: ClientHttp2Session | undefined;
    try {
      session = await dial(machine, target);
      sessions.add(session);
      if (response.stream.destroyed) session.destroy();
      for await (const message of answers(session, machine, call)) {
        each((call.streaming ? labelMessage : labelMessages)(message, metadataField(target.name)));
      }
    } catch (error) {
      const failed = metadataField(target.name, failureOf(error));
      each(call.streaming ? failed : labelMessages(new Uint8Array(), failed));
    } finally {
      session?.close();
    }
  };

  if (call.streaming) await Promise.all(targets.map((target) => ask(target, write)));
  else {
    const parts = targets.map((): Uint8Array[] => []);
    await Promise.all(targets.map((target, index) => ask(target, (message) => parts[index]?.push(message))));
    write(Uint8Array.from(Buffer.concat(parts.flat())));
  }
  if (response.stream.destroyed) return;
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/grpc' });
  response.addTrailers({ 'grpc-status': '0' });
  response.end();
}

/** Messages of one node's answer. Throws `StatusError` where it ends with another status than OK. */
async function* answers(session: ClientHttp2Session, machine: Machine, call: FannedCall): AsyncIterable<Uint8Array> {
  const stream = session.request(onwardHeaders(machine, call.headers, call.path, call.roles));
  let status: ReturnType<typeof statusOf>;
  stream.on('response', (headers) => (status = statusOf(headers) ?? status));
  stream.on('trailers', (headers) => (status = statusOf(headers) ?? status));
  stream.end(call.body);
  yield* messagesOf(stream);
  if (status === undefined) throw new Error('error reading from server: EOF');
  if (status.code !== 0) throw new StatusError(status.code, status.text);
}
