import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { textOf } from '../../src/base/failure.ts';
import type { Random } from '../../src/base/random.ts';
import type { CloudServer } from '../cloud/types.ts';
import { carries, hostAddress, prefixOf } from '../fabric/ipv6.ts';
import { METADATA_PORT } from '../fabric/ports.ts';
import type { Fabric, FabricHost } from '../fabric/types.ts';
import type { Parts } from '../kubernetes/types.ts';
import { startMetadata } from '../metadata/server.ts';
import type { MetadataFacts, MetadataService } from '../metadata/types.ts';
import { createNode } from '../talos/node.ts';
import { readMetadata } from '../talos/platform.ts';
import type { TalosKnobs } from '../talos/timings.ts';
import type { EtcdStart, LabNode, MachineFacts, Peer, TalosVersion } from '../talos/types.ts';
import type { Audit } from './audit.ts';

export interface MachinePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly speed: number;
  readonly version: TalosVersion;
  readonly knobs?: TalosKnobs;
  readonly fabric: Fabric;
  readonly parts: Parts;
  readonly audit: Audit;
  /** What the cloud says of a server now, for its metadata; undefined once it is gone. */
  readonly cloudFacts: (id: number) => Pick<MetadataFacts, 'publicIPv4' | 'publicIPv6' | 'privateNetworks'> | undefined;
  readonly cloudUrl: () => string;
  /** Folder of the machines' disks, one folder each. */
  readonly dir: string;
}

/** A server of the cloud with the Talos node that runs on it. */
export interface Machine {
  readonly server: CloudServer;
  readonly host: FabricHost;
  /** Its IPv6 address, where it has one and the fabric carries it; else empty. */
  readonly publicIPv6: string;
  readonly node: LabNode;
  readonly metadata: MetadataService;
}

/** What a machine was that is no more, so that it can be made again. */
export interface GoneMachine {
  readonly role: 'control-plane' | 'worker';
  readonly labels: Readonly<Record<string, string>>;
  readonly location: string;
}

export interface Machines {
  readonly all: () => readonly Machine[];
  /** Those that were deleted, by whomever, and whose name nobody has since. */
  readonly gone: Map<string, GoneMachine>;
  byServer(id: number): Machine | undefined;
  byName(name: string): Machine | undefined;
  /** Puts a machine into the world: its addresses lead to it. It does not boot yet. */
  add(server: CloudServer): Promise<Machine>;
  boot(machine: Machine, etcd: EtcdStart): Promise<void>;
  /** The machine is no more; its addresses lead nowhere, for good. */
  remove(id: number): Promise<void>;
  close(): Promise<void>;
}

/** Real processes, which dial from addresses of the kernel's choice, and the machines they belong to. */
export const dialersOf = (machines: Machines): { pid: number; party: string }[] =>
  machines.all().flatMap((machine) => {
    const { etcd, kubeApiserver } = machine.node.info();
    return [etcd?.pid, kubeApiserver?.pid].flatMap((pid) =>
      pid === undefined ? [] : [{ pid, party: machine.server.name }],
    );
  });

export const ROLE_LABEL = 'role';

const roleOf = (server: CloudServer): 'control-plane' | 'worker' =>
  server.labels[ROLE_LABEL] === 'control-plane' ? 'control-plane' : 'worker';

