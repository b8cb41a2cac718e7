import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import type { Audit } from '../world/audit.ts';

/** A part of a control plane that runs: a child process, or a stand-in inside the lab's process. */
export interface RunningPart {
  /** What it is, for `lab info`: `built-in`, `real 3.4.23`, `real v1.36.3`. */
  readonly backing: string;
  /** The process whose /proc/PID/exe is the program; undefined when built in. */
  readonly pid: number | undefined;
  /** Resolves when it has ended, however; never rejects. */
  readonly exited: Promise<void>;
  /** As a supervisor does it: TERM, then KILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** As a power cut does it: at once, nothing is said to anybody. */
  kill(): Promise<void>;
  /** As SIGSTOP: it accepts connections and says nothing, until `thaw` (SIGCONT). What is done already is done. */
  freeze(): void;
  thaw(): void;
}

/** File names of PEM files. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A child process may run with a group of its own, by which the fabric knows whose packets it sends. */
interface ProcessSpec {
  readonly group?: number;
}

export interface EtcdSpec extends ProcessSpec {
  /** Member name: the node's host name. */
  readonly name: string;
  readonly dataDir: string;
  /** Hidden address to listen on (2379 and 2380). */
  readonly listen: string;
  /** Address others reach it at, through the fabric. */
  readonly advertise: string;
  /** `name=https://address:2380` of all members, this one included. */
  readonly initialCluster: readonly { readonly name: string; readonly peerURL: string }[];
  readonly initialClusterState: 'new' | 'existing';
  readonly initialClusterToken: string;
  readonly server: TlsFiles;
  readonly peer: TlsFiles;
  readonly log: string;
  /** The member's data is kept from an earlier start of the same machine (reboot). */
  readonly restart: boolean;
}

export interface EtcdPart {
  readonly backing: string;
  /** Resolves when the member listens on `listen`:2379 (not: when the cluster has a leader). */
  start(spec: EtcdSpec): Promise<RunningPart>;
  /** What stands for the data of all data directories, where that is no files: plain data, for `load` of another process. */
  save?(): unknown;
  /** `folder`: where a data directory lies now. */
  load?(saved: unknown, folder: (before: string) => string): void;
}

export interface ApiServerSpec extends ProcessSpec {
  /** Node name, for the audit. */
  readonly node: string;
  /**
   * Arguments of kube-apiserver, `--name=value`, as the node's machine config decides them; file arguments name files that exist.
   * The built-in one reads the same arguments and files: --bind-address, --secure-port, --etcd-servers, --etcd-cafile,
   * --etcd-certfile, --etcd-keyfile, --tls-cert-file, --tls-private-key-file (both reloaded when they change), --client-ca-file,
   * --anonymous-auth, --service-account-issuer (repeatable: the first signs), --api-audiences, --service-account-key-file,
   * --service-account-signing-key-file, --requestheader-*, --service-cluster-ip-range.
   */
  readonly args: readonly string[];
  readonly dir: string;
  readonly log: string;
  readonly audit: Audit;
}

export interface ApiServerPart {
  readonly backing: string;
  /** What `/version` says: v1.36.3 … */
  readonly version: string;
  /** Resolves when it listens; `/readyz` may still say no. Rejects when it ends before that. */
  start(spec: ApiServerSpec): Promise<RunningPart>;
}

export interface Parts {
  readonly etcd: EtcdPart;
  readonly kubeApiserver: ApiServerPart;
}

export type PartsChoice = 'auto' | 'built-in' | 'real';

/** What the built-in etcd does as the real one. */
export interface EtcdKnobs {
  /** How long members must have been connected before the cluster lets itself be changed. */
  readonly memberHealthMs: number;
}

export const DEFAULT_ETCD_KNOBS: EtcdKnobs = { memberHealthMs: 5_000 };

export interface PartsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly etcd?: EtcdKnobs;
  readonly env: Readonly<Record<string, string | undefined>>;
}
