import type { KnobSettings } from '../knobs/knobs.ts';
import type { NodeStage } from '../talos/types.ts';

/** What `fairlead lab info --output json` prints (its shape is fixed: scripts rely on it). */
export interface LabInfo {
  readonly apiVersion: 'fairlead/v1alpha1';
  readonly kind: 'Lab';
  readonly name: string;
  readonly fabric: 'loopback' | 'netns';
  readonly speed: number;
  /** Folder of everything the lab has on disk. */
  readonly state: string;
  readonly pid: number;
  readonly hetzner: {
    readonly endpoint: string;
    readonly token: string;
    readonly nodeToken: string;
    readonly readOnlyToken: string;
    readonly era: string;
  };
  /** The name server of the project's zones, over UDP and TCP. */
  readonly dns: { readonly address: string; readonly port: number };
  /** null = this lab has none yet (see `limits`). */
  readonly github: null;
  readonly files: {
    readonly config: string;
    readonly kubeconfig: string;
    readonly talosconfig: string;
    readonly provisioner: string;
  };
  /** What the machine configs of the control planes say now; of the first one that is up. */
  readonly endpoint: string;
  readonly floatingIPs: readonly FloatingIPInfo[];
  /** As they work, not as the API shows them. */
  readonly loadBalancers: readonly LoadBalancerInfo[];
  readonly nodes: readonly LabNodeInfo[];
  readonly limits: readonly string[];
}

export interface FloatingIPInfo {
  readonly id: number;
  readonly ip: string;
  /** What the cloud's record says. */
  readonly assignedTo: string | null;
  /** Where packets are led. */
  readonly routedTo: string | null;
  /** Which nodes have it on a link. */
  readonly claimedBy: readonly string[];
}

export interface LoadBalancerInfo {
  readonly id: number;
  readonly name: string;
  /** What leads to it now: public, private. */
  readonly addresses: readonly string[];
  readonly services: readonly {
    readonly port: number;
    readonly listens: boolean;
    readonly targets: readonly {
      /** Name of the server; null = it has none, or is gone. */
      readonly node: string | null;
      readonly address: string;
      readonly health: 'healthy' | 'unhealthy' | 'unknown';
      readonly detail?: string;
      readonly connections: number;
    }[];
  }[];
}

export interface LabNodeInfo {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly serverId: number;
  readonly publicIPv4: string;
  /** Absent where the lab's network carries no IPv6. */
  readonly publicIPv6?: string;
  readonly privateIPv4: string;
  readonly power: 'on' | 'off';
  readonly stage: NodeStage;
  readonly ready: boolean;
  readonly talosApi: string;
  readonly kubernetesApi: string;
  readonly talosVersion: string;
  readonly kubernetesVersion: string;
  readonly etcd?: {
    readonly endpoint: string;
    readonly ca: string;
    readonly cert: string;
    readonly key: string;
    readonly backing: string;
    readonly pid?: number;
  };
  readonly kubeApiserver?: { readonly backing: string; readonly pid?: number };
  /** http://address:port of its metadata service. */
  readonly metadata: string;
  readonly log: string;
}

export interface LabOptions {
  readonly fabric: 'loopback' | 'netns';
  readonly parts: 'auto' | 'built-in' | 'real';
  readonly controlPlanes: number;
  readonly workers: number;
  readonly talos: 'v1.11.6' | 'v1.12.11' | 'v1.13.9' | 'v1.14.0-rc.1';
  readonly hetznerEra: '2025' | 'until-2026-09' | 'from-2026-10';
  readonly speed: number;
  /** Guesses that are not the usual ones, as `--knob name=value` gave them. */
  readonly knobs?: KnobSettings;
}

/** The options alone, out of something that has more. */
export const labOptions = (from: LabOptions): LabOptions => ({
  fabric: from.fabric,
  parts: from.parts,
  controlPlanes: from.controlPlanes,
  workers: from.workers,
  talos: from.talos,
  hetznerEra: from.hetznerEra,
  speed: from.speed,
  ...(from.knobs === undefined ? {} : { knobs: from.knobs }),
});

/** What the daemon tells the command that started it. */
export type DaemonMessage =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly failure: Record<string, string | number> };

/** `lab.json` in the state folder: how a command finds the running lab. */
export interface LabRecord {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: a pid that was given to another process since has another one. */
  readonly startTime: string;
  readonly control: {
    readonly url: string;
    readonly token: string;
    /** A Unix socket in the folder of the lab's process, where the lab has no address that is reachable from outside. */
    readonly socket?: string;
  };
}
