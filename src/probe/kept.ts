import http2 from 'node:http2';
import https from 'node:https';
import tls from 'node:tls';
import { type Dial, tlsOptions } from './dial.ts';
import { type Answer, headersOf, type ProbeRequest, send } from './exchange.ts';
import { type FailedConnection, failedConnection, timedOut } from '../systems/connection-failure.ts';

/** A connection that is used again and again, as Kubernetes clients do, and made anew only when it breaks. */
export interface KeptConnection {
  exchange(request: ProbeRequest, timeoutMs: number): Promise<Answer>;
  close(): void;
}

interface Session {
  readonly http2: http2.ClientHttp2Session;
  /** When the server last sent anything. */
  heardAt: number;
}

/**
 * With HTTP/2 (every real API server) all requests share one connection, and one that hangs does not hold up the next.
 * A server that only speaks HTTP/1.1 gets a second kept connection while the first is busy. A request that runs into its
 * time-out closes the connection if the server has said nothing since the request was sent.
 */
export function keepConnection(dial: Dial): KeptConnection {
  let session: Promise<Session | 'http/1.1'> | undefined;
  let agent: https.Agent | undefined;
  let closed = false;

  function connected(timeoutMs: number): Promise<Session | 'http/1.1'> {
    if (session !== undefined) return session;
    // Only the connection that is current may make room for a new one; an old one that closes late may not.
    const forget = (): void => {
      if (session === opening) session = undefined;
    };
    const opening = open(timeoutMs, forget);
    opening.catch(forget);
    session = opening;
    return opening;
  }

  async function open(timeoutMs: number, forget: () => void): Promise<Session | 'http/1.1'> {
    const socket = await connect(dial, timeoutMs);
    if (closed || socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return 'http/1.1';
    }
    const made = http2.connect(`https://${dial.authority}`, { createConnection: () => socket });
    made.on('error', forget);
    made.on('close', forget);
    made.on('goaway', forget);
    return { http2: made, heardAt: performance.now() };
  }

  return {
    async exchange(request, timeoutMs) {
      const started = performance.now();
      try {
        const over = await connected(timeoutMs);
        const left = Math.max(1, timeoutMs - (performance.now() - started));
        if (over !== 'http/1.1') return await overHttp2(over, dial, request, left);
        // The identity check belongs to the agent: with a check of its own, no request would reuse a connection.
        agent ??= new https.Agent({ keepAlive: true, maxCachedSessions: 0, ...tlsOptions(dial, ['http/1.1']) });
        const options = { host: dial.host, port: dial.port, agent };
        return await send(
          { ...options, headers: { ...headersOf(dial, request), host: dial.authority } },
          request,
          left,
        );
      } catch (error) {
        return isFailed(error) ? error : failedConnection(error);
      }
    },
    close() {
      closed = true;
      agent?.destroy();
      void session?.then((s) => s === 'http/1.1' || s.http2.destroy()).catch(() => {});
    },
  };
}

const isFailed = (value: unknown): value is FailedConnection =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'failed';

/** Rejects with a FailedConnection. */
function connect(dial: Dial, timeoutMs: number): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(tlsOptions(dial, ['h2', 'http/1.1']));
    const timer = setTimeout(() => {
      socket.destroy();
      // oxlint-disable-next-line prefer-promise-reject-errors
      reject(timedOut(timeoutMs));
    }, timeoutMs);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
    const failed = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', failed);
  });
}

function overHttp2(session: Session, dial: Dial, request: ProbeRequest, timeoutMs: number): Promise<Answer> {
  const started = performance.now();
  return new Promise((resolve) => {
    const stream = session.http2.request({
      ':method': request.method,
      ':path': request.path,
      ':authority': dial.authority,
      ...headersOf(dial, request),
    });
    let status = 0;
    const finish = (answer: Answer): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    const timer = setTimeout(() => {
      finish(timedOut(timeoutMs));
      stream.close(http2.constants.NGHTTP2_CANCEL);
      if (session.heardAt < started) session.http2.destroy();
    }, timeoutMs);
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
      session.heardAt = performance.now();
    });
    stream.on('data', () => {
      session.heardAt = performance.now();
    });
    stream.on('error', (error) => finish(failedConnection(error)));
    stream.on('close', () =>
      finish(
        status === 0
          ? { kind: 'failed', reason: 'reset', message: 'the connection was closed' }
          : { kind: 'answered', status, body: '' },
      ),
    );
    stream.end(request.body);
  });
}
