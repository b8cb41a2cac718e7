import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { seededRandom } from './random.ts';
import { backoffMs, retry, waitFor } from './retry.ts';

/** Time that passes only where somebody sleeps. */
function virtualClock(): Clock & { readonly slept: number[] } {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    wall: () => new Date(now),
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      slept.push(ms);
      now += ms;
    },
  };
}

const policy = { attempts: 4, baseMs: 100, capMs: 1_000, retryable: (error: unknown) => error === 'busy' };

describe('retry', () => {
  test('gives what the first success gives', async () => {
    const clock = virtualClock();
    const value = await retry({ clock, random: seededRandom(1) }, policy, async (n) => {
      if (n < 2) throw 'busy';
      return n;
    });
    expect(value).toBe(2);
    expect(clock.slept).toHaveLength(2);
  });

  test('throws what may not pass by itself at once, and the last error when the attempts are used up', async () => {
    const clock = virtualClock();
    const ports = { clock, random: seededRandom(1) };
    await expect(retry(ports, policy, async () => Promise.reject(new Error('for good')))).rejects.toThrow('for good');
    expect(clock.slept).toEqual([]);
    let attempts = 0;
    await expect(
      retry(ports, policy, async () => {
        attempts += 1;
        throw 'busy';
      }),
    ).rejects.toBe('busy');
    expect(attempts).toBe(4);
  });

  test('never waits longer than its cap, and never less than nothing', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.integer(), (n, seed) => {
        const ms = backoffMs(n, policy, seededRandom(seed));
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(policy.capMs);
      }),
    );
  });
});

describe('waiting for something', () => {
  test('looks until it is there, and says undefined when time is up', async () => {
    const clock = virtualClock();
    let looks = 0;
    const found = await waitFor(clock, { everyMs: 10, timeoutMs: 100 }, async () =>
      (looks += 1) === 3 ? 'there' : undefined,
    );
    expect([found, looks]).toEqual(['there', 3]);
    expect(await waitFor(clock, { everyMs: 10, timeoutMs: 100 }, async () => undefined)).toBeUndefined();
  });

  test('ends with the reason when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(waitFor(virtualClock(), { everyMs: 1, timeoutMs: 9, signal }, async () => undefined)).rejects.toThrow(
      'enough',
    );
  });
});
