import type { Redacted } from '../base/redacted.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import type { EvidenceStep } from '../journal/evidence.ts';
import type { Journal } from '../journal/journal.ts';
import type { Systems } from '../observe/systems.ts';
import type { Prober } from '../probe/types.ts';
import type { Server } from '../systems/hetzner/types.ts';
import type { Safeguards } from './begin.ts';
import type { Lock } from './lock/lock.ts';
import type { Reporter } from './reporter.ts';
import type { Snapshot } from './snapshot.ts';

export interface Plane {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly server: Server | undefined;
}

/** What one apply carries along. Nothing in it is needed to resume: that takes a new look only. */
export interface Run {
  readonly systems: Systems;
  readonly loaded: LoadedConfig;
  readonly journal: Journal;
  /** undefined where it was left out by --without-lock. */
  readonly lock: Lock | undefined;
  /** undefined where none was needed, or none was wanted. */
  readonly snapshot: Snapshot | undefined;
  readonly safeguards: Safeguards;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
  readonly prober: Prober;
  /** Names of targets that are probed. */
  readonly probed: Set<string>;
  /** The control planes and where each is dialled. */
  readonly planes: readonly Plane[];
  /** Minted before the first change; every API server must accept it all along. */
  readonly token: Redacted;
  readonly steps: EvidenceStep[];
  readonly restarts: Record<string, number>;
  /** Fetched once per run, because each fetch mints an administrator's certificate. */
  kubeconfig: Redacted | undefined;
}
