import type { Gaps, ProbePath, ProbeSample } from './types.ts';

export interface GapWindow {
  /** Only gaps that end at or after this moment count (a gap that began before counts whole). */
  readonly since?: number;
  /** Until when there was probing: what is still open then is a gap too. */
  readonly until?: number;
}

/**
 * The longest time between the ends of two successive successes, in the unit of the input; undefined when there is no
 * gap to speak of (no success, or one success and no `until`).
 */
export function longestGap(successEnds: readonly number[], window: GapWindow = {}): number | undefined {
  const since = window.since ?? Number.NEGATIVE_INFINITY;
  const ends = successEnds.toSorted((a, b) => a - b);
  let longest: number | undefined;
  let previous: number | undefined;
  const consider = (end: number): void => {
    if (previous !== undefined && end >= since) longest = Math.max(longest ?? 0, end - previous);
  };
  for (const end of ends) {
    consider(end);
    previous = end;
  }
  if (window.until !== undefined && previous !== undefined && window.until >= previous) consider(window.until);
  return longest;
}

/** Longest gap per target and path, whole milliseconds. */
export function gapsOf(samples: readonly ProbeSample[], window: GapWindow = {}): Gaps {
  const ends = new Map<string, Map<ProbePath, number[]>>();
  for (const sample of samples) {
    if (!sample.ok) continue;
    const paths = ends.get(sample.target) ?? new Map<ProbePath, number[]>();
    ends.set(sample.target, paths);
    const list = paths.get(sample.path);
    if (list === undefined) paths.set(sample.path, [sample.endedAt]);
    else list.push(sample.endedAt);
  }
  const gaps: Record<string, Partial<Record<ProbePath, number>>> = {};
  for (const [target, paths] of ends) {
    const found: Partial<Record<ProbePath, number>> = {};
    for (const [path, list] of paths) {
      const gap = longestGap(list, window);
      if (gap !== undefined) found[path] = Math.round(gap);
    }
    if (Object.keys(found).length > 0) gaps[target] = found;
  }
  return gaps;
}

/** The larger of each: a target that was taken out and put back has one gap table for each time it was there. */
export function mergeGaps(all: readonly Gaps[]): Gaps {
  const merged: Record<string, Partial<Record<ProbePath, number>>> = {};
  for (const gaps of all) {
    for (const [target, paths] of Object.entries(gaps)) {
      const into = (merged[target] ??= {});
      for (const [path, gap] of Object.entries(paths) as [ProbePath, number][]) {
        into[path] = Math.max(into[path] ?? 0, gap);
      }
    }
  }
  return merged;
}
