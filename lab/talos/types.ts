import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import type { FabricHost } from '../fabric/types.ts';
import type { Parts } from '../kubernetes/types.ts';
import type { Audit } from '../world/audit.ts';
import type { Uptime } from './life/uptime.ts';
import type { Machine } from './machine.ts';
import type { KeptNode } from './life/kept.ts';
import type { TalosKnobs } from './timings.ts';

export type TalosVersion = 'v1.11.6' | 'v1.12.11' | 'v1.13.9' | 'v1.14.0-rc.1';

/** A network interface of a machine. */
export interface LinkFact {
  readonly name: string;
  readonly busPath: string;
  readonly driver: string;
  readonly hardwareAddr: string;
  /** The address its DHCP gives it. */
  readonly address: string;
}

/** What the machine is, before any config: from the cloud and from the hardware. */
export interface MachineFacts {
  readonly hostname: string;
  readonly serverId: number;
  readonly publicIPv4: string;
  readonly privateIPv4: string;
  /** The platform's static address, out of a /64; absent where the network carries no IPv6. */
  readonly publicIPv6?: string;
  readonly links: readonly LinkFact[];
  readonly location: string;
}

/** Another machine of the same cluster, as Talos' discovery knows it. */
export interface Peer {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  /** Addresses it announces: public, private, and a VIP while it holds one. */
  readonly addresses: readonly string[];
  readonly privateIPv4: string;
  /** Of a control plane: where its API server serves, which discovery tells. */
  readonly apiPort: number;
}

export interface NodePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Divides Talos' lease, polls and boot times (design §6). */
  readonly speed: number;
  /** Talos' figures at speed 1, where they are not the usual ones. */
  readonly knobs?: TalosKnobs;
  readonly version: TalosVersion;
  readonly host: FabricHost;
  readonly parts: Parts;
  readonly audit: Audit;
  /** http://…/v1 of the cloud, for the VIP operator. */
  readonly cloudUrl: string;
  /** http://… where http://169.254.169.254 would be. Absent: the node knows its server's id from its facts alone. */
  readonly metadataUrl?: string;
  /** Machines of the same cluster that are up now, this one excluded. */
  readonly peers: () => readonly Peer[];
  /** Folder for keys, data and logs of this machine's disk. */
  readonly dir: string;
  /** One line a thing that happened, for the node's log. */
  readonly log: (line: string) => void;
}

export type NodeStage =
  | 'booting'
  | 'maintenance'
  | 'running'
  | 'rebooting'
  | 'shutting-down'
  | 'resetting'
  | 'upgrading'
  | 'off'
  | 'gone';

export interface NodeInfo {
  readonly stage: NodeStage;
  readonly ready: boolean;
  /** Its kernel hangs: silent, and not without power. */
  readonly hung?: true;
  readonly talosVersion: TalosVersion;
  /** Kubernetes version that the machine config names. */
  readonly configuredKubernetes: string;
  readonly etcd?: {
    readonly endpoint: string;
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly backing: string;
    readonly pid?: number;
    readonly memberId?: string;
  };
  readonly kubeApiserver?: { readonly backing: string; readonly version: string; readonly pid?: number };
  /** Where the API servers of its cluster serve, as its config says: 6443 unless told otherwise. */
  readonly apiPort: number;
  readonly log: string;
  /** `cluster.id` of the active config: machines of another cluster do not know this one. */
  readonly cluster?: string;
  /** The cluster endpoint in the active config, verbatim; undefined before there is one. */
  readonly endpoint?: string;
  /** Addresses it has on a link beyond its own. */
  readonly claims: readonly string[];
}

/** How a control plane's etcd comes to be when the machine first boots. */
export type EtcdStart =
  /** The members that existed when the story begins start together. */
  | { readonly kind: 'founding'; readonly members: readonly { readonly name: string; readonly privateIPv4: string }[] }
  /** Joins the running cluster as Talos does: learner, then promoted. */
  | { readonly kind: 'join' };

export interface LabNode {
  readonly facts: MachineFacts;
  /** What its config makes of it. */
  readonly role: 'control-plane' | 'worker';
  /**
   * First boot, with the config the machine was given. Resolves when the Talos API listens; readiness comes later. Without
   * a config that it can use the machine waits in maintenance.
   */
  boot(config: string, etcd: EtcdStart): Promise<void>;
  /** The cord is pulled: processes die, memory is lost, the disk stays. The fabric is set `off` by the node. */
  powerOff(): Promise<void>;
  /** Boots again from its disk (the persistent config). */
  powerOn(): Promise<void>;
  /** Orderly: VIP handed over, pods and etcd stopped. Resolves when off. */
  shutdown(): Promise<void>;
  reboot(): Promise<void>;
  /** The machine is no more: everything it ran is ended, its folder is removed. */
  destroy(): Promise<void>;
  info(): NodeInfo;
  /** What its disk does not hold; undefined while it is on its way from one stage to another. */
  keep(): KeptNode | undefined;
  /** In a world that was kept, with its disk in place: goes on from where it was, without the time of a boot. */
  resume(kept: KeptNode): Promise<void>;
  /** For the lab's faults, which lay hands on a machine from inside. */
  readonly inside: NodeInside;
}

export interface NodeInside {
  readonly machine: Machine;
  /** undefined while it is down. */
  readonly uptime: Uptime | undefined;
}
