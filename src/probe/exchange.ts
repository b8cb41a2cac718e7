import https from 'node:https';
import tls from 'node:tls';
import { USER_AGENT } from '../systems/user-agent.ts';
import { type Dial, tlsOptions } from './dial.ts';
import { type FailedConnection, failedConnection, timedOut } from '../systems/connection-failure.ts';

export interface ProbeRequest {
  readonly method: 'GET' | 'PATCH';
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  /** Overrides the dial's own credentials. */
  readonly authorization?: string;
}

export type Answer = { readonly kind: 'answered'; readonly status: number; readonly body: string } | FailedConnection;

/** Answers are short; more than this is cut off. */
const LONGEST_BODY = 16 * 1024;

export function headersOf(dial: Dial, request: ProbeRequest): Record<string, string> {
  const authorization = request.authorization ?? dial.authorization;
  return {
    'user-agent': USER_AGENT,
    accept: 'application/json',
    ...(authorization === undefined ? {} : { authorization }),
    ...(request.contentType === undefined ? {} : { 'content-type': request.contentType }),
    ...(request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
  };
}

/**
 * One HTTPS request on a connection of its own: new TCP, a full TLS handshake, closed afterwards. `timeoutMs` bounds
 * name lookup, connecting and answering together. Never rejects.
 */
export function exchange(dial: Dial, request: ProbeRequest, timeoutMs: number, signal?: AbortSignal): Promise<Answer> {
  const options = {
    createConnection: () => tls.connect(tlsOptions(dial, ['http/1.1'])),
    headers: { ...headersOf(dial, request), host: dial.authority, connection: 'close' },
  };
  return send(options, request, timeoutMs, signal);
}

/** Sends over whatever connection the options name (one's own, or an agent's). */
export function send(
  options: https.RequestOptions,
  request: ProbeRequest,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve) => {
    const outgoing = https.request({ ...options, method: request.method, path: request.path });
    let finished = false;
    const finish = (answer: Answer): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      resolve(answer);
      if (answer.kind === 'failed') outgoing.destroy();
    };
    const aborted = (): void => finish({ kind: 'failed', reason: 'timeout', message: 'stopped' });
    const timer = setTimeout(() => finish(timedOut(timeoutMs)), timeoutMs);
    signal?.addEventListener('abort', aborted, { once: true });
    outgoing.on('error', (error) => finish(failedConnection(error)));
    outgoing.on('response', (incoming) => {
      let body = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (part: string) => {
        if (body.length < LONGEST_BODY) body += part;
      });
      incoming.on('error', (error) => finish(failedConnection(error)));
      incoming.on('end', () => finish({ kind: 'answered', status: incoming.statusCode ?? 0, body }));
      incoming.on('close', () => finish({ kind: 'failed', reason: 'reset', message: 'the answer was cut off' }));
    });
    outgoing.end(request.body);
  });
}
