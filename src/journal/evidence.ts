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
  readonly verdict: 'survived' | 'failed' | 'incomplete';
}
