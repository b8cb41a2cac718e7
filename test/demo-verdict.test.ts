import { describe, expect, test } from 'vitest';
import { type DemoEvidence, judge } from '../scripts/demo/evidence.ts';

type Judged = Pick<DemoEvidence, 'replacements' | 'kubeconfig' | 'tokens' | 'steps'>;

const observed = (): Judged => ({
  replacements: ['a', 'b', 'c'].map((node, i) => ({
    node,
    oldServerId: i + 1,
    newServerId: i + 10,
    holderBefore: 'a',
    holderAfter: 'b',
    longestGapMs: 4_000,
    gaps: {},
    survived: true,
  })),
  kubeconfig: { sha256Before: 'f'.repeat(64), sha256After: 'f'.repeat(64) },
  tokens: { mintedBefore: 1, refused: 0 },
  steps: [{ name: 'a', at: '', durationMs: 1, ok: true, notes: [] }],
});

describe('the verdict of the demo', () => {
  test('is survived when all of it was observed', () => {
    expect(judge(observed(), 3)).toEqual({ verdict: 'survived', reasons: [] });
  });

  const spoil: readonly [string, (o: Judged) => Judged, RegExp][] = [
    ['a replacement is missing', (o) => ({ ...o, replacements: o.replacements.slice(1) }), /2 of 3/],
    [
      'a server kept its id',
      (o) => ({ ...o, replacements: o.replacements.map((r) => ({ ...r, newServerId: r.oldServerId })) }),
      /not replaced/,
    ],
    [
      'the endpoint did not come back',
      (o) => ({ ...o, replacements: o.replacements.map((r) => ({ ...r, survived: false })) }),
      /did not survive/,
    ],
    [
      'the kubeconfig changed',
      (o) => ({ ...o, kubeconfig: { ...o.kubeconfig, sha256After: 'e'.repeat(64) } }),
      /kubeconfig/,
    ],
    [
      'the kubeconfig was never read',
      (o) => ({ ...o, kubeconfig: { sha256Before: '', sha256After: '' } }),
      /kubeconfig/,
    ],
    ['a token was refused', (o) => ({ ...o, tokens: { mintedBefore: 1, refused: 1 } }), /refused/],
    ['no token was tried', (o) => ({ ...o, tokens: { mintedBefore: 0, refused: 0 } }), /no token/],
    ['a step failed', (o) => ({ ...o, steps: o.steps.map((s) => ({ ...s, ok: false })) }), /step a/],
  ];
  test.each(spoil)('is failed when %s', (_name, change, says) => {
    const { verdict, reasons } = judge(change(observed()), 3);
    expect(verdict).toBe('failed');
    expect(reasons.join()).toMatch(says);
  });
});
