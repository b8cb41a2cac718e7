import { gapsOf, mergeGaps } from './gaps.ts';
import type { ProberReport, ProbeSample } from './types.ts';

/** One unbroken time in which a target was probed. */
export interface Segment {
  readonly target: string;
  readonly samples: readonly ProbeSample[];
  /** When probing it ended; undefined while it goes on. */
  readonly until: number | undefined;
}

/** The report over all segments: everything, or what ended at `since` or later. */
export function reportOf(segments: readonly Segment[], now: number, since?: number): ProberReport {
  const gaps = mergeGaps(
    segments.map(({ samples, until }) =>
      gapsOf(samples, { until: until ?? now, ...(since === undefined ? {} : { since }) }),
    ),
  );
  const counted = segments
    .flatMap((segment) => segment.samples)
    .filter((sample) => since === undefined || sample.endedAt >= since);
  return {
    gaps,
    longestGapMs: longestOf(gaps),
    tokensRefused: counted.filter((s) => s.path === 'token' && s.status === 401).length,
    samples: counted.length,
    failures: failuresOf(counted),
  };
}

function longestOf(gaps: ProberReport['gaps']): number | undefined {
  const { endpoint } = gaps;
  if (endpoint !== undefined) return endpoint.readNewConnection;
  const all = Object.values(gaps).flatMap(({ readNewConnection: gap }) => (gap === undefined ? [] : [gap]));
  return all.length === 0 ? undefined : Math.max(...all);
}

function failuresOf(samples: readonly ProbeSample[]): ProberReport['failures'] {
  const counts = new Map<string, ProberReport['failures'][number]>();
  for (const { target, path, ok, error = 'unknown' } of samples) {
    if (ok) continue;
    const key = JSON.stringify([target, path, error]);
    counts.set(key, { target, path, error, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}
