import { Resolver } from 'node:dns/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { CloudZone } from '../../lab/cloud/types.ts';
import { startDnsServer } from '../../lab/dns/server.ts';
import type { DnsServer } from '../../lab/dns/types.ts';
import { systemClock } from '../../src/base/clock.ts';
import { smallWorld, type SmallWorld } from './harness.ts';

let world: SmallWorld;
let server: DnsServer;
const resolver = new Resolver({ timeout: 100, tries: 1 });

const zone = (address: string): CloudZone => ({
  id: 7,
  name: 'example.org',
  ttl: 60,
  rrsets: [{ name: 'api', type: 'A', ttl: null, records: [address] }],
});

beforeAll(async () => {
  world = await smallWorld();
  server = await startDnsServer({
    address: world.fabric.allocate('service'),
    port: 8053,
    clock: systemClock,
    speed: 30,
    audit: world.audit,
    knobs: { propagationMs: 0 },
    fault: world.faults.dns,
    log: () => {},
  });
  server.apply(zone('192.0.2.1'));
  resolver.setServers([`${server.address}:${server.port}`]);
});
afterEach(() => world.faults.registry.clear());
afterAll(async () => {
  await server.close();
  await world.close();
});

const ask = (name = 'api.example.org'): Promise<string> =>
  resolver.resolve4(name).then(
    ([address]) => address ?? '',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : 'error'),
  );

test.each([
  ['nxdomain', 'ENOTFOUND'],
  ['none', 'ETIMEOUT'],
  ['servfail', 'ESERVFAIL'],
  ['198.51.100.9', '198.51.100.9'],
])('%s, and the truth again when it is cleared', async (answer, expected) => {
  await world.faults.set('dns', { answer, name: '**.example.org' });
  expect(await ask()).toBe(expected);
  await world.faults.registry.clear();
  expect(await ask()).toBe('192.0.2.1');
});

test('stale: what was true when the fault was set', async () => {
  await world.faults.set('dns', { answer: 'stale' });
  server.apply(zone('192.0.2.2'));
  expect(await ask()).toBe('192.0.2.1');
  await world.faults.registry.clear();
  expect(await ask()).toBe('192.0.2.2');
  server.apply(zone('192.0.2.1'));
});

test('only the names that were meant, as often as was meant', async () => {
  await world.faults.set('dns', { answer: 'nxdomain', name: 'other.example.org', count: '1' });
  expect(await ask()).toBe('192.0.2.1');
  await world.faults.set('dns', { answer: 'nxdomain', name: 'API.example.org.', count: '1' });
  expect([await ask(), await ask()]).toEqual(['ENOTFOUND', '192.0.2.1']);
});

test('a client that is cut off from the name server hears nothing; what cannot be cut is refused', async () => {
  await world.faults.set('partition', { from: 'client', to: 'dns' });
  expect(await ask()).toBe('ETIMEOUT');
  expect(() => world.faults.set('latency', { from: 'client', to: 'dns' })).toThrow('UDP');
  expect(() => world.faults.set('dns', { answer: 'sometimes' })).toThrow('--answer is sometimes');
});
