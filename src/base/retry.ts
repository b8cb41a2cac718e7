import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export interface RetryPolicy {
  /** How many times in all, the first included. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** Whether this error may pass by itself. */
  readonly retryable: (error: unknown) => boolean;
}

/** Delay before the n-th retry (from 0): full jitter, so that callers that failed together do not come back together. */
export const backoffMs = (n: number, policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>, random: Random): number =>
  random.next() * Math.min(policy.capMs, policy.baseMs * 2 ** n);

/** Runs `attempt` until it succeeds, fails for good, or the attempts are used up; the last error is thrown as it came. */
export async function retry<T>(
  ports: { readonly clock: Clock; readonly random: Random },
  policy: RetryPolicy,
  attempt: (n: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let n = 0; ; n += 1) {
    signal?.throwIfAborted();
    try {
      return await attempt(n);
    } catch (error) {
      if (n + 1 >= policy.attempts || !policy.retryable(error)) throw error;
      await ports.clock.sleep(backoffMs(n, policy, ports.random), signal);
    }
  }
}

/**
 * Looks again every `everyMs` until `look` gives a value; undefined when `timeoutMs` has passed without one.
 * What `look` throws ends the wait.
 */
export async function waitFor<T>(
  clock: Clock,
  options: { readonly everyMs: number; readonly timeoutMs: number; readonly signal?: AbortSignal },
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = clock.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (clock.now() >= deadline) return undefined;
    await clock.sleep(options.everyMs, options.signal);
  }
}
