import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { resentAfter, shapeOf } from './disturbance.ts';
import { inodeOf } from './owner.ts';
import type { Disturbance } from './types.ts';

const between = { from: 'a', to: 'b', oneWay: false } as const;

describe('rules between parties', () => {
  test.prop([fc.constantFrom('a', 'b', 'c'), fc.constantFrom('a', 'b', 'c'), fc.boolean()])(
    'a partition touches the two it names and nobody else, whoever dials',
    (dialer, host, oneWay) => {
      const shape = shapeOf([{ kind: 'partition', ...between, oneWay }], dialer, host, 6443);
      const named = new Set([dialer, host]).size === 2 && dialer !== 'c' && host !== 'c';
      expect(shape === undefined).toBe(!named);
      if (shape === undefined) return;
      expect(shape.admitted).toBe(false);
      expect([shape.up.blocked, shape.down.blocked].filter(Boolean)).toHaveLength(oneWay ? 1 : 2);
      if (oneWay) expect(shape.up.blocked).toBe(dialer === 'a');
    },
  );

  test('what several rules say adds up', () => {
    const rules: Disturbance[] = [
      { kind: 'latency', ...between, ms: 10 },
      { kind: 'latency', ...between, oneWay: true, ms: 5 },
      { kind: 'loss', ...between, share: 0.5 },
      { kind: 'loss', ...between, share: 0.5 },
    ];
    expect(shapeOf(rules, 'a', 'b', 1)).toEqual({
      admitted: true,
      up: { blocked: false, ms: 15, loss: 0.75 },
      down: { blocked: false, ms: 10, loss: 0.75 },
    });
  });

  test('a firewall is for new connections from elsewhere, to its port, from its source', () => {
    const rule: Disturbance = { kind: 'firewall', node: 'b', port: 6443, from: 'a' };
    expect(shapeOf([rule], 'a', 'b', 6443)).toMatchObject({ admitted: false, up: { blocked: false } });
    for (const [dialer, host, port] of [
      ['a', 'b', 50000],
      ['c', 'b', 6443],
      ['b', 'b', 6443],
      ['b', 'a', 6443],
    ] as const)
      expect(shapeOf([rule], dialer, host, port)).toBeUndefined();
    expect(shapeOf([{ ...rule, from: undefined, port: undefined }], 'c', 'b', 1)?.admitted).toBe(false);
  });
});

describe('what is lost', () => {
  test('comes one, three, seven times the first wait later', () => {
    const draws = [0.1, 0.1, 0.9];
    expect(resentAfter(0.5, 200, () => draws.shift() ?? 1)).toBe(600);
    expect(resentAfter(0, 200, () => 0)).toBe(0);
    expect(resentAfter(1, 1000, () => 0.5)).toBe(127_000);
  });
});

test('the inode of a socket is found by its local end', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:9C40 0241507F:192B 01 00000000:00000000 00:00000000 00000000     0        0 1234 1 0 20 4 30 10 -1
   1: 0241507F:192B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 5678 1 0 20 4 30 10 -1
   2: 0100007F:9C41 0241507F:192B 06 00000000:00000000 03:000016E9 00000000     0        0 0 3 0\n`;
  expect(inodeOf('127.0.0.1', 40_000, table)).toBe('1234');
  expect(inodeOf('127.80.65.2', 6443, table)).toBe('5678');
  expect(inodeOf('127.0.0.1', 40_001, table)).toBeUndefined();
});
