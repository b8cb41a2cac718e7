import { expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { createPace } from './budget.ts';

/** Time that stands still while nobody sleeps; sleepers side by side all see the time they began at. */
function stillClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => 1000,
    wall: () => new Date(0),
    sleep: (ms) => {
      slept.push(ms);
      return Promise.resolve();
    },
  };
}

test('requests side by side go out one a second while less than a tenth of the budget is left', async () => {
  const clock = stillClock();
  const pace = createPace(clock);
  const low = { limit: 3600, remaining: 359 };
  await Promise.all([1, 2, 3, 4].map(() => pace(low, undefined)));
  expect(clock.slept).toEqual([1000, 2000, 3000]);
});

test('with a tenth left, or nothing known, nobody waits', async () => {
  const clock = stillClock();
  const pace = createPace(clock);
  for (const budget of [undefined, { limit: 3600, remaining: 360 }]) {
    await Promise.all([1, 2, 3].map(() => pace(budget, undefined)));
  }
  expect(clock.slept).toEqual([]);
});

test('however small a budget is, two seconds between two requests are enough', async () => {
  const clock = stillClock();
  const pace = createPace(clock);
  await Promise.all([1, 2].map(() => pace({ limit: 10, remaining: 0 }, undefined)));
  expect(clock.slept).toEqual([2000]);
});
