import type { Clock } from '../../base/clock.ts';

/** Requests that the project has left, as the last answer said; everybody who works in the project draws on them. */
export interface Budget {
  readonly limit: number;
  readonly remaining: number;
}

/** Part of the budget below which we hold back: what is left is for those who must move the address, Talos among them. */
const SCARCE = 0.1;
const HOUR_MS = 3_600_000;
/** Longest wait between two requests, however small the budget. */
const PACE_CAP_MS = 2_000;

export const isScarce = (budget: Budget | undefined): boolean =>
  budget !== undefined && budget.remaining < budget.limit * SCARCE;

/**
 * Waits before a request while the budget is scarce, so that requests go out no faster than Hetzner gives new ones (3600 an hour:
 * one a second). The first goes at once.
 */
export function createPace(
  clock: Clock,
): (budget: Budget | undefined, signal: AbortSignal | undefined) => Promise<void> {
  let freeAt = Number.NEGATIVE_INFINITY;
  return async (budget, signal) => {
    if (budget === undefined || !isScarce(budget)) return;
    const now = clock.now();
    const start = Math.max(now, freeAt);
    freeAt = start + Math.min(PACE_CAP_MS, HOUR_MS / Math.max(1, budget.limit));
    if (start > now) await clock.sleep(start - now, signal);
  };
}
