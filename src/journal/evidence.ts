import type { Operation } from './entries.ts';
import type { Gaps } from '../probe/types.ts';

/** One thing that happened, in order. */
export interface EvidenceStep {
  readonly at: string;
  readonly phase: number;
  readonly what: string;
  readonly ms: number;
  readonly evidence: readonly string[];
}

/** Whether this run alone could write, and how it came to that. */
export type EvidenceLock =
  | { readonly state: 'held'; readonly how: string }
  | { readonly state: 'left-out'; readonly reason: string };

/** Where the state of etcd before the first change is. */
export type EvidenceSnapshot =
  | {
      readonly state: 'taken';
      readonly place: string;
      readonly bytes: number;
      /** Of the database before it was sealed. */
      readonly sha256: string;
      readonly member: string;
    }
  | { readonly state: 'left-out'; readonly reason: string };

/** Control planes that were dead and left out because the user allowed it. */
export interface EvidenceDegraded {
  readonly skipped: readonly string[];
  readonly effect: string;
}

/** The record of a run. Fields that do not apply are absent. */
export interface Evidence {
  readonly apiVersion: 'fairlead/v1alpha1';
  readonly kind: 'Evidence';
  readonly operation: Operation;
  readonly cluster: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly components: Readonly<Record<string, string>>;
  readonly steps: readonly EvidenceStep[];
  readonly gaps?: Gaps;
  readonly longestGapMs?: number;
  readonly apiServerRestarts: Readonly<Record<string, number>>;
  readonly kubeconfig?: { readonly sha256Before: string; readonly sha256After: string };
  readonly tokens: { readonly mintedBefore: number; readonly refused: number };
  readonly lock?: EvidenceLock;
  readonly snapshot?: EvidenceSnapshot;
  readonly degraded?: EvidenceDegraded;
  readonly verdict: 'survived' | 'failed' | 'incomplete';
}
