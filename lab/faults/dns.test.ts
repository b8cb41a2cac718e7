import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { checkDnsAnswer, dnsFaults } from './dns.ts';
import { createFaults } from './registry.ts';

test('a fault of names answers those it covers as often as it was told to, and says what it makes of them', async () => {
  const registry = createFaults({ clock: systemClock, begin: async () => undefined });
  const ask = dnsFaults(registry, systemClock);
  const question = { name: 'api.example.com', type: 'A' };
  expect(ask(question)).toBeUndefined();
  await registry.set({ kind: 'dns', parameters: { answer: 'nxdomain', name: 'api.*', count: 1 } });
  expect(ask({ ...question, name: 'www.example.com' })).toBeUndefined();
  expect(ask(question)).toEqual({ kind: 'no-such-name' });
  expect(ask(question)).toBeUndefined();
  for (const [answer, fault] of [
    ['none', { kind: 'silent' }],
    ['servfail', { kind: 'server-failure' }],
    ['127.64.9.9', { kind: 'wrong', address: '127.64.9.9' }],
  ] as const) {
    const { id } = await registry.set({ kind: 'dns', parameters: { answer } });
    expect(ask(question)).toEqual(fault);
    await registry.clear(id);
  }
  const before = systemClock.now();
  await registry.set({ kind: 'dns', parameters: { answer: 'stale' } });
  const stale = ask(question);
  expect(stale).toMatchObject({ kind: 'stale' });
  // Wall clocks count whole milliseconds.
  if (stale?.kind === 'stale') expect(Math.abs(stale.at - before)).toBeLessThan(50);
});

test('only the words of the catalogue and IPv4 addresses are answers', () => {
  for (const answer of ['nxdomain', 'none', 'stale', 'servfail', '127.64.1.2']) checkDnsAnswer({ answer });
  for (const answer of ['toString', '2001:db8::1', 'NXDOMAIN'])
    expect(() => checkDnsAnswer({ answer })).toThrow('not set');
});
