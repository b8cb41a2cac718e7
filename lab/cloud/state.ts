import { pickInteger, type Random } from '../../src/base/random.ts';
import { type ActionLog, createActionLog } from './action-log.ts';
import type { Firewall } from './access/firewall-state.ts';
import type { Certificate } from './access/certificate-state.ts';
import type { LoadBalancer } from './balancers/state.ts';
import type { Image, ISO, Location, ServerType } from './catalogue.ts';
import type { OwnImage } from './image-state.ts';
import type { Network } from './networking/network-state.ts';
import type { PrimaryIP } from './networking/primary-ip-state.ts';
import type { CloudFloatingIP, CloudOptions, CloudServer } from './types.ts';
import type { Zone } from './zones/state.ts';

/** A server's place in one network. */
export interface Attachment {
  readonly ip: string;
  readonly aliasIPs: readonly string[];
}

export interface Server {
  readonly id: number;
  name: string;
  status: CloudServer['status'];
  readonly created: Date;
  /** Its Primary IP's; empty where it has none. */
  publicIPv4: string;
  /** The machine's own address in the project's first network, from its first day. */
  readonly privateIPv4: string;
  /** By the network's id, in the order they were attached. */
  readonly networks: Map<number, Attachment>;
  type: ServerType;
  image: Image;
  iso: ISO | null;
  readonly location: Location;
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean; rebuild: boolean };
  userData: string;
  placementGroup: number | null;
  /** `enabled`: it boots the rescue system the next time; `booted`: that is what runs. */
  rescue: 'none' | 'enabled' | 'booted';
  /** Hours of the day (UTC) in which backups would be made; null = none are. */
  backupWindow: string | null;
}

export interface FloatingIP {
  readonly id: number;
  name: string;
  description: string;
  readonly type: 'ipv4' | 'ipv6';
  /** An IPv6 one is a /64 in CIDR form. */
  readonly ip: string;
  server: number | null;
  /** Names given to addresses; an IPv4 one without has Hetzner's own. */
  readonly dnsPtr: Map<string, string>;
  readonly home: Location;
  readonly created: Date;
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean };
}

export type ResourceType =
  | 'server'
  | 'floating_ip'
  | 'network'
  | 'primary_ip'
  | 'load_balancer'
  | 'firewall'
  | 'certificate'
  | 'zone'
  | 'image';
export interface Resource {
  readonly id: number;
  readonly type: ResourceType;
}

export interface Action {
  readonly id: number;
  readonly command: string;
  status: 'running' | 'success' | 'error';
  progress: number;
  readonly started: Date;
  finished: Date | null;
  readonly resources: readonly Resource[];
  error: { readonly code: string; readonly message: string } | null;
}

export interface SSHKey {
  readonly id: number;
  name: string;
  readonly fingerprint: string;
  readonly publicKey: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
}

export interface PlacementGroup {
  readonly id: number;
  name: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
}

/** All that one cloud project holds. Actions are never dropped: old clients poll for ever for one that is missing. */
export interface Project {
  readonly servers: Map<number, Server>;
  readonly floatingIPs: Map<number, FloatingIP>;
  readonly primaryIPs: Map<number, PrimaryIP>;
  readonly networks: Map<number, Network>;
  readonly loadBalancers: Map<number, LoadBalancer>;
  readonly firewalls: Map<number, Firewall>;
  readonly certificates: Map<number, Certificate>;
  readonly placementGroups: Map<number, PlacementGroup>;
  readonly sshKeys: Map<number, SSHKey>;
  readonly images: Map<number, OwnImage>;
  readonly zones: Map<number, Zone>;
  readonly actions: ActionLog;
  /** The network that the lab's fabric carries; the only one there is when the project begins. */
  readonly firstNetwork: number;
  /** Ids grow, are never given twice, and start somewhere else in each lab. */
  nextId(): number;
  /** An IPv6 /64 of the documentation range, as `2001:db8:x:y`: the prefix without `::`. Never given twice. */
  nextPrefix(): string;
  /** The last of both that were given; sets them where they are named. */
  counters(set?: Counters): Counters;
}

export interface Counters {
  readonly id: number;
  readonly prefix: number;
}

/** `firstNetwork`: the id of a first network that `takeUp` will bring. */
export function createProject(
  random: Random,
  network: CloudOptions['network'],
  now: Date,
  firstNetwork?: number,
): Project {
  let last = pickInteger(random, 10_000_000, 90_000_000);
  const nextId = (): number => (last += pickInteger(random, 1, 8));
  let prefix = pickInteger(random, 0x10_00_00, 0xf0_00_00_00);
  const first: Network = {
    id: nextId(),
    name: network.name,
    ipRange: network.ipRange,
    created: now,
    subnets: [{ type: 'cloud', ipRange: network.subnet ?? network.ipRange, networkZone: 'eu-central', vswitch: null }],
    routes: [],
    labels: {},
    protection: { delete: false },
    exposeRoutesToVSwitch: false,
  };
  return {
    servers: new Map(),
    floatingIPs: new Map(),
    primaryIPs: new Map(),
    networks: new Map([[first.id, first]]),
    loadBalancers: new Map(),
    firewalls: new Map(),
    certificates: new Map(),
    placementGroups: new Map(),
    sshKeys: new Map(),
    images: new Map(),
    zones: new Map(),
    actions: createActionLog(),
    firstNetwork: firstNetwork ?? first.id,
    nextId,
    nextPrefix: () => {
      prefix += 1;
      return `2001:db8:${(prefix >>> 16).toString(16)}:${(prefix & 0xffff).toString(16)}`;
    },
    counters(set) {
      if (set !== undefined) [last, prefix] = [set.id, set.prefix];
      return { id: last, prefix };
    },
  };
}

export const floatingIPsOf = (project: Project, server: number): FloatingIP[] =>
  [...project.floatingIPs.values()].filter((fip) => fip.server === server);

/** The Primary IP of a family that a server or balancer has. */
export const primaryIPOf = (
  project: Project,
  holder: { readonly type: 'server' | 'load_balancer'; readonly id: number },
  family: 'ipv4' | 'ipv6',
): PrimaryIP | undefined =>
  [...project.primaryIPs.values()].find(
    (ip) => ip.type === family && ip.assignee?.type === holder.type && ip.assignee.id === holder.id,
  );

export const asCloudServer = (server: Server): CloudServer => ({
  id: server.id,
  name: server.name,
  status: server.status,
  publicIPv4: server.publicIPv4,
  privateIPv4: server.privateIPv4,
  labels: server.labels,
  userData: server.userData,
  location: server.location.name,
});

export const asCloudFloatingIP = ({ id, name, ip, server }: FloatingIP): CloudFloatingIP => ({ id, name, ip, server });
