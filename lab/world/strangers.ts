import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import { isIPv4 } from 'node:net';
import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure, textOf } from '../../src/base/failure.ts';
import type { Fabric, FabricHost } from '../fabric/types.ts';
import { createAuthority, issue } from '../pki/pki.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
/** Kubernetes API and Talos API: what clients of the former owner will dial. */
const PORTS = [6443, 50_000];

/** Other customers of the cloud: an address that was given back may be theirs tomorrow. */
export interface Strangers {
  /**
   * Gives an address that leads nowhere to a stranger's cluster: it answers TLS on the ports of the Kubernetes and the
   * Talos API, with a certificate for that very address, signed by an authority nobody here knows, and lets nobody in.
   * Rejects with a Failure while the address leads to a machine of this lab.
   */
  give(address: string): Promise<void>;
  /** The stranger lets go of it; it leads nowhere again. */
  takeBack(address: string): Promise<void>;
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

interface Stranger {
  readonly host: FabricHost;
  readonly servers: readonly Server[];
}

export function createStrangers(ports: { readonly fabric: Fabric; readonly clock: Clock }): Strangers {
  const { fabric, clock } = ports;
  const strangers = new Map<string, Stranger>();
  let count = 0;

  const end = async ({ servers }: Stranger): Promise<void> => {
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    );
  };
  const takeBack = async (address: string): Promise<void> => {
    const stranger = strangers.get(address);
    if (stranger === undefined) return;
    strangers.delete(address);
    await fabric.route(address, undefined);
    await end(stranger);
    await stranger.host.remove();
  };

  return {
    async give(address) {
      const owner = fabric.routed(address);
      if (owner !== undefined) throw refused(address, `it leads to ${owner.name}`);
      if (!isIPv4(address)) throw refused(address, 'it is no IPv4 address');
      count += 1;
      const now = clock.wall().getTime();
      const validity = { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + YEAR_MS) };
      const authority = await createAuthority('ecdsa', { organization: 'kubernetes', ...validity });
      const pair = await issue(authority, {
        commonName: 'kube-apiserver',
        organizations: ['kube-master'],
        dnsNames: ['kubernetes', 'kubernetes.default.svc', 'localhost'],
        ipAddresses: [address],
        usages: ['serverAuth'],
        ...validity,
      });
      const host = fabric.addHost(`stranger-${count}`);
      const servers = PORTS.map(() => createServer(pair, (_request, response) => refuse(response)));
      for (const [n, port] of PORTS.entries()) {
        servers[n]?.listen({ host: host.hidden, port });
        if (servers[n] !== undefined) await once(servers[n], 'listening');
        await host.open(port);
      }
      strangers.set(address, { host, servers });
      await host.claim(address);
      try {
        await fabric.route(address, host);
      } catch (error) {
        await takeBack(address).catch(() => {});
        throw refused(address, `it is no address of this lab (${textOf(error)})`);
      }
    },
    takeBack,
    get addresses() {
      return [...strangers.keys()];
    },
    async close() {
      await Promise.all([...strangers.values()].map(end));
      strangers.clear();
    },
  };
}

/** An API server's answer to someone it does not know. */
function refuse(response: {
  writeHead(status: number, headers: Record<string, string>): { end(text: string): unknown };
}) {
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'Unauthorized',
    reason: 'Unauthorized',
    code: 401,
  };
  response.writeHead(401, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

const refused = (address: string, why: string): Failure =>
  new Failure({
    code: 'lab-stranger-refused',
    exit: EXIT.refused,
    what: `${address} cannot be given to a stranger`,
    why,
    state: 'Nothing was changed.',
    next: 'Give an address whose server or floating IP was deleted.',
  });
