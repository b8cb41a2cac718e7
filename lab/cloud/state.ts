import { pickInteger, type Random } from '../../src/base/random.ts';
import type { Image, Location, ServerType } from './catalogue.ts';
import type { CloudFloatingIP, CloudServer } from './types.ts';

export interface Server {
  readonly id: number;
  name: string;
  status: CloudServer['status'];
  readonly created: Date;
  readonly publicIPv4: string;
  readonly privateIPv4: string;
  /** The Primary IP that carries the public address. */
  readonly primaryIP: number;
  dnsPtr: string | null;
  /** Set while it is attached to the project's network. */
  attached: { aliasIPs: readonly string[] } | undefined;
  readonly type: ServerType;
  readonly image: Image;
  readonly location: Location;
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean; rebuild: boolean };
  readonly userData: string;
}

export interface FloatingIP {
  readonly id: number;
  name: string;
  description: string;
  readonly ip: string;
  server: number | null;
  dnsPtr: string | null;
  readonly home: Location;
  readonly created: Date;
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean };
}

export type ResourceType = 'server' | 'floating_ip' | 'network';
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
  readonly name: string;
  readonly fingerprint: string;
  readonly publicKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly created: Date;
}

export interface Network {
  readonly id: number;
  readonly name: string;
  readonly ipRange: string;
  readonly created: Date;
}

/** All that one cloud project holds. Actions are never dropped: old clients poll for ever for one that is missing. */
export interface Project {
  readonly servers: Map<number, Server>;
  readonly floatingIPs: Map<number, FloatingIP>;
  readonly actions: Map<number, Action>;
  readonly sshKeys: Map<number, SSHKey>;
  readonly network: Network;
  /** Ids grow, are never given twice, and start somewhere else in each lab. */
  nextId(): number;
}

export function createProject(random: Random, network: { name: string; ipRange: string }, now: Date): Project {
  let last = pickInteger(random, 10_000_000, 90_000_000);
  const nextId = (): number => (last += pickInteger(random, 1, 8));
  return {
    servers: new Map(),
    floatingIPs: new Map(),
    actions: new Map(),
    sshKeys: new Map(),
    network: { id: nextId(), name: network.name, ipRange: network.ipRange, created: now },
    nextId,
  };
}

export const floatingIPsOf = (project: Project, server: number): FloatingIP[] =>
  [...project.floatingIPs.values()].filter((fip) => fip.server === server);

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
