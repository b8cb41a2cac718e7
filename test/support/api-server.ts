import http2 from 'node:http2';
import https from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type net from 'node:net';
import type tls from 'node:tls';
import type { TestPki } from './cluster-pki.ts';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly userAgent: string | undefined;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly protocol: string;
  readonly clientCertificate: string | undefined;
  readonly servername: string | false | null;
  readonly resumed: boolean;
  /** The client said that the connection ends with this request. */
  readonly last: boolean;
  /** A number per connection. */
  readonly connection: number;
}

export type Reply = { status: number; body?: string } | 'hang';

export interface TestApiServer {
  readonly port: number;
  readonly seen: readonly Seen[];
  readonly connections: () => number;
  /** What it answers from now on. */
  reply: (seen: Seen) => Reply;
  /** Cuts every connection that is open. */
  cut(): void;
  close(): void;
}

/** A small HTTPS server that asks for client certificates as an API server does; what it says is the test's to decide. */
export async function testApiServer(
  pki: TestPki,
  options: { http2?: boolean; port?: number } & tls.TlsOptions = {},
): Promise<TestApiServer> {
  const { http2: speaksHttp2 = false, port: wanted = 0, ...more } = options;
  const seen: Seen[] = [];
  const numbers = new WeakMap<object, number>();
  const sockets = new Set<tls.TLSSocket>();
  let count = 0;
  const handle = (
    request: IncomingMessage | http2.Http2ServerRequest,
    response: ServerResponse | http2.Http2ServerResponse,
  ) => {
    const session = 'stream' in request ? request.stream.session : undefined;
    const socket = (session?.socket ?? request.socket) as tls.TLSSocket;
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const entry: Seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        body,
        userAgent: request.headers['user-agent'],
        authorization: request.headers.authorization,
        contentType: request.headers['content-type'],
        protocol: request.httpVersion,
        clientCertificate: socket.authorized ? subjectOf(socket) : undefined,
        servername: socket.servername,
        resumed: socket.isSessionReused(),
        last: request.headers.connection === 'close',
        connection: numbers.get(session ?? request.socket) ?? -1,
      };
      seen.push(entry);
      const reply = server.reply(entry);
      if (reply === 'hang') return;
      // The two kinds of response have the same methods, and types that do not meet.
      const out = response as ServerResponse;
      out.writeHead(reply.status, { 'content-type': 'application/json' });
      out.end(reply.body ?? '{}');
    });
  };
  const settings = {
    key: pki.server.key,
    cert: pki.server.cert,
    ca: pki.ca.cert,
    requestCert: true,
    rejectUnauthorized: false,
    ...more,
  };
  const listener = speaksHttp2
    ? http2.createSecureServer({ ...settings, allowHTTP1: true }, handle)
    : https.createServer(settings, handle);
  listener.on('secureConnection', (socket: tls.TLSSocket) => {
    numbers.set(socket, (count += 1));
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  if (speaksHttp2) {
    listener.on('session', (session: http2.ServerHttp2Session) => {
      numbers.set(session, count);
      session.on('error', () => {});
    });
  }
  await new Promise<void>((done) => listener.listen(wanted, '127.0.0.1', done));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server: TestApiServer = {
    port: (listener.address() as net.AddressInfo).port,
    seen,
    connections: () => count,
    reply: () => ({ status: 200 }),
    cut,
    close: () => {
      cut();
      listener.close();
    },
  };
  return server;
}

function subjectOf(socket: tls.TLSSocket): string | undefined {
  const { subject } = socket.getPeerCertificate();
  return subject === undefined ? undefined : [subject.CN].flat().join();
}
