import type { Operation } from './entries.ts';
import type { Gaps, ProbePath } from '../probe/types.ts';

/** One thing that happened, in order. */
export interface EvidenceStep {
  /** When it was done. */
  readonly at: string;
  /** Id of the change, as the plan calls it. */
  readonly change?: string;
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

/** A time without an answer, and why. */
export interface EvidenceOutage {
  /** `endpoint`, `old-endpoint` or a control plane. */
  readonly target: string;
  readonly path: ProbePath;
  readonly from: string;
  readonly ms: number;
  /** Whether it is the longest of its target and path: that of `gaps`. */
  readonly longest: boolean;
  readonly cause:
    /** Nothing failed: the longest pause between two answers. */
    | { readonly kind: 'none' }
    | { readonly kind: 'api-server-restart'; readonly node: string }
    | { readonly kind: 'address-moved' }
    /** Every API server failed at once in what needs etcd, and went on accepting tokens, which needs none. */
    | { readonly kind: 'no-etcd-leader' }
    /** Everything failed at once: the way from here to all of them, or the machine that measured. */
    | { readonly kind: 'everything-at-once' }
    | { readonly kind: 'unknown' };
  readonly failures: readonly { readonly error: string; readonly count: number }[];
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
  /** Every time in which something failed, and the longest gap of each target and path. */
  readonly outages?: readonly EvidenceOutage[];
  /** What was probed and never answered: an endpoint that was dead before the run began. */
  readonly neverAnswered?: readonly { readonly target: string; readonly error: string }[];
  readonly apiServerRestarts: Readonly<Record<string, number>>;
  readonly kubeconfig?: { readonly sha256Before: string; readonly sha256After: string };
  readonly tokens: { readonly mintedBefore: number; readonly refused: number };
  readonly lock?: EvidenceLock;
  readonly snapshot?: EvidenceSnapshot;
  readonly degraded?: EvidenceDegraded;
  readonly verdict: 'survived' | 'failed' | 'incomplete';
}
