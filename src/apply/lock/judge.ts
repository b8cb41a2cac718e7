import type { LeaseRecord } from '../../systems/kubernetes/types.ts';

/** Written into the Lease: for so long after its last sign of life the owner counts as alive. */
export const LOCK_SECONDS = 30;
export const LOCK = { namespace: 'kube-system', name: 'fairlead' } as const;

export type LockState =
  | { readonly kind: 'free' }
  | { readonly kind: 'mine' }
  | { readonly kind: 'dead'; readonly why: string }
  | { readonly kind: 'held' };

/**
 * Whether the lock may be taken. Two calendars are never compared: an owner elsewhere is dead when *this* machine has watched its
 * Lease stand still for its whole duration; an owner on this machine is dead when its process is no more.
 */
export function judgeLock(
  lease: LeaseRecord | undefined,
  seen: {
    readonly me: string;
    readonly deadHere: boolean;
    /** How long this process has watched this very state of the Lease. */
    readonly unchangedMs: number;
  },
): LockState {
  if (lease === undefined || lease.holder === '') return { kind: 'free' };
  if (lease.holder === seen.me) return { kind: 'mine' };
  if (seen.deadHere) return { kind: 'dead', why: 'its process on this machine is no more' };
  const forMs = Math.max(1, lease.durationSeconds) * 1000;
  return seen.unchangedMs >= forMs
    ? { kind: 'dead', why: `it gave no sign of life for ${Math.round(seen.unchangedMs / 1000)} s` }
    : { kind: 'held' };
}
