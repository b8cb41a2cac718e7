import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { CloudHttp } from '../cloud/types.ts';
import type { Backend, Chosen, Front } from './front.ts';
import { cookieOf, forwarded, markOf, passedOn, secureLocation } from './http-headers.ts';
import { endpointsOf, proxyHeader } from './proxy-header.ts';
import type { FrontPorts } from './tcp-front.ts';

const PAGES: Readonly<Record<number, string>> = {
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** Reads requests and sends each to a target over plain HTTP; with `https` it ends TLS with the service's certificates. */
export function createHttpFront(
  { knobs, speed, hidden }: FrontPorts,
  { protocol, port }: { readonly protocol: 'http' | 'https'; readonly port: number },
  backend: Backend,
): Front {
  const clients = new Set<Socket>();
  const upstreams = new Map<string, Set<Socket>>();
  const rules = (): CloudHttp | undefined => backend.service.http;

  /** A connection of its own for each request, from the balancer's address, with the header of the PROXY protocol before it. */
  const dial = (chosen: Chosen, client: Socket): Socket => {
    const upstream = connect({
      host: chosen.address,
      localAddress: hidden,
      port: backend.service.destinationPort,
      noDelay: true,
    });
    const open = upstreams.get(chosen.key) ?? new Set();
    upstreams.set(chosen.key, open.add(upstream));
    upstream.on('close', () => open.delete(upstream));
    if (backend.service.proxyProtocol) upstream.write(proxyHeader(knobs.proxyProtocolVersion, endpointsOf(client)));
    return upstream;
  };

  const ask = (
    request: IncomingMessage,
    tried: ReadonlySet<string>,
    more: http.OutgoingHttpHeaders,
    failed: (status: number) => void,
  ): { readonly outgoing: http.ClientRequest; readonly chosen: Chosen } | undefined => {
    const sticky = rules()?.stickySessions === true ? cookieOf(request, rules()?.cookieName ?? '') : undefined;
    const chosen = backend.pick(tried, sticky);
    if (chosen === undefined) {
      failed(knobs.withoutTargetStatus);
      return undefined;
    }
    const free = backend.occupy(chosen.key);
    const outgoing = http.request({
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: { ...passedOn(request.headers), ...forwarded(request, { protocol, port }), ...more },
      setDefaultHeaders: false,
      createConnection: () => dial(chosen, request.socket),
    });
    let connected = false;
    const timer = setTimeout(
      () => {
        if (!connected) outgoing.destroy();
      },
      Math.max(knobs.leastTimeoutMs, knobs.connectTimeoutMs / speed),
    );
    outgoing.on('socket', (socket) => socket.on('connect', () => (connected = true)));
    outgoing.on('close', () => {
      clearTimeout(timer);
      free();
    });
    // Nobody answers there, or somebody who does not speak HTTP.
    outgoing.on('error', () => failed(connected ? 502 : knobs.withoutTargetStatus));
    return { outgoing, chosen };
  };

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const failed = (status: number): void => {
      if (response.headersSent) response.destroy();
      else
        response
          .writeHead(status, { 'content-type': 'text/html' })
          .end(`<html><body><h1>${status} ${PAGES[status]}</h1></body></html>\n`);
    };
    const body = 'content-length' in request.headers || 'transfer-encoding' in request.headers;
    const asked = ask(
      request,
      new Set(),
      body && !('content-length' in request.headers) ? { 'transfer-encoding': 'chunked' } : {},
      failed,
    );
    if (asked === undefined) return;
    const { outgoing, chosen } = asked;
    outgoing.on('response', (incoming) => {
      const headers = passedOn(incoming.headers);
      const { stickySessions = false, cookieName = '', cookieLifetime = 0 } = rules() ?? {};
      const mark = markOf(chosen.key);
      if (stickySessions && cookieOf(request, cookieName) !== mark)
        headers['set-cookie'] = [
          ...(incoming.headers['set-cookie'] ?? []),
          `${cookieName}=${mark}; Max-Age=${cookieLifetime}; Path=/`,
        ];
      response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, headers);
      incoming.pipe(response);
      incoming.on('error', () => response.destroy());
    });
    // A client that goes away takes its request with it.
    response.on('close', () => {
      if (!response.writableFinished) outgoing.destroy();
    });
    request.pipe(outgoing);
  };

  /** WebSockets, and `kubectl exec` of old: from the answer on, bytes are passed on. */
  const upgrade = (request: IncomingMessage, client: Duplex, head: Buffer): void => {
    const failed = (status: number): void =>
      void client.end(`HTTP/1.1 ${status} ${PAGES[status]}\r\nConnection: close\r\n\r\n`);
    client.on('error', () => {});
    const asked = ask(request, new Set(), { connection: 'Upgrade', upgrade: request.headers.upgrade }, failed);
    if (asked === undefined) return;
    asked.outgoing.on('response', (incoming) => {
      client.write(headOf(incoming));
      incoming.pipe(client);
    });
    asked.outgoing.on('upgrade', (incoming, upstream, first) => {
      client.write(headOf(incoming));
      if (first.length > 0) client.write(first);
      if (head.length > 0) upstream.write(head);
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.destroy());
      client.pipe(upstream).pipe(client);
    });
    asked.outgoing.end();
  };

  let contexts: readonly { readonly context: SecureContext; readonly names: readonly string[] }[] = [];
  const update = (): void => {
    const idle = ((rules()?.timeoutIdle ?? 60) * 1_000) / speed;
    server.keepAliveTimeout = idle;
    server.setTimeout(idle);
    if (!(server instanceof https.Server)) return;
    const certificates = rules()?.certificates ?? [];
    contexts = certificates.map(({ cert, key, names }) => ({ context: createSecureContext({ cert, key }), names }));
    // For clients that name no host; without any certificate, every handshake fails.
    server.setSecureContext({ cert: certificates[0]?.cert, key: certificates[0]?.key });
  };
  const contextFor = (name: string): SecureContext | undefined =>
    (contexts.find(({ names }) => names.some((each) => covers(each, name.toLowerCase()))) ?? contexts[0])?.context;

  const server: http.Server =
    protocol === 'http'
      ? http.createServer(answer)
      : https.createServer(
          { SNICallback: (name, done) => done(null, contextFor(name)), ALPNProtocols: ['http/1.1'] },
          answer,
        );
  server.on('upgrade', upgrade);
  server.on('connection', (socket: Socket) => {
    if (!backend.admit(socket)) {
      if (knobs.connectionTooMany === 'reset') socket.resetAndDestroy();
      else socket.destroy();
      return;
    }
    clients.add(socket);
    socket.on('close', () => clients.delete(socket));
  });
  update();

  return {
    async listen() {
      server.listen({ host: hidden, port });
      await once(server, 'listening');
    },
    get listening() {
      return server.listening;
    },
    update,
    reset(target) {
      for (const upstream of upstreams.get(target) ?? []) upstream.resetAndDestroy();
    },
    close() {
      if (server.listening) server.close();
      for (const socket of clients) socket.resetAndDestroy();
      for (const open of upstreams.values()) for (const upstream of open) upstream.resetAndDestroy();
    },
  };
}

/** `*.example.com` covers one label. */
const covers = (pattern: string, name: string): boolean =>
  pattern.startsWith('*.') ? name.slice(name.indexOf('.')) === pattern.slice(1) : pattern === name;

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode} ${statusMessage}`];
  for (let n = 0; n + 1 < rawHeaders.length; n += 2) lines.push(`${rawHeaders[n]}: ${rawHeaders[n + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Answers every request on port 80 with the way to an https service. */
export function createRedirect(hidden: string, port: number, to: () => number): Omit<Front, 'update' | 'reset'> {
  const server = http.createServer((request, response) => {
    response.writeHead(301, { location: secureLocation(request, to()), 'content-length': '0' }).end();
  });
  return {
    async listen() {
      server.listen({ host: hidden, port });
      await once(server, 'listening');
    },
    get listening() {
      return server.listening;
    },
    close() {
      if (server.listening) server.close();
      server.closeAllConnections();
    },
  };
}
