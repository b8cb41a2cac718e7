import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.ts';

/** Time that stands still until it is told to go on. */
export interface ManualClock extends Clock {
  /** Goes on by so many milliseconds; whoever sleeps wakes at its own moment, in order, and does what it wakes for. */
  advance(ms: number): Promise<void>;
}

export function createManualClock(): ManualClock {
  const start = Date.UTC(2026, 10, 24);
  let now = 0;
  let turn = 0;
  const sleepers = new Set<{ readonly due: number; readonly turn: number; readonly wake: () => void }>();
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 4; i += 1) await setImmediate();
  };
  return {
    now: () => now,
    wall: () => new Date(start + now),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = {
          due: now + Math.max(0, ms),
          turn: (turn += 1),
          wake: () => {
            sleepers.delete(sleeper);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        });
      }),
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        const [next] = [...sleepers].toSorted((a, b) => a.due - b.due || a.turn - b.turn);
        if (next === undefined || next.due > until) break;
        now = next.due;
        next.wake();
        await settle();
      }
      now = until;
    },
  };
}
