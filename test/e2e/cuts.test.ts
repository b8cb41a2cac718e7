import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { chain } from '../cuts/chained.ts';
import { apply } from '../cuts/undertakings.ts';
import { worldOf } from '../cuts/world.ts';

// `npm run test:cuts` has the rest: undo and remove, isolated cuts, real parts, every version. A run repeats with the seed of its name.
const seed = Number(process.env['FAIRLEAD_SEED'] ?? Date.now() % 1_000_000);

test(`apply is killed at every step in turn, half the time loses its state, arrives, and then writes nothing (FAIRLEAD_SEED=${seed})`, async () => {
  const said: string[] = [];
  await using world = await worldOf({
    talos: 'v1.13.9',
    endpoint: 'ip',
    start: 'fresh',
    parts: 'built-in',
    workers: 0,
  });
  const say = (text: string): void => void said.push(text);
  const tally = await chain(world, apply, { random: seededRandom(seed), say, parts: 'built-in' });
  expect(tally.violations, said.join('\n')).toEqual([]);
  expect(tally.sideEffects).toBeGreaterThan(10);
}, 600_000);
