import type { Segment } from './report.ts';
import type { ProbePath, ProbeSample } from './types.ts';

/** A time without a successful answer on one way to one target, in milliseconds of the prober's clock. */
export interface Outage {
  readonly target: string;
  readonly path: ProbePath;
  readonly from: number;
  readonly to: number;
  /** What failed within it; empty: nothing failed, there was only a pause between two answers. */
  readonly failures: readonly { readonly error: string; readonly count: number }[];
  /** Whether it is the longest of its target and path. */
  readonly longest: boolean;
}

/** Every gap in which something failed, and the longest gap of each target and path whether or not something did. */
export function outagesOf(segments: readonly Segment[], now: number): Outage[] {
  const all = segments.flatMap(({ samples, until }) => gapsIn(samples, until ?? now));
  const longest = new Map<string, Omit<Outage, 'longest'>>();
  const key = ({ target, path }: Pick<Outage, 'target' | 'path'>): string => `${target} ${path}`;
  for (const gap of all) {
    const other = longest.get(key(gap));
    if (other === undefined || gap.to - gap.from > other.to - other.from) longest.set(key(gap), gap);
  }
  return all
    .map((gap) => ({ ...gap, longest: longest.get(key(gap)) === gap }))
    .filter((gap) => gap.longest || gap.failures.length > 0)
    .toSorted((a, b) => a.from - b.from);
}

/** Targets that were probed and never answered in any way, with what they failed with. */
export function neverAnswered(segments: readonly Segment[]): { readonly target: string; readonly error: string }[] {
  const targets = [...new Set(segments.map((segment) => segment.target))];
  return targets.flatMap((target) => {
    const samples = segments.filter((segment) => segment.target === target).flatMap((segment) => segment.samples);
    if (samples.length === 0 || samples.some((sample) => sample.ok)) return [];
    return [{ target, error: samples.at(-1)?.error ?? 'unknown' }];
  });
}

function gapsIn(samples: readonly ProbeSample[], until: number): Omit<Outage, 'longest'>[] {
  const byPath = new Map<ProbePath, ProbeSample[]>();
  for (const sample of samples) {
    const list = byPath.get(sample.path);
    if (list === undefined) byPath.set(sample.path, [sample]);
    else list.push(sample);
  }
  return [...byPath.values()].flatMap((list) => gapsOfPath(list, until));
}

function gapsOfPath(samples: readonly ProbeSample[], until: number): Omit<Outage, 'longest'>[] {
  const ordered = samples.toSorted((a, b) => a.endedAt - b.endedAt);
  const gaps: Omit<Outage, 'longest'>[] = [];
  let from: number | undefined;
  let failed = new Map<string, number>();
  const close = (sample: Pick<ProbeSample, 'target' | 'path'>, to: number): void => {
    if (from !== undefined && to > from) {
      const failures = [...failed].map(([error, count]) => ({ error, count }));
      gaps.push({ target: sample.target, path: sample.path, from, to, failures });
    }
  };
  for (const sample of ordered) {
    if (!sample.ok) {
      const error = sample.error ?? 'unknown';
      failed.set(error, (failed.get(error) ?? 0) + 1);
      continue;
    }
    close(sample, sample.endedAt);
    from = sample.endedAt;
    failed = new Map();
  }
  const [first] = ordered;
  if (first !== undefined) close(first, until);
  return gaps;
}
