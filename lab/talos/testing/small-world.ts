import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient, type Client } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { systemClock } from '../../../src/base/clock.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { State } from '../../../src/generated/cosi/state_pb.ts';
import { MachineService } from '../../../src/generated/machine/machine_pb.ts';
import { startCloud } from '../../cloud/cloud.ts';
import type { Cloud, CloudServer } from '../../cloud/types.ts';
import { startLoopback } from '../../fabric/loopback.ts';
import type { Fabric, FabricHost } from '../../fabric/types.ts';
import { builtInApiServer } from '../../kubernetes/api-server/built-in.ts';
import { builtInEtcd } from '../../kubernetes/etcd/built-in/part.ts';
import { findEtcd } from '../../kubernetes/etcd/find.ts';
import { realEtcd } from '../../kubernetes/etcd/real.ts';
import type { ApiServerPart, Parts } from '../../kubernetes/types.ts';
import { fromTalosPair, fromBase64 } from '../../pki/keys.ts';
import { issue } from '../../pki/pki.ts';
import { baseConfig } from '../../provisioner/base-config.ts';
import { createSecrets } from '../../provisioner/secrets.ts';
import { DEFAULT_KUBERNETES, type Secrets } from '../../provisioner/types.ts';
import { createAudit, type Audit } from '../../world/audit.ts';
import { createNode } from '../node.ts';
import type { EtcdStart, LabNode, Peer, TalosVersion } from '../types.ts';

export interface TalosCalls {
  readonly machine: Client<typeof MachineService>;
  readonly state: Client<typeof State>;
  close(): void;
}

export interface WorldNode {
  readonly server: CloudServer;
  readonly host: FabricHost;
  readonly node: LabNode;
  readonly log: string[];
}

