import { readFile } from 'node:fs/promises';
import { createWorldFaults, type WorldFaults } from '../../lab/faults/world.ts';
import { createEtcdClient } from '../../lab/kubernetes/etcd/client.ts';
import type { EtcdClient } from '../../lab/kubernetes/etcd/types.ts';
import { fromTalosPair } from '../../lab/pki/keys.ts';
import { issue } from '../../lab/pki/pki.ts';
import { type SmallWorld, startSmallWorld, type WorldNode } from '../../lab/talos/testing/small-world.ts';
import { ask, type Sight } from '../../lab/world/incidents/probe.ts';
import { systemClock } from '../../src/base/clock.ts';

export interface SickWorld {
  readonly world: SmallWorld;
  readonly faults: WorldFaults;
  readonly ip: string;
  /** `https://ADDRESS:6443/PATH`, as the cluster's admin, verified against its CA. */
  kube(address: string, path?: string, timeoutMs?: number): Promise<Sight>;
  node(name: string): WorldNode;
  /** Names of those who have the floating IP on a link. */
  claimants(): string[];
  etcd<T>(name: string, work: (client: EtcdClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Three control planes with a floating IP that Talos' own operator moves: real sockets, built-in parts. */
export async function sickWorld(names: readonly string[] = ['cp-1', 'cp-2', 'cp-3']): Promise<SickWorld> {
  const world = await startSmallWorld({ speed: 20 });
  const made = await fetch(`${world.cloud.url}/floating_ips`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'ipv4', home_location: 'fsn1', name: 'api' }),
  });
  const { ip } = ((await made.json()) as { floating_ip: { ip: string } }).floating_ip;
  const vip = `---\napiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: ${ip}\nlink: enp1s0\napiToken: ${world.token}\n`;
  const planes = await world.found(names);
  await Promise.all(planes.map((node) => world.ready(node)));
  for (const { node } of planes) {
    const text = world.config('control-plane', vip);
    await node.inside.uptime?.inside.apply({ text, mode: 'no-reboot', dryRun: false, tryTimeoutMs: 0 });
  }
  const faults = createWorldFaults({
    clock: systemClock,
    fabric: world.fabric,
    tokens: { fairlead: world.token, node: world.token, 'read-only': '' },
    cloud: () => world.cloud,
    hosts: () => world.nodes.map(({ host }) => host),
    patients: () => world.nodes.map(({ server, node, host }) => ({ name: server.name, node, host })),
  });
  const authority = fromTalosPair(world.secrets.certs.k8s);
  const now = Date.now();
  const admin = await issue(authority, {
    commonName: 'admin',
    organizations: ['system:masters'],
    usages: ['clientAuth'],
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + 3_600_000),
  });
  const node = (name: string): WorldNode => {
    const found = world.nodes.find(({ server }) => server.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };
  return {
    world,
    faults,
    ip,
    node,
    kube: (address, path = '/readyz', timeoutMs = 700) =>
      ask({ url: `https://${address}:6443${path}`, ca: authority.cert, ...admin, timeoutMs }),
    claimants: () =>
      world.nodes.filter(({ node: each }) => each.info().claims.includes(ip)).map(({ server }) => server.name),
    async etcd(name, work) {
      const files = node(name).node.info().etcd;
      if (files === undefined) throw new Error(`${name} has no etcd`);
      const [ca = '', cert = '', key = ''] = await Promise.all(
        [files.ca, files.cert, files.key].map((file) => readFile(file, 'utf8')),
      );
      const client = createEtcdClient({ endpoint: files.endpoint, tls: { ca, cert, key }, timeoutMs: 1_000 });
      try {
        return await work(client);
      } finally {
        client.close();
      }
    },
    async close() {
      faults.registry.close();
      await world.close();
    },
  };
}
