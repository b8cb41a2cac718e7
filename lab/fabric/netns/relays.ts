import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Processes of machines listen on IPv4 addresses. For what comes over IPv6 the lab listens beside them and passes both
 * directions on: half-closes travel, a reset on one side resets the other.
 */
export interface Relays {
  /** Listens on address:port (IPv6) for the process at target:port. */
  open(address: string, port: number, target: string): Promise<void>;
  /** Connections that are open live on. */
  shut(address: string, port: number): void;
  close(): void;
}

export function createRelays(): Relays {
  const servers = new Map<string, Server>();
  const sockets = new Set<Socket>();

  const join = (client: Socket, process: Socket): void => {
    for (const [socket, other] of [
      [client, process],
      [process, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.resetAndDestroy());
      socket.on('close', (failed) => {
        sockets.delete(socket);
        // What was said last still has to arrive.
        if (!failed) other.destroySoon();
      });
      socket.pipe(other);
    }
  };

  return {
    async open(address, port, target) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
        join(client, connect({ host: target, port, localAddress: target, allowHalfOpen: true, noDelay: true }));
      });
      servers.set(`${address} ${port}`, server);
      server.listen({ host: address, port });
      await once(server, 'listening');
      server.unref();
    },
    shut(address, port) {
      servers.get(`${address} ${port}`)?.close();
      servers.delete(`${address} ${port}`);
    },
    close() {
      for (const server of servers.values()) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