export interface SmallWorld {
  readonly cloud: Cloud;
  readonly fabric: Fabric;
  readonly audit: Audit;
  readonly secrets: Secrets;
  readonly nodes: WorldNode[];
  readonly token: string;
  /** Machine config of a role, with extra documents. */
  config(role: 'control-plane' | 'worker', more?: string): string;
  add(
    name: string,
    role: 'control-plane' | 'worker',
    etcd: EtcdStart | 'founding',
    config?: string,
  ): Promise<WorldNode>;
  /** Several control planes that found the cluster together. */
  found(names: readonly string[], config?: string): Promise<WorldNode[]>;
  call(node: WorldNode, roles?: readonly string[]): Promise<TalosCalls>;
  ready(node: WorldNode, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** Cloud, fabric and Talos nodes for tests of the nodes: as the lab's world wires them, with nothing around it. */
export async function startSmallWorld(options: {
  readonly version?: TalosVersion;
  readonly speed?: number;
  readonly etcd?: 'built-in' | 'real';
  readonly kubeApiserver?: ApiServerPart;
}): Promise<SmallWorld> {
  const version = options.version ?? 'v1.13.9';
  const dir = await mkdtemp(path.join(tmpdir(), 'fairlead-node-'));
  const [clock, random] = [systemClock, systemRandom];
  const fabric = await startLoopback({ random, clock });
  const audit = createAudit(undefined, () => new Date());
  const secrets = await createSecrets({ clock });
  const found = options.etcd === 'real' ? await findEtcd(process.env) : undefined;
  const parts: Parts = {
    etcd: found === undefined ? builtInEtcd({ clock, random }) : realEtcd(found.path, found.version),
    kubeApiserver: options.kubeApiserver ?? builtInApiServer({ clock, random }),
  };
  const nodes: WorldNode[] = [];
  const token = 'a'.repeat(64);
  const hostOf = (id: number): FabricHost | undefined => nodes.find((node) => node.server.id === id)?.host;
  const nothing = async (): Promise<void> => {};
  const cloud = await startCloud({
    address: fabric.allocate('service'),
    port: 8080,
    clock,
    random,
    speed: options.speed ?? 20,
    era: 'from-2026-10',
    tokens: { readWrite: [token], readOnly: [] },
    audit,
    effects: {
      allocate: (purpose) => fabric.allocate(purpose),
      serverCreated: nothing,
      serverDeleted: nothing,
      powerOn: nothing,
      powerOff: nothing,
      shutdown: nothing,
      reboot: nothing,
      reset: nothing,
      routed: (floatingIP, server) => fabric.route(floatingIP.ip, server === undefined ? undefined : hostOf(server.id)),
    },
    network: { name: 'private', ipRange: '10.0.0.0/16' },
  });
  const cluster = { name: 'harbour', talosVersion: version, kubernetesVersion: DEFAULT_KUBERNETES[version] };
  let endpoint = '';

  const peersOf = (own: WorldNode): Peer[] =>
    nodes
      .filter((other) => other !== own && other.node.info().stage === 'running')
      .map(({ server, node }) => ({
        name: server.name,
        role: node.role,
        addresses: [server.publicIPv4, server.privateIPv4, ...node.info().claims],
        privateIPv4: server.privateIPv4,
        apiPort: node.info().apiPort,
      }));

  const place = async (name: string, role: 'control-plane' | 'worker'): Promise<WorldNode> => {
    const server = cloud.addServer({ name, labels: { role }, userData: '' });
    if (endpoint === '') endpoint = `https://${server.publicIPv4}:6443`;
    const host = fabric.addHost(name);
    const log: string[] = [];
    const links = [
      ['enp1s0', '0000:01:00.0', server.publicIPv4, '96:00:00:00:00:01'],
      ['enp7s0', '0000:07:00.0', server.privateIPv4, '86:00:00:00:00:01'],
    ] as const;
    const node = createNode(
      {
        hostname: name,
        serverId: server.id,
        publicIPv4: server.publicIPv4,
        privateIPv4: server.privateIPv4,
        location: server.location,
        links: links.map(([link, busPath, address, hardwareAddr]) => ({
          name: link,
          busPath,
          driver: 'virtio_net',
          hardwareAddr,
          address,
        })),
      },
      role,
      {
        clock,
        random,
        speed: options.speed ?? 20,
        version,
        host,
        parts,
        audit,
        cloudUrl: cloud.url,
        peers: () => peersOf(entry),
        dir: path.join(dir, `${name}-${server.id}`),
        log: (line) => log.push(line),
      },
    );
    const entry: WorldNode = { server, host, node, log };
    nodes.push(entry);
    for (const address of [server.publicIPv4, server.privateIPv4]) {
      await host.claim(address);
      await fabric.route(address, host);
    }
    return entry;
  };

  const world: SmallWorld = {
    cloud,
    fabric,
    audit,
    secrets,
    nodes,
    token,
    config(role, more = '') {
      const base = baseConfig(secrets, { ...cluster, endpoint }, role);
      // The host name comes from the server, as the lab's provisioner has it.
      return base.replace('auto: stable', 'auto: "off"') + more;
    },
    async add(name, role, etcd, config) {
      const entry = await place(name, role);
      const members = [{ name, privateIPv4: entry.server.privateIPv4 }];
      const start: EtcdStart = etcd === 'founding' ? { kind: 'founding', members } : etcd;
      await entry.node.boot(config ?? world.config(role), start);
      return entry;
    },
    async found(names, config) {
      const entries: WorldNode[] = [];
      for (const name of names) entries.push(await place(name, 'control-plane'));
      const members = entries.map(({ server }) => ({ name: server.name, privateIPv4: server.privateIPv4 }));
      await Promise.all(
        entries.map((entry) => entry.node.boot(config ?? world.config('control-plane'), { kind: 'founding', members })),
      );
      return entries;
    },
    async call(node, roles = ['os:admin']) {
      const now = Date.now();
      const pair = await issue(fromTalosPair(secrets.certs.os), {
        commonName: '',
        organizations: roles,
        usages: ['clientAuth'],
        notBefore: new Date(now - 10_000),
        notAfter: new Date(now + 3_600_000),
      });
      const baseUrl = `https://${node.server.publicIPv4}:50000`;
      const sessionManager = new Http2SessionManager(baseUrl, {}, { ...pair, ca: fromBase64(secrets.certs.os.crt) });
      const transport = createGrpcTransport({ baseUrl, sessionManager });
      return {
        machine: createClient(MachineService, transport),
        state: createClient(State, transport),
        close: () => sessionManager.abort(),
      };
    },
    async ready(entry, timeoutMs = 20_000) {
      const reached = await waitFor(clock, { everyMs: 20, timeoutMs }, async () =>
        entry.node.info().ready ? true : undefined,
      );
      if (reached === undefined) {
        throw new Error(`${entry.server.name} is ${entry.node.info().stage}\n${entry.log.join('\n')}`);
      }
    },
    async close() {
      await Promise.all(nodes.map(({ node }) => node.destroy()));
      await cloud.close();
      await fabric.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return world;
}
