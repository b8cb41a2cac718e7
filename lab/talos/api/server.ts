import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { Socket } from 'node:net';
import { createContextValues, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import type { KeyPair } from '../../pki/types.ts';
import type { Machine } from '../machine.ts';
import { createGate } from './audit.ts';
import { effectiveRoles, rolesKey } from './context.ts';
import { refuse } from './forward.ts';
import { SESSION_MEMORY_MB } from './ports.ts';

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
  /** In place of a certificate's: what anyone may do who calls without one (maintenance). */
  readonly roles?: readonly string[];
  readonly routes: (router: ConnectRouter) => void;
  /** Takes a request that is meant for another node. Answers whether it did. */
  readonly forward?: (request: Request, response: Response) => boolean;
}

/** gRPC over mutual TLS 1.3, as apid and trustd speak it. Resolves when it listens. */
export async function listenGrpc(machine: Machine, options: ApiServerOptions): Promise<ApiServer> {
  const { clientCA: ca, roles } = options;
  const server = createSecureServer({
    ...options.certificate,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    minVersion: 'TLSv1.3',
    allowHTTP1: false,
    maxSessionMemory: SESSION_MEMORY_MB,
  });
  const sockets = trackSockets(server);
  const adapter = connectNodeAdapter({
    routes: options.routes,
    grpc: true,
    grpcWeb: false,
    connect: false,
    acceptCompression: [],
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
    interceptors: ca === undefined && roles === undefined ? [] : [createGate(machine)],
    contextValues: (request) =>
      createContextValues().set(rolesKey, roles ?? effectiveRoles(request.socket, request.headers)),
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
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** All connections, those too whose handshake never ends because the network has fallen silent. */
function trackSockets(server: Http2SecureServer): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('session', (session) => session.on('error', () => {}));
  // Clients that leave in the ordinary way make nghttp2 report a protocol error; refused handshakes are the client's.
  server.on('sessionError', () => {});
  server.on('tlsClientError', () => {});
  return sockets;
}

/** UNIMPLEMENTED as a gRPC client reads it. */
function refuseUnknown(request: Request, response: Response): void {
  const path = request.url ?? '';
  const slash = path.lastIndexOf('/');
  const text = `unknown method ${path.slice(slash + 1)} for service ${path.slice(1, slash)}`;
  if ('stream' in response && response.stream !== undefined) refuse(response.stream, 12, text);
}
