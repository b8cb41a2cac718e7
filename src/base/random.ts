import { randomBytes } from 'node:crypto';

/** A source of numbers in [0, 1). */
export interface Random {
  next(): number;
}

export const systemRandom: Random = { next: () => randomBytes(4).readUInt32LE() / 2 ** 32 };

/** The same numbers for the same seed on every machine (mulberry32: small, and good enough for jitter and test worlds). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** A whole number in [from, below). */
export const pickInteger = (random: Random, from: number, below: number): number =>
  from + Math.floor(random.next() * (below - from));

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[pickInteger(random, 0, items.length)];
  if (item === undefined) throw new RangeError('pick from an empty list');
  return item;
}
