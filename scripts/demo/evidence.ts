import type { Gaps } from '../../src/probe/types.ts';

/** What the demo observed, in the shape of every evidence document (apply and drill write the same). */
export interface DemoEvidence {
  readonly apiVersion: 'fairlead/v1alpha1';
  readonly kind: 'Evidence';
  readonly speed: number;
  readonly components: Record<string, string>;
  readonly steps: DemoStep[];
  readonly replacements: Replacement[];
  gaps: Gaps;
  apiServerRestarts: Readonly<Record<string, number>>;
  requests: Readonly<Record<string, { readonly reads: number; readonly writes: number }>>;
  readonly kubeconfig: { sha256Before: string; sha256After: string };
  readonly tokens: { mintedBefore: number; refused: number };
  verdict: 'survived' | 'failed' | 'incomplete';
  /** Why the verdict is not `survived`; empty when it is. */
  readonly reasons: string[];
}

export interface DemoStep {
  readonly name: string;
  readonly at: string;
  durationMs: number;
  ok: boolean;
  readonly notes: string[];
}

export interface Replacement {
  readonly node: string;
  readonly oldServerId: number;
  readonly newServerId: number;
  readonly holderBefore: string | null;
  readonly holderAfter: string | null;
  readonly longestGapMs: number | null;
  /** Longest gap on each path of the endpoint while this node was replaced. */
  readonly gaps: Readonly<Record<string, number>>;
  readonly survived: boolean;
}

/** The verdict out of what was observed, and nothing else. Pure; tested by taking single observations away. */
export function judge(
  evidence: Pick<DemoEvidence, 'replacements' | 'kubeconfig' | 'tokens' | 'steps'>,
  expectedReplacements: number,
): { verdict: DemoEvidence['verdict']; reasons: string[] } {
  const reasons: string[] = [];
  const { replacements, kubeconfig, tokens } = evidence;
  if (replacements.length < expectedReplacements) {
    reasons.push(`${replacements.length} of ${expectedReplacements} control planes were replaced`);
  }
  for (const r of replacements) {
    if (r.newServerId === r.oldServerId)
      reasons.push(`${r.node} still has server ${r.oldServerId}: it was not replaced`);
    if (!r.survived) reasons.push(`the endpoint did not survive the replacement of ${r.node}`);
  }
  if (kubeconfig.sha256Before === '' || kubeconfig.sha256Before !== kubeconfig.sha256After) {
    reasons.push('the kubeconfig changed');
  }
  if (tokens.mintedBefore === 0) reasons.push('no token was minted before the change');
  if (tokens.refused > 0) reasons.push(`tokens minted before the change were refused ${tokens.refused} times`);
  for (const step of evidence.steps) if (!step.ok) reasons.push(`step ${step.name} failed`);
  return { verdict: reasons.length === 0 ? 'survived' : 'failed', reasons };
}
