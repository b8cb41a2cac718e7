import { describe, expect, it } from 'vitest';
import { Leases } from './leases.ts';

describe('leases', () => {
  it('have at least two seconds', () => {
    const leases = new Leases();
    expect(leases.grant(1n, 1n, 0)).toBe(2n);
    expect(leases.grant(2n, 60n, 0)).toBe(60n);
    expect(() => leases.grant(2n, 60n, 0)).toThrow('lease already exists');
    expect(() => leases.grant(3n, 9_000_000_001n, 0)).toThrow('too large lease TTL');
  });

  it('run out when nobody renews them, and cannot be renewed after', () => {
    const leases = new Leases();
    leases.grant(1n, 2n, 0);
    expect(leases.renew(1n, 1500)).toBe(2n);
    expect(leases.expired(3499)).toEqual([]);
    expect(leases.expired(3500)).toEqual([1n]);
    expect(leases.renew(1n, 3500)).toBeUndefined();
    expect(leases.look(1n, 3500)).toBeUndefined();
  });

  it('begin anew, whole and a little more, when a new leader takes over', () => {
    const leases = new Leases();
    leases.grant(1n, 60n, 0);
    leases.rearm(59_000, 1000);
    expect(leases.expired(119_999)).toEqual([]);
    expect(leases.expired(120_000)).toEqual([1n]);
  });

  it('name the keys that go with them: those put last under them', () => {
    const leases = new Leases();
    leases.grant(1n, 60n, 0);
    leases.grant(2n, 60n, 0);
    leases.move('b', 0n, 1n);
    leases.move('a', 0n, 1n);
    leases.move('c', 0n, 1n);
    leases.move('c', 1n, 2n);
    expect(leases.remove(1n)).toEqual(['a', 'b']);
    expect(() => leases.remove(1n)).toThrow('requested lease not found');
    expect(leases.look(2n, 0)?.keys).toEqual(['c']);
  });
});
