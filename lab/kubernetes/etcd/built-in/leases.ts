import { refuse } from './errors.ts';
import type { Key } from './store.ts';

/** etcd's smallest lease: one and a half election time-outs, rounded up to whole seconds. */
export const MIN_TTL_SECONDS = 2n;
const MAX_TTL_SECONDS = 9_000_000_000n;

interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
  /** In the clock's milliseconds. */
  expiresAt: number;
  readonly keys: Set<Key>;
}

export interface SavedLease {
  readonly id: bigint;
  readonly ttlSeconds: bigint;
  readonly keys: readonly Key[];
}

/** Leases and the keys that live by them. Time comes in as an argument; deleting keys is the caller's work. */
export class Leases {
  readonly #leases = new Map<bigint, Lease>();

  get size(): number {
    return this.#leases.size;
  }

  /** Every lease that has not been removed, with the seconds it was granted. */
  all(): { readonly id: bigint; readonly ttlSeconds: bigint }[] {
    return [...this.#leases.values()];
  }

  /** All of them as they can be kept. When each was last renewed is not: a new leader does not know it either. */
  save(): SavedLease[] {
    return [...this.#leases.values()].map(({ id, ttlSeconds, keys }) => ({ id, ttlSeconds, keys: [...keys] }));
  }

  load(saved: readonly SavedLease[], now: number): void {
    for (const { id, ttlSeconds, keys } of saved)
      this.#leases.set(id, { id, ttlSeconds, expiresAt: now + Number(ttlSeconds) * 1000, keys: new Set(keys) });
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  grant(id: bigint, ttlSeconds: bigint, now: number): bigint {
    if (ttlSeconds > MAX_TTL_SECONDS) throw refuse('leaseTtlTooLarge');
    if (this.#leases.has(id)) throw refuse('leaseExists');
    const ttl = ttlSeconds < MIN_TTL_SECONDS ? MIN_TTL_SECONDS : ttlSeconds;
    this.#leases.set(id, { id, ttlSeconds: ttl, expiresAt: now + Number(ttl) * 1000, keys: new Set() });
    return ttl;
  }

  /** Seconds granted anew; undefined when there is no such lease, or it has run out and only waits to be removed. */
  renew(id: bigint, now: number): bigint | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.expiresAt <= now) return undefined;
    lease.expiresAt = now + Number(lease.ttlSeconds) * 1000;
    return lease.ttlSeconds;
  }

  /** Removes a lease and names the keys that go with it. */
  remove(id: bigint): Key[] {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw refuse('leaseNotFound');
    this.#leases.delete(id);
    return [...lease.keys].toSorted();
  }

  look(id: bigint, now: number): { leftSeconds: bigint; grantedSeconds: bigint; keys: Key[] } | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.expiresAt <= now) return undefined;
    const leftSeconds = BigInt(Math.floor((lease.expiresAt - now) / 1000));
    return { leftSeconds, grantedSeconds: lease.ttlSeconds, keys: [...lease.keys].toSorted() };
  }

  /** A key changed hands: `to` = 0 for none. */
  move(key: Key, from: bigint, to: bigint): void {
    if (from !== 0n) this.#leases.get(from)?.keys.delete(key);
    if (to !== 0n) this.#leases.get(to)?.keys.add(key);
  }

  expired(now: number): bigint[] {
    return [...this.#leases.values()].filter((lease) => lease.expiresAt <= now).map((lease) => lease.id);
  }

  /** A new leader does not know when each was last renewed: every lease starts again, and a little more. */
  rearm(now: number, extraMs: number): void {
    for (const lease of this.#leases.values()) lease.expiresAt = now + Number(lease.ttlSeconds) * 1000 + extraMs;
  }
}
