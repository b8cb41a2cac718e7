import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConnectError } from '@connectrpc/connect';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { pickInteger, systemRandom } from '../../src/base/random.ts';
import { createEtcdClient } from '../../lab/kubernetes/etcd/client.ts';
import type { EtcdClient } from '../../lab/kubernetes/etcd/types.ts';
import type { EtcdPart, EtcdSpec, RunningPart, TlsFiles } from '../../lab/kubernetes/types.ts';
import { createAuthority, issue } from '../../lab/pki/pki.ts';

export const clock: Clock = systemClock;

const DAY = 86_400_000;

export interface Node {
  readonly name: string;
  readonly address: string;
  readonly client: EtcdClient;
  running: RunningPart | undefined;
}

/** The text etcd sent, or whatever else went wrong. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error).rawMessage;
  }
  return 'no refusal';
}

/** Looks until it holds; fails with the last error or answer when it does not within `ms`. */
export async function eventually<T>(ms: number, look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = clock.now() + ms;
  for (;;) {
    let last: unknown;
    try {
      const value = await look();
      if (holds(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (clock.now() > deadline) throw new Error(`not within ${ms} ms; last seen: ${String(last)}`, { cause: last });
    await clock.sleep(50);
  }
}

/** Machines, certificates and clients for one cluster, on loopback addresses of its own. */
export class Harness {
  readonly #part: EtcdPart;
  readonly dir: string;
  readonly files: TlsFiles;
  readonly tls: { ca: string; cert: string; key: string };
  readonly token = `conformance-${Math.trunc(systemRandom.next() * 1e9)}`;
  readonly #net: string;
  readonly nodes: Node[] = [];
  #next = 1;

  private constructor(part: EtcdPart, dir: string, net: string, tls: { ca: string; cert: string; key: string }) {
    this.#part = part;
    this.dir = dir;
    this.#net = net;
    this.tls = tls;
    this.files = { ca: path.join(dir, 'ca.crt'), cert: path.join(dir, 'node.crt'), key: path.join(dir, 'node.key') };
  }

  static async create(part: EtcdPart): Promise<Harness> {
    const dir = await mkdtemp(path.join(tmpdir(), 'etcd-conformance-'));
    const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
    const ca = await createAuthority('ecdsa', { organization: 'etcd', ...validity });
    // One certificate for all machines and clients; etcd's peers compare the address they dial.
    const net = `127.${pickInteger(systemRandom, 130, 250)}.${pickInteger(systemRandom, 1, 250)}`;
    const addresses = Array.from({ length: 20 }, (_, n) => `${net}.${n + 1}`);
    const own = await issue(ca, {
      commonName: 'etcd',
      dnsNames: ['etcd.test'],
      ipAddresses: addresses,
      usages: ['serverAuth', 'clientAuth'],
      ...validity,
    });
    const harness = new Harness(part, dir, net, { ca: ca.cert, ...own });
    await writeFile(harness.files.ca, ca.cert);
    await writeFile(harness.files.cert, own.cert);
    await writeFile(harness.files.key, own.key, { mode: 0o600 });
    return harness;
  }

  /** A machine that does not run yet. */
  node(): Node {
    const n = this.#next++;
    const address = `${this.#net}.${n}`;
    const client = this.clientOf(address, this.tls);
    const node: Node = { name: `cp-${n}`, address, client, running: undefined };
    this.nodes.push(node);
    return node;
  }

  clientOf(address: string, tls = this.tls, timeoutMs = 12_000): EtcdClient {
    return createEtcdClient({ endpoint: `https://${address}:2379`, tls, timeoutMs });
  }

  peerURL(node: Node): string {
    return `https://${node.address}:2380`;
  }

  spec(node: Node, cluster: readonly Node[], state: 'new' | 'existing', restart = false): EtcdSpec {
    return {
      name: node.name,
      dataDir: path.join(this.dir, node.name),
      listen: node.address,
      advertise: node.address,
      initialCluster: cluster.map((one) => ({ name: one.name, peerURL: this.peerURL(one) })),
      initialClusterState: state,
      initialClusterToken: this.token,
      server: this.files,
      peer: this.files,
      log: path.join(this.dir, `${node.name}.log`),
      restart,
    };
  }

  async start(node: Node, cluster: readonly Node[], state: 'new' | 'existing', restart = false): Promise<void> {
    node.running = await this.#part.start(this.spec(node, cluster, state, restart));
  }

  async kill(node: Node): Promise<void> {
    await node.running?.kill();
    node.running = undefined;
  }

  /** Three members, started at once, with a leader. */
  async cluster(): Promise<readonly [Node, Node, Node]> {
    const nodes = [this.node(), this.node(), this.node()] as const;
    await Promise.all(nodes.map((node) => this.start(node, nodes, 'new')));
    await Promise.all(nodes.map((node) => this.leader(node)));
    return nodes;
  }

  /** The node that leads, as `from` sees it; waits until there is one that runs. */
  async leader(from: Node): Promise<Node> {
    const id = await eventually(
      10_000,
      async () => (await from.client.status()).leader,
      (leader) => leader !== 0n,
    );
    for (const node of this.nodes) {
      if (node.running === undefined) continue;
      if ((await node.client.status()).memberId === id) return node;
    }
    throw new Error(`leader ${id} is none of the members that run`);
  }

  async idOf(node: Node): Promise<bigint> {
    return (await node.client.status()).memberId;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) {
      node.client.close();
      await this.kill(node);
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}
