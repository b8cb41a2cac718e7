import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { ApiError } from './errors.ts';
import { isLabelKey, isLabelValue, parseSelector } from './labels.ts';

const key = fc.constantFrom('a', 'b', 'role', 'x.io/role');
const value = fc.constantFrom('', '1', 'cp', 'a.b-c_d');
const labels = fc.dictionary(key, value, { noNullPrototype: true });

describe('a label selector', () => {
  test.prop([labels, key, value])(
    'says yes to = exactly where != says no, and to in where notin says no',
    (set, k, v) => {
      expect(parseSelector(`${k}=${v}`)(set)).toBe(set[k] === v);
      expect(parseSelector(`${k}==${v}`)(set)).toBe(set[k] === v);
      expect(parseSelector(`${k}!=${v}`)(set)).toBe(set[k] !== v);
      expect(parseSelector(`${k} in (${v}, other)`)(set)).toBe(set[k] === v);
      expect(parseSelector(`${k} notin (${v},other)`)(set)).toBe(set[k] !== v);
      expect(parseSelector(k)(set)).toBe(k in set);
      expect(parseSelector(`!${k}`)(set)).toBe(!(k in set));
    },
  );

  test.prop([labels, fc.array(fc.tuple(key, value), { maxLength: 4 })])(
    'joined by commas holds where all parts hold',
    (set, pairs) => {
      const parts = pairs.map(([k, v]) => `${k} in (${v},never)`);
      expect(parseSelector(parts.join(','))(set)).toBe(parts.every((part) => parseSelector(part)(set)));
    },
  );

  test.prop([fc.string()])('is understood or refused as invalid input, whatever is sent', (text) => {
    try {
      parseSelector(text)({ a: 'b' });
    } catch (error) {
      expect(error).toBeInstanceOf(ApiError);
      expect(error).toMatchObject({ code: 'invalid_input' });
    }
  });

  test('knows what a label may be', () => {
    for (const good of ['a', 'a.b_c-d', 'example.com/a', 'a'.repeat(63)]) expect(isLabelKey(good)).toBe(true);
    for (const bad of ['', '-a', 'a-', 'hetzner.cloud/a', '/a', 'a/', 'a b', 'a'.repeat(64), 'A_B/c'])
      expect(isLabelKey(bad)).toBe(false);
    expect(isLabelValue('')).toBe(true);
    expect(isLabelValue('_')).toBe(false);
  });
});
