import { describe, expect, it } from 'vitest';
import { finished, IP, pinned } from '../model/observation.testing.ts';
import { rollOrder } from './roll-order.ts';

describe('the order in which control planes are disturbed', () => {
  it('is followers, then the etcd leader', () => {
    expect(rollOrder(pinned(), undefined, null).map((n) => n.name)).toEqual(['cp-2', 'cp-3', 'cp-1']);
  });

  it('puts whom the address leads to last, by claim or by assignment', () => {
    expect(rollOrder(finished(), IP, null).map((n) => n.name)).toEqual(['cp-3', 'cp-1', 'cp-2']);
    expect(rollOrder(pinned(), IP, 103).map((n) => n.name)).toEqual(['cp-2', 'cp-1', 'cp-3']);
  });
});
