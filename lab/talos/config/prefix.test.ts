import { describe, expect, test } from 'vitest';
import { comparePrefixes, hostPrefix } from './prefix.ts';

describe('prefixes of addresses', () => {
  test('an address alone has all its bits, of either family', () => {
    expect([hostPrefix('10.0.0.1'), hostPrefix('2001:db8::1')]).toEqual(['10.0.0.1/32', '2001:db8::1/128']);
  });

  test('IPv4 comes before IPv6, and each by number', () => {
    const ordered = [
      '10.0.0.2/32',
      '10.0.0.10/32',
      '127.0.0.1/8',
      '::1/128',
      '2001:db8:0:9::1/64',
      '2001:db8:0:10::1/64',
      'fd00::2/128',
    ];
    expect(ordered.toReversed().toSorted(comparePrefixes)).toEqual(ordered);
  });
});
