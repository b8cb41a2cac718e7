import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { pickTarget } from './pick.ts';

const targets = (...connections: number[]) => connections.map((count, n) => ({ key: `t${n}`, connections: count }));
const some = fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }).map((counts) => targets(...counts));

describe('the choice of a target', () => {
  test.prop([some])('round robin sends each the same number, whatever they have open', (candidates) => {
    const sent = new Map<string, number>();
    let last: string | undefined;
    for (let n = 0; n < candidates.length * 3; n += 1) {
      last = pickTarget('round_robin', candidates, last)?.key;
      sent.set(last ?? '', (sent.get(last ?? '') ?? 0) + 1);
    }
    expect([...sent.values()]).toEqual(candidates.map(() => 3));
  });

  test.prop([some, fc.option(fc.constantFrom('t0', 't3', 'gone'), { nil: undefined })])(
    'least connections never sends where more are open than elsewhere',
    (candidates, last) => {
      const chosen = pickTarget('least_connections', candidates, last);
      expect(chosen?.connections).toBe(Math.min(...candidates.map((c) => c.connections)));
    },
  );

  test('goes on behind the last one, also when that one is gone; among the least it goes round', () => {
    expect(pickTarget('round_robin', targets(0, 0, 0), 't1')?.key).toBe('t2');
    expect(pickTarget('round_robin', targets(0, 0, 0), 'gone')?.key).toBe('t0');
    expect(pickTarget('least_connections', targets(1, 1, 2), 't0')?.key).toBe('t1');
    expect(pickTarget('least_connections', targets(1, 1, 2), 't1')?.key).toBe('t0');
  });

  test('is nobody when there is nobody', () => {
    expect(pickTarget('round_robin', [], undefined)).toBeUndefined();
    expect(pickTarget('least_connections', [], 't0')).toBeUndefined();
  });
});
