import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import { seededRandom, systemRandom } from '../../src/base/random.ts';
import { startLoopback, type LoopbackFabric } from './loopback.ts';
import { dial, greeted, machine, scenarios, until } from './scenarios.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fabric(): Promise<LoopbackFabric> {
  const made = await startLoopback({ random: systemRandom });
  cleanups.push(() => made.close());
  return made;
}

const children = (): number[] =>
  readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );

describe('the loopback fabric', () => {
  test.each(scenarios)('$name', async (scenario) => {
    await scenario.run({ net: await fabric(), cleanups });
  });

  test('keeps many dead addresses silent at the cost of one small process each, and leaves none behind', async () => {
    const net = await fabric();
    const before = children().length;
    const addresses = Array.from({ length: 10 }, () => net.allocate('public'));
    await Promise.all(addresses.map((address) => net.route(address, undefined)));
    const kept = children();
    expect(kept.length - before).toBe(10);
    const last = addresses.at(-1) ?? '';
    const client = dial({ net, cleanups }, last);
    await sleep(200);
    expect(client.events).toEqual([]);
    await net.close();
    expect(children().length).toBe(before);
    const gone = dial({ net, cleanups }, last);
    await until(() => gone.events.includes('close'));
    expect(gone.events).toEqual(['ECONNREFUSED', 'close']);
  });

  test('of the addresses of machines long gone only the last are kept silent; a floating one always is', async () => {
    const net = await fabric();
    const before = children().length;
    const floating = net.allocate('floating');
    await net.route(floating, undefined);
    const addresses = Array.from({ length: 66 }, () => net.allocate('public'));
    for (const address of addresses) await net.route(address, undefined);
    expect(children().length - before).toBe(65);
    const [oldest, newest, held] = [addresses[0] ?? '', addresses.at(-1) ?? '', floating].map((address) =>
      dial({ net, cleanups }, address),
    );
    await until(() => oldest?.events.includes('close') === true);
    expect(oldest?.events).toEqual(['ECONNREFUSED', 'close']);
    expect([newest?.events, held?.events]).toEqual([[], []]);
  });

  test('gives addresses of its own range, which no other lab has', async () => {
    const [one, two] = [await fabric(), await fabric()];
    expect(one.range).not.toBe(two.range);
    const given = (['public', 'private', 'floating', 'service'] as const).flatMap((purpose) =>
      Array.from({ length: 200 }, () => one.allocate(purpose)),
    );
    given.push(...Array.from({ length: 50 }, (_, i) => one.addHost(`node-${i}`).hidden));
    expect(new Set(given).size).toBe(given.length);
    for (const address of given) {
      expect(address.split('.').slice(0, 2).join('.')).toBe(one.range.split('.').slice(0, 2).join('.'));
      expect(Number(address.split('.')[3])).toBeGreaterThan(0);
      expect(Number(address.split('.')[3])).toBeLessThan(255);
    }
  });

  test('says clearly that a range is taken, that a port is taken by another program, and that this is not Linux', async () => {
    const net = await fabric();
    const base = Number(net.range.split('.')[1]);
    await expect(startLoopback({ random: seededRandom(1), base })).rejects.toMatchObject({
      code: 'lab-addresses-taken',
    });
    await expect(startLoopback({ random: seededRandom(1), platform: 'darwin' })).rejects.toThrow(Failure);
    await net.close();
    const intruder = createServer().listen(50001, `127.${base}.0.1`);
    await once(intruder, 'listening');
    cleanups.push(() => intruder.close());
    await expect(startLoopback({ random: seededRandom(1), base })).rejects.toMatchObject({
      code: 'lab-port-in-use',
      next: expect.stringContaining('50001'),
    });
  });

  test('holds a further port once a machine listens there: swallowed when off, hung when hung, also after the machine is gone', async () => {
    const net = await fabric();
    const host = net.addHost('balancer');
    const server = createServer((socket) => socket.end('hello\n')).listen(8443, host.hidden);
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const address = net.allocate('public');
    await host.claim(address);
    await net.route(address, host);
    const early = dial({ net, cleanups }, address, 8443);
    await until(() => early.events.includes('close'));
    expect(early.events).toEqual(['ECONNREFUSED', 'close']);
    await host.open(8443);
    const client = dial({ net, cleanups }, address, 8443);
    await until(() => client.heard.length > 0);
    expect(client.heard).toEqual(['hello\n']);
    for (const [condition, events] of [
      ['off', []],
      ['hung', ['connect']],
    ] as const) {
      await host.setCondition(condition);
      const other = dial({ net, cleanups }, address, 8443);
      await sleep(200);
      expect([condition, other.events]).toEqual([condition, events]);
    }
    await net.route(address, undefined);
    const gone = dial({ net, cleanups }, address, 8443);
    await sleep(200);
    expect(gone.events).toEqual([]);
    await expect(host.open(443)).rejects.toThrow(RangeError);
  });

  test('a port that another program has on the address is refused to the machine, which goes on without it', async () => {
    const net = await fabric();
    const { host, address } = await machine({ net, cleanups }, 'cp-1');
    const intruder = createServer().listen(8443, address);
    await once(intruder, 'listening');
    cleanups.push(() => intruder.close());
    await expect(host.open(8443)).rejects.toMatchObject({ code: 'lab-port-in-use' });
    expect((await greeted({ net, cleanups }, address)).heard).toEqual(['cp-1\n']);
    await host.setCondition('off');
    const off = dial({ net, cleanups }, address);
    await sleep(200);
    expect(off.events).toEqual([]);
  });

  test('lists what it bends', async () => {
    const { limits } = await fabric();
    for (const word of ['127.', 'localhost', '--advertise-address', 'SAN', 'IPv6', 'resolve'])
      expect(limits.some((limit) => limit.includes(word))).toBe(true);
  });
});
