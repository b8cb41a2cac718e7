import type { Redacted } from '../../base/redacted.ts';

export interface EtcdMember {
  readonly id: bigint;
  readonly hostname: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface EtcdMemberStatus {
  readonly memberId: bigint;
  /** 0n = none known. */
  readonly leader: bigint;
  readonly raftTerm: bigint;
  readonly raftIndex: bigint;
  readonly raftAppliedIndex: bigint;
  readonly dbSize: bigint;
  readonly isLearner: boolean;
  readonly errors: readonly string[];
}

export interface TalosService {
  readonly id: string;
  readonly state: string;
  readonly healthy: boolean | undefined;
}

/** A COSI resource: metadata and the YAML form of its spec, parsed. */
export interface TalosResource {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
  readonly version: string;
  readonly phase: string;
  readonly spec: unknown;
}

/** The exact bytes of a machine config as the node holds it, a secret as a whole. */
export interface MachineConfigText {
  readonly text: Redacted;
  readonly version: string;
}

/** `no-reboot` is the only mode that fairlead uses without being asked; the mode is always sent (unset means REBOOT). */
export type ApplyMode = 'no-reboot' | 'staged' | 'try' | 'auto';

/** One node's Talos API, dialled directly on the node's own address (never through the endpoint). */
export interface TalosClient {
  readonly address: string;
  version(signal?: AbortSignal): Promise<{ tag: string; platform: string }>;
  hostname(signal?: AbortSignal): Promise<string>;
  services(signal?: AbortSignal): Promise<TalosService[]>;
  etcdMembers(signal?: AbortSignal): Promise<EtcdMember[]>;
  etcdStatus(signal?: AbortSignal): Promise<EtcdMemberStatus>;
  etcdAlarms(signal?: AbortSignal): Promise<{ memberId: bigint; alarm: string }[]>;
  etcdSnapshot(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  machineConfig(id: 'active' | 'persistent', signal?: AbortSignal): Promise<MachineConfigText | undefined>;
  applyConfiguration(
    text: Redacted,
    mode: ApplyMode,
    options?: { dryRun?: boolean; tryTimeoutMs?: number },
    signal?: AbortSignal,
  ): Promise<{ warnings: string[]; details: Redacted }>;
  /** Mints a new admin certificate at each call: call it rarely. The kubeconfig's text. */
  kubeconfig(signal?: AbortSignal): Promise<Redacted>;
  generateClientConfiguration(
    roles: readonly string[],
    ttlMs: number,
    signal?: AbortSignal,
  ): Promise<{ ca: string; crt: string; key: Redacted; talosconfig: Redacted }>;
  /** undefined when the resource is not there (NOT_FOUND). */
  get(namespace: string, type: string, id: string, signal?: AbortSignal): Promise<TalosResource | undefined>;
  list(namespace: string, type: string, signal?: AbortSignal): Promise<TalosResource[]>;
  /** The node's clock beside that of its time server, both read in one instant. Fails where the time server does not answer. */
  clocks(signal?: AbortSignal): Promise<{ readonly own: Date; readonly reference: Date; readonly server: string }>;
  bootTime(signal?: AbortSignal): Promise<Date>;
  close(): void;
}

export interface TalosContext {
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly nodes: readonly string[];
  readonly cluster: string | undefined;
  /** PEM. */
  readonly ca: string;
  readonly crt: string;
  readonly key: Redacted;
  /** When `crt` ends. */
  readonly notAfter?: Date;
}
