import { expect, test } from 'vitest';
import { ageOf } from './columns.ts';

const now = new Date('2026-11-24T12:00:00Z');
const ago = (seconds: number): string => new Date(now.getTime() - seconds * 1000).toISOString();
const [minute, hour, day] = [60, 3600, 86_400];

test.each([
  [0, '0s'],
  [119, '119s'],
  [2 * minute, '2m'],
  [3 * minute + 20, '3m20s'],
  [10 * minute + 5, '10m'],
  [179 * minute, '179m'],
  [3 * hour + 5 * minute, '3h5m'],
  [8 * hour + 5 * minute, '8h'],
  [47 * hour, '47h'],
  [2 * day + 3 * hour, '2d3h'],
  [8 * day + hour, '8d'],
  [729 * day, '729d'],
  [730 * day, '2y'],
  [800 * day, '2y70d'],
])('an age of %i seconds is written %s', (seconds, text) => {
  expect(ageOf(ago(seconds), now)).toBe(text);
});

test('an unknown age and one from the future are named as such', () => {
  expect(ageOf(undefined, now)).toBe('<unknown>');
  expect(ageOf(ago(-60), now)).toBe('<invalid>');
});
