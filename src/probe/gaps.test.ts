import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gapsOf, longestGap, mergeGaps } from './gaps.ts';
import { reportOf } from './report.ts';
import type { ProbePath, ProbeSample } from './types.ts';

const sample = (
  endedAt: number,
  ok = true,
  path: ProbePath = 'readNewConnection',
  target = 'endpoint',
): ProbeSample => ({
  target,
  path,
  startedAt: endedAt - 1,
  endedAt,
  ok,
  ...(ok ? {} : { error: 'timeout' }),
});

const times = fc.array(fc.nat(10_000), { minLength: 1, maxLength: 40 });

test('the longest gap is what comparing every two neighbours by hand gives', () => {
  fc.assert(
    fc.property(times, fc.nat(10_000), (ends, more) => {
      const until = Math.max(...ends) + more;
      const sorted = [...ends].sort((a, b) => a - b);
      const all = sorted.map((end, i) => (sorted[i + 1] ?? until) - end);
      expect(longestGap(ends, { until })).toBe(Math.max(...all));
    }),
  );
});

test('neither the order of samples nor failures among them change a gap', () => {
  fc.assert(
    fc.property(times, fc.array(fc.nat(10_000)), (ends, failed) => {
      const straight = gapsOf(ends.map((e) => sample(e)));
      const mixed = gapsOf([...failed.map((e) => sample(e, false)), ...ends.toReversed().map((e) => sample(e))]);
      expect(mixed).toEqual(straight);
    }),
  );
});

test('one more success never makes the longest gap longer, except by being the last', () => {
  fc.assert(
    fc.property(times, fc.nat(10_000), (ends, extra) => {
      const until = 20_000;
      expect(longestGap([...ends, extra], { until }) ?? 0).toBeLessThanOrEqual(
        Math.max(longestGap(ends, { until }) ?? 0, Math.min(...ends) - extra),
      );
    }),
  );
});

test('all gaps together are the time that was watched', () => {
  fc.assert(
    fc.property(times, (ends) => {
      const first = Math.min(...ends);
      expect(longestGap(ends, { until: 10_000 })).toBeLessThanOrEqual(10_000 - first);
      expect(longestGap(ends, { until: 10_000 })).toBeGreaterThanOrEqual((10_000 - first) / ends.length);
    }),
  );
});

test('a gap that is open counts until now; a path that never succeeded is absent', () => {
  expect(gapsOf([sample(100), sample(200)], { until: 5200 })).toEqual({ endpoint: { readNewConnection: 5000 } });
  expect(gapsOf([sample(100)], {})).toEqual({});
  expect(gapsOf([sample(100, false)], { until: 9000 })).toEqual({});
});

test('after a mark, a gap that spans it counts whole and one that ended before it does not', () => {
  const samples = [sample(0), sample(3000), sample(3100), sample(4100), sample(4200)];
  expect(gapsOf(samples, { since: 3500 })).toEqual({ endpoint: { readNewConnection: 1000 } });
  expect(gapsOf(samples)).toEqual({ endpoint: { readNewConnection: 3000 } });
});

test('targets and paths are measured apart, and a target’s absence is not a gap', () => {
  const away = {
    target: 'cp-1',
    samples: [sample(0, true, 'write', 'cp-1'), sample(500, true, 'write', 'cp-1')],
    until: 700,
  };
  const back = { target: 'cp-1', samples: [sample(60_000, true, 'write', 'cp-1')], until: undefined };
  const report = reportOf([away, back], 60_100);
  expect(report.gaps).toEqual({ 'cp-1': { write: 500 } });
  expect(report.longestGapMs).toBeUndefined();
  expect(mergeGaps([{ a: { write: 1 } }, { a: { write: 3, token: 2 }, b: {} }])).toEqual({
    a: { write: 3, token: 2 },
    b: {},
  });
});

test('the report’s longest gap is the endpoint’s reads on new connections, whatever the nodes did', () => {
  const of = (target: string, ends: number[]) => ({
    target,
    samples: ends.map((e) => sample(e, true, 'readNewConnection', target)),
    until: ends.at(-1) ?? 0,
  });
  expect(reportOf([of('endpoint', [0, 100, 300]), of('cp-1', [0, 9000])], 9000).longestGapMs).toBe(200);
  expect(reportOf([of('cp-2', [0, 70]), of('cp-1', [0, 90])], 9000).longestGapMs).toBe(90);
});

test('failures are counted by target, path and error', () => {
  const samples = [sample(1, false), sample(2, false), { ...sample(3, false), error: 'HTTP 503' }, sample(4)];
  expect(reportOf([{ target: 'endpoint', samples, until: 5 }], 5).failures).toEqual([
    { target: 'endpoint', path: 'readNewConnection', error: 'timeout', count: 2 },
    { target: 'endpoint', path: 'readNewConnection', error: 'HTTP 503', count: 1 },
  ]);
});
