import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import { createContextValues, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import type { KeyPair } from '../../pki/types.ts';
import type { Machine } from '../machine.ts';
import { createGate } from './audit.ts';
import { effectiveRoles, rolesKey } from './context.ts';
import { refuse } from './forward.ts';

const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

type Request = Parameters<ReturnType<typeof connectNodeAdapter>>[0];
type Response = Parameters<ReturnType<typeof connectNodeAdapter>>[1];

export interface ApiServer {
  /** From the next handshake on; connections that are open stay. */
  setCertificate(pair: KeyPair): void;
  /** Closes the port; ends every session at once. */
  close(): Promise<void>;
}

export interface ApiServerOptions {
  readonly address: string;
  readonly port: number;
  readonly certificate: KeyPair;
  /** Authority of the client certificates; without one, nobody is asked for a certificate (trustd). */
  readonly clientCA?: string;
  readonly routes: (router: ConnectRouter) => void;
  /** Takes a request that is meant for another node. Answers whether it did. */
  readonly forward?: (request: Request, response: Response) => boolean;
}

/** gRPC over mutual TLS 1.3, as apid and trustd speak it. Resolves when it listens. */
export async function listenGrpc(machine: Machine, options: ApiServerOptions): Promise<ApiServer> {
  const ca = options.clientCA;
  const server = createSecureServer({
    ...options.certificate,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    minVersion: 'TLSv1.3',
    allowHTTP1: false,
  });
  const sessions = trackSessions(server);
  const adapter = connectNodeAdapter({
    routes: options.routes,
    grpc: true,
    grpcWeb: false,
    connect: false,
    acceptCompression: [],
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    interceptors: ca === undefined ? [] : [createGate(machine)],
    contextValues: (request) => createContextValues().set(rolesKey, effectiveRoles(request.socket, request.headers)),
    fallback: refuseUnknown,
  });
  server.on('request', (request, response) => {
    // A bare IPv6 address as authority makes no URL, and the adapter would throw; nothing here needs the name.
    request.headers[':authority'] = 'node';
    if (options.forward?.(request, response) !== true) adapter(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    setCertificate(pair) {
      server.setSecureContext({ ...pair, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.3' });
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

function trackSessions(server: Http2SecureServer): Set<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => {});
  });
  // Clients that leave in the ordinary way make nghttp2 report a protocol error; refused handshakes are the client's.
  server.on('sessionError', () => {});
  server.on('tlsClientError', () => {});
  return sessions;
}

/** UNIMPLEMENTED as a gRPC client reads it. */
function refuseUnknown(request: Request, response: Response): void {
  const path = request.url ?? '';
  const slash = path.lastIndexOf('/');
  const text = `unknown method ${path.slice(slash + 1)} for service ${path.slice(1, slash)}`;
  if ('stream' in response && response.stream !== undefined) refuse(response.stream, 12, text);
}
