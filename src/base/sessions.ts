import { Http2SessionManager } from '@connectrpc/connect-node';

type Request = Http2SessionManager['request'];

/**
 * HTTP/2 sessions whose failures are heard for as long as they live. connect-node takes its own listener off a session that
 * it gives up; where calls are still open on that session, or a ping is on its way, the session fails later with an error
 * that nobody hears, and Node ends the process. The calls themselves are told in any case.
 */
export class HeardSessions extends Http2SessionManager {
  readonly #heard = new WeakSet<object>();

  override async request(...given: Parameters<Request>): ReturnType<Request> {
    const stream = await super.request(...given);
    const { session } = stream;
    if (session !== undefined && !this.#heard.has(session)) {
      this.#heard.add(session);
      session.on('error', () => {});
    }
    return stream;
  }
}
