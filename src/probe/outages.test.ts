import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { gapsOf } from './gaps.ts';
import { neverAnswered, outagesOf } from './outages.ts';
import type { ProbePath, ProbeSample } from './types.ts';

const sample = (endedAt: number, ok: boolean, parts: Partial<ProbeSample> = {}): ProbeSample => ({
  target: 'endpoint',
  path: 'readNewConnection',
  startedAt: endedAt - 5,
  endedAt,
  ok,
  ...(ok ? {} : { error: 'refused' }),
  ...parts,
});
const segment = (samples: readonly ProbeSample[], until?: number) => ({ target: 'endpoint', samples, until });

describe('times without an answer', () => {
  it('are told with their beginning, end and what failed in them; the longest is told even where nothing failed', () => {
    const list = [sample(0, true), sample(400, true), sample(450, false), sample(500, false), sample(600, true)];
    expect(outagesOf([segment(list, 650)], 650)).toEqual([
      { target: 'endpoint', path: 'readNewConnection', from: 0, to: 400, failures: [], longest: true },
      {
        target: 'endpoint',
        path: 'readNewConnection',
        from: 400,
        to: 600,
        failures: [{ error: 'refused', count: 2 }],
        longest: false,
      },
    ]);
  });

  it('go on to the end of the measurement where no answer came again', () => {
    expect(outagesOf([segment([sample(0, true), sample(100, false)])], 3_000)).toMatchObject([
      { from: 0, to: 3_000, longest: true },
    ]);
  });

  it('are none where there was never an answer: that is told apart', () => {
    const dead = [segment([sample(100, false), sample(200, false, { error: 'timeout' })], 300)];
    expect(outagesOf(dead, 300)).toEqual([]);
    expect(neverAnswered(dead)).toEqual([{ target: 'endpoint', error: 'timeout' }]);
    expect(neverAnswered([segment([sample(1, true), sample(2, false)], 3)])).toEqual([]);
  });

  const path = fc.constantFrom<ProbePath>('readNewConnection', 'write');
  test.prop([fc.array(fc.record({ at: fc.nat(10_000), ok: fc.boolean(), path }), { maxLength: 60 })])(
    'the longest of each path is that of the gap table',
    (list) => {
      const samples = list.map(({ at, ok, path: way }) => sample(at, ok, { path: way }));
      const gaps = gapsOf(samples, { until: 10_001 })['endpoint'] ?? {};
      const longest = outagesOf([segment(samples, 10_001)], 10_001).filter((outage) => outage.longest);
      expect(Object.fromEntries(longest.map((o) => [o.path, o.to - o.from]))).toEqual(gaps);
    },
  );
});
