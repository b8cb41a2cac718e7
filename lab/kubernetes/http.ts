import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';

/** How to reach one API server, and as whom. */
export interface ApiAccess {
  /** https://address:port */
  readonly server: string;
  /** PEM texts. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The name that the server's certificate must cover, where that is not the address (hidden addresses: `kubernetes`). */
  readonly serverName?: string;
  /** Address its connections are sent from: the hidden one of the machine whose client it is. */
  readonly localAddress?: string;
}

export interface ApiResponse {
  readonly status: number;
  /** Parsed where it is JSON, else the text. */
  readonly body: unknown;
}

export interface ApiRequest {
  readonly body?: unknown;
  /** Default: application/json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface ApiWatchEvent {
  readonly type: string;
  readonly object: unknown;
}

/** The lab's own small Kubernetes client: one server, client certificate, JSON. */
export interface ApiClient {
  /** Resolves with whatever status the server answers; rejects when no answer comes. */
  request(method: string, path: string, options?: ApiRequest): Promise<ApiResponse>;
  /** Events until the server ends the stream or the signal aborts; rejects when the server refuses or the connection breaks. */
  watch(path: string, signal: AbortSignal): AsyncIterable<ApiWatchEvent>;
  close(): void;
}

export function createApiClient(
  access: ApiAccess,
  options: { readonly userAgent: string; readonly timeoutMs: number },
): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const { ca, cert, key, serverName, localAddress } = access;
  const send = (method: string, path: string, { body, contentType, signal }: ApiRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const request = httpsRequest(
        `${access.server}${path}`,
        {
          method,
          agent,
          ca,
          cert,
          key,
          ...(serverName === undefined ? {} : { servername: serverName }),
          ...(localAddress === undefined ? {} : { localAddress }),
          ...(signal === undefined ? {} : { signal }),
          headers: {
            accept: 'application/json',
            'user-agent': options.userAgent,
            ...(payload === undefined
              ? {}
              : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(payload) }),
          },
        },
        resolve,
      );
      request.on('error', reject);
      request.end(payload);
    });

  return {
    async request(method, path, given = {}) {
      const timeout = AbortSignal.timeout(options.timeoutMs);
      const signal = given.signal === undefined ? timeout : AbortSignal.any([given.signal, timeout]);
      const response = await send(method, path, { ...given, signal });
      const text = await textOf(response);
      return { status: response.statusCode ?? 0, body: parsed(response, text) };
    },
    async *watch(path, signal) {
      const response = await send('GET', path, { signal });
      if (response.statusCode !== 200)
        throw new Error(`watch of ${path}: ${response.statusCode ?? 0} ${await textOf(response)}`);
      for await (const line of linesOf(response)) {
        if (line.trim() === '') continue;
        const event: unknown = JSON.parse(line);
        if (typeof event === 'object' && event !== null && 'type' in event && 'object' in event)
          yield { type: String(event.type), object: event.object };
      }
    },
    close: () => agent.destroy(),
  };
}

/** Lines of a stream; a connection that breaks ends it with its error. (readline would throw that error at nobody.) */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response) {
    rest += decoder.decode(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)), { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)));
  return Buffer.concat(chunks).toString();
}

function parsed(response: IncomingMessage, text: string): unknown {
  if (!(response.headers['content-type'] ?? '').includes('json')) return text;
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return text;
  }
}
