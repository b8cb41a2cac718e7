import type { Clock } from '../../../src/base/clock.ts';

/** Waits for work, but no longer than `ms`; true when it came to an end (a failure is thrown as it came). */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  try {
    return await Promise.race([
      work.then(() => true),
      clock.sleep(ms, over.signal).then(
        () => false,
        () => false,
      ),
    ]);
  } finally {
    over.abort();
  }
}