export function createMachines(ports: MachinePorts): Machines {
  const machines = new Map<number, Machine>();
  const logs = new Map<number, WriteStream>();
  const gone = new Map<string, GoneMachine>();

  /** What discovery tells a machine: the others of its own cluster. */
  const peersOf = (id: number): readonly Peer[] => {
    const cluster = machines.get(id)?.node.info().cluster;
    return [...machines.values()]
      .map((m) => ({ ...m, info: m.node.info() }))
      .filter((m) => m.server.id !== id && m.info.stage === 'running' && m.info.cluster === cluster)
      .map((m) => ({
        name: m.server.name,
        role: m.node.role,
        addresses: [
          m.server.publicIPv4,
          m.server.privateIPv4,
          ...[m.publicIPv6].filter((address) => address !== ''),
          ...m.info.claims,
        ],
        privateIPv4: m.server.privateIPv4,
        apiPort: m.node.info().apiPort,
      }));
  };

  return {
    all: () => [...machines.values()],
    gone,
    byServer: (id) => machines.get(id),
    byName: (name) => [...machines.values()].find((m) => m.server.name === name),

    async add(server) {
      // The folder carries the id: a recreated machine of the same name has a disk of its own.
      const dir = path.join(ports.dir, `${server.name}-${server.id}`);
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const log = createWriteStream(path.join(dir, 'node.log'), { flags: 'a' });
      logs.set(server.id, log);
      const host = ports.fabric.addHost(server.name);
      const prefix = ports.cloudFacts(server.id)?.publicIPv6 ?? '';
      const publicIPv6 = prefix !== '' && carries(ports.fabric, prefix) ? hostAddress(prefix) : '';
      const metadata = await startMetadata({
        address: host.hidden,
        port: METADATA_PORT,
        clock: ports.clock,
        audit: ports.audit,
        facts: () => metadataOf(server, ports.fabric, ports.cloudFacts(server.id)),
      });
      const node = createNode(factsOf(server, publicIPv6, ports.knobs?.linkNames ?? 'predictable'), roleOf(server), {
        clock: ports.clock,
        random: ports.random,
        speed: ports.speed,
        version: ports.version,
        ...(ports.knobs === undefined ? {} : { knobs: ports.knobs }),
        host,
        parts: ports.parts,
        audit: ports.audit,
        cloudUrl: ports.cloudUrl(),
        metadataUrl: metadata.url,
        peers: () => peersOf(server.id),
        dir,
        log: (line) => log.write(`${ports.clock.wall().toISOString()} ${line}\n`),
      });
      const machine = { server, host, publicIPv6, node, metadata };
      machines.set(server.id, machine);
      gone.delete(server.name);
      const addresses = addressesOf(machine);
      await Promise.all(addresses.map((address) => host.claim(address)));
      await Promise.all(addresses.map((address) => ports.fabric.route(prefixOf(address), host)));
      return machine;
    },

    async boot(machine, etcd) {
      try {
        await machine.node.boot(await readUserData(machine), etcd);
      } catch (error) {
        logs.get(machine.server.id)?.write(`${ports.clock.wall().toISOString()} boot failed: ${textOf(error)}\n`);
        throw error;
      }
    },

    async remove(id) {
      const machine = machines.get(id);
      if (machine === undefined) return;
      machines.delete(id);
      const { server } = machine;
      gone.set(server.name, { role: machine.node.role, labels: server.labels, location: server.location });
      for (const address of addressesOf(machine).map(prefixOf)) {
        if (ports.fabric.routed(address) === machine.host) await ports.fabric.route(address, undefined);
      }
      await machine.node.destroy();
      await machine.metadata.close();
      logs.get(id)?.end();
      logs.delete(id);
    },

    async close() {
      const all = [...machines.values()];
      machines.clear();
      await Promise.all(all.map((m) => m.node.destroy().then(() => m.metadata.close())));
      for (const log of logs.values()) log.end();
    },
  };
}

/**
 * The hardware of a Hetzner cx server: the public NIC in slot 01, the private one in slot 07. Named as Hetzner's Talos ISO
 * boots (where the name `eth0`, which guides use, matches nothing), or as Talos' own image for the cloud does.
 */
function factsOf(server: CloudServer, publicIPv6: string, names: TalosKnobs['linkNames']): MachineFacts {
  const [first, second] = names === 'kernel' ? ['eth0', 'eth1'] : ['enp1s0', 'enp7s0'];
  const mac = (prefix: string): string => {
    const hex = server.id.toString(16).padStart(8, '0').slice(-6);
    return `${prefix}:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}`;
  };
  return {
    hostname: server.name,
    serverId: server.id,
    publicIPv4: server.publicIPv4,
    privateIPv4: server.privateIPv4,
    ...(publicIPv6 === '' ? {} : { publicIPv6 }),
    location: server.location,
    links: [
      {
        name: first ?? '',
        busPath: '0000:01:00.0',
        driver: 'virtio_net',
        hardwareAddr: mac('96:00:00'),
        address: server.publicIPv4,
      },
      {
        name: second ?? '',
        busPath: '0000:07:00.0',
        driver: 'virtio_net',
        hardwareAddr: mac('86:00:00'),
        address: server.privateIPv4,
      },
    ],
  };
}

/** Those it has: a server may be without a public address, or without a network. */
const addressesOf = ({ server, publicIPv6 }: Pick<Machine, 'server' | 'publicIPv6'>): string[] =>
  [server.publicIPv4, server.privateIPv4, publicIPv6].filter((address) => address !== '');

/** As Talos does on its first boot: what is not there is an empty config, and the machine waits in maintenance. */
const readUserData = async ({ metadata, server }: Machine): Promise<string> =>
  (await readMetadata(metadata.url, 'userdata', `Talos node/${server.name}`)) ?? '';

/** The cloud's view of a server. Floating IPs never appear in it. */
const metadataOf = (
  server: CloudServer,
  fabric: Fabric,
  now: ReturnType<MachinePorts['cloudFacts']>,
): MetadataFacts => ({
  serverId: server.id,
  hostname: server.name,
  publicIPv4: now?.publicIPv4 ?? '',
  publicIPv6: now !== undefined && carries(fabric, now.publicIPv6) ? now.publicIPv6 : '',
  location: server.location,
  publicMac: factsOf(server, '', 'predictable').links[0]?.hardwareAddr ?? '',
  privateNetworks: now?.privateNetworks ?? [],
  userData: server.userData,
});
