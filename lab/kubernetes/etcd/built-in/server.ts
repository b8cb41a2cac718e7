import { readFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { Cluster, KV, Lease, Maintenance, Watch } from '../generated/etcd/rpc_pb.ts';
import { type Freezer, holdCalls } from '../../freezer.ts';
import type { EtcdSpec, TlsFiles } from '../../types.ts';
import { refuse } from './errors.ts';
import { answerPeer } from './peers.ts';
import { kvService } from './kv-service.ts';
import { leaseService } from './lease-service.ts';
import { maintenanceService } from './maintenance-service.ts';
import { membersService } from './members-service.ts';
import type { Served } from './served.ts';
import { watchService } from './watch-service.ts';

export const CLIENT_PORT = 2379;
export const PEER_PORT = 2380;

export interface MemberServer {
  /** Calls in progress are answered "server stopped", then everything is closed. */
  stop(): Promise<void>;
  /** Connections are cut without a word. */
  kill(): Promise<void>;
}

/** Whoever connects must show a certificate of the CA; who does not is turned away in the handshake. */
async function tlsOptions(files: TlsFiles) {
  const [ca, cert, key] = await Promise.all([files.ca, files.cert, files.key].map((file) => readFile(file)));
  return { ca, cert, key, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
}

function track(server: Server): { cut: () => void } {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A client that hangs up is no event here.
    socket.on('error', () => {});
  };
  server.on('connection', keep);
  server.on('secureConnection', (socket: TLSSocket) => keep(socket));
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
  return { cut: () => sockets.forEach((socket) => socket.destroy()) };
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** One member's ports: gRPC with client certificates on 2379; on 2380 a handshake, and an answer to whoever speaks as a peer. */
export async function serveMember(served: Served, spec: EtcdSpec, freezer: Freezer): Promise<MemberServer> {
  const [clientTls, peerTls] = await Promise.all([tlsOptions(spec.server), tlsOptions(spec.peer)]);
  const stopping = new AbortController();
  const client = createSecureServer(
    clientTls,
    connectNodeAdapter({
      grpc: true,
      grpcWeb: false,
      connect: false,
      shutdownSignal: stopping.signal,
      interceptors: [holdCalls(freezer)],
      routes: (router) => {
        router.service(KV, kvService(served));
        router.service(Watch, watchService(served));
        router.service(Lease, leaseService(served));
        router.service(Cluster, membersService(served));
        router.service(Maintenance, maintenanceService(served));
      },
    }),
  );
  client.on('session', (session) => session.on('error', () => {}));
  const peer = createServer(peerTls, answerPeer);
  for (const server of [client, peer]) freezer.guard(server);
  const servers = [client, peer].map((server) => ({ server, ...track(server) }));
  const closed = async (): Promise<void> => {
    const gone = servers.map(({ server, cut }) => {
      const done = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      return done;
    });
    await Promise.all(gone);
  };
  try {
    await listen(client, spec.listen, CLIENT_PORT);
    await listen(peer, spec.listen, PEER_PORT);
  } catch (error) {
    await closed();
    throw error;
  }
  return {
    stop: async () => {
      stopping.abort(refuse('stopped'));
      // Time for the answers to leave.
      await served.clock.sleep(20);
      await closed();
    },
    kill: async () => {
      const gone = closed();
      stopping.abort(refuse('stopped'));
      await gone;
    },
  };
}
