import { connect, createServer, type Server, type Socket } from 'node:net';
import { textOf } from '../../../src/base/failure.ts';
import type { Machine } from '../machine.ts';
import { kubePrismEndpoints } from '../resources/kubernetes.ts';
import { settingsOf } from '../resources/settings.ts';

/** The machine's own balancer in front of the Kubernetes API. */
export interface KubePrism {
  /** Listens where the active config says, or not at all; what it sends connections to is asked anew for each. */
  follow(): Promise<void>;
}

/** Talos gives an upstream this long to say that it is there. */
const DIAL_MS = 500;

export function createKubePrism(machine: Machine, signal: AbortSignal): KubePrism {
  const { host } = machine.ports;
  let now: { readonly port: number; readonly close: () => void } | undefined;
  const end = async (): Promise<void> => {
    const ending = now;
    now = undefined;
    ending?.close();
    if (ending !== undefined) await host.shut(ending.port);
  };
  signal.addEventListener('abort', () => void end().catch(() => {}), { once: true });
  return {
    async follow() {
      const port = machine.active?.derived.kubePrism?.port;
      if (port === now?.port) return;
      await end();
      if (port === undefined || signal.aborted) return;
      const close = await listen(machine, port);
      if (close === undefined) return;
      now = { port, close };
      if (signal.aborted) await end();
    },
  };
}

/** Endpoint, the machine's own API server, those of its peers. */
function upstreamsOf(machine: Machine): readonly Upstream[] {
  const settings = settingsOf(machine);
  return settings === undefined ? [] : kubePrismEndpoints(machine, settings);
}

interface Upstream {
  readonly host: string;
  readonly port: number;
}

/**
 * TCP: each connection to the next upstream that answers. Talos keeps score by a look at each upstream every second; here a
 * dead one is found out when a client comes. Gives the way to end it; undefined when the port is taken: the machine goes on
 * without.
 */
async function listen(machine: Machine, port: number): Promise<(() => void) | undefined> {
  const { host } = machine.ports;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    return socket;
  };
  let turn = 0;

  const serve = async (client: Socket): Promise<void> => {
    keep(client).pause();
    const all = upstreamsOf(machine);
    turn += 1;
    for (let n = 0; n < all.length && !client.destroyed; n += 1) {
      const upstream = all[(turn + n) % all.length];
      const socket = upstream && (await dial(upstream, host.hidden));
      if (socket === undefined) continue;
      keep(socket);
      client.on('close', () => socket.destroy());
      socket.on('close', () => client.destroy());
      client.pipe(socket);
      socket.pipe(client);
      return;
    }
    client.destroy();
  };

  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => void serve(client));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: host.hidden, port }, resolve);
    });
    await host.open(port);
  } catch (error) {
    server.close();
    machine.log(`kubeprism: cannot listen on ${port}: ${textOf(error)}`);
    return undefined;
  }
  return () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
}

/** A connection, or undefined when none comes about in time. `localhost` is the machine's address behind the network. */
function dial({ host, port }: Upstream, own: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      host: host === 'localhost' ? own : host,
      port,
      localAddress: own,
      allowHalfOpen: true,
      noDelay: true,
      timeout: DIAL_MS,
    });
    const failed = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.once('timeout', failed);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('timeout', failed);
      socket.off('error', failed);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}
