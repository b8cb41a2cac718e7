import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/base/failure.ts';
import { seededRandom, systemRandom } from '../../src/base/random.ts';
import { startLoopback, type LoopbackFabric } from './loopback.ts';
import type { FabricHost } from './types.ts';

const PORT = 6443;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fabric(): Promise<LoopbackFabric> {
  const made = await startLoopback({ random: systemRandom });
  cleanups.push(() => made.close());
  return made;
}

/** A machine with a process that greets with its name and then echoes. */
async function machine(
  net: LoopbackFabric,
  name: string,
): Promise<{ host: FabricHost; address: string; sockets: Set<Socket> }> {
  const host = net.addHost(name);
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.write(`${name}\n`);
    socket.pipe(socket);
  });
  server.listen(PORT, host.hidden);
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = net.allocate('public');
  await host.claim(address);
  await host.open(PORT);
  await net.route(address, host);
  return { host, address, sockets };
}

interface Client {
  readonly socket: Socket;
  readonly heard: string[];
  /** What happened to it: connect, end, close, or an error code. */
  readonly events: string[];
}

function dial(address: string, port = PORT): Client {
  const socket = connect({ host: address, port });
  const client: Client = { socket, heard: [], events: [] };
  socket.setEncoding('utf8');
  socket.on('connect', () => client.events.push('connect'));
  socket.on('data', (text: string) => client.heard.push(text));
  socket.on('end', () => client.events.push('end'));
  socket.on('close', () => client.events.push('close'));
  socket.on('error', (error) => client.events.push('code' in error ? String(error.code) : error.message));
  cleanups.push(() => socket.destroy());
  return client;
}

async function until(done: () => boolean, ms = 2000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!done() && performance.now() < deadline) await sleep(5);
}

async function greeted(address: string): Promise<Client> {
  const client = dial(address);
  await until(() => client.heard.length > 0 || client.events.includes('close'));
  return client;
}

const children = (): number[] =>
  readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );

describe('the loopback fabric', () => {
  test('leads an address to the process of its machine, both ways', async () => {
    const net = await fabric();
    const { address } = await machine(net, 'cp-1');
    const client = await greeted(address);
    client.socket.write('hello');
    await until(() => client.heard.join('').includes('hello'));
    expect(client.heard.join('')).toBe('cp-1\nhello');
    client.socket.end();
    await until(() => client.events.includes('close'));
    expect(client.events).toEqual(['connect', 'end', 'close']);
  });

  test('passes a reset on to the process', async () => {
    const net = await fabric();
    const { address, sockets } = await machine(net, 'cp-1');
    const client = await greeted(address);
    const [inside] = sockets;
    const failed = once(inside!, 'error');
    client.socket.resetAndDestroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test('refuses while nothing listens on the port, and again when the process is gone', async () => {
    const net = await fabric();
    const { host, address } = await machine(net, 'cp-1');
    const other = dial(address, 50000);
    await until(() => other.events.includes('close'));
    expect(other.events).toEqual(['ECONNREFUSED', 'close']);
    await host.shut(PORT);
    const refused = dial(address);
    await until(() => refused.events.includes('close'));
    expect(refused.events).toEqual(['ECONNREFUSED', 'close']);
    await host.open(PORT);
    expect((await greeted(address)).heard).toEqual(['cp-1\n']);
  });

  test('swallows on every port when the machine is off; open connections fall silent; back on, a port refuses until something listens', async () => {
    const net = await fabric();
    const { host, address, sockets } = await machine(net, 'cp-1');
    const open = await greeted(address);
    await host.setCondition('off');
    for (const socket of sockets) socket.destroy();
    open.socket.write('anyone?');
    const late = [PORT, 50000, 2379].map((port) => dial(address, port));
    await sleep(1500);
    for (const client of late) expect(client.events).toEqual([]);
    expect(open.events).toEqual(['connect']);
    expect(open.heard).toEqual(['cp-1\n']);

    await host.shut(PORT);
    await host.setCondition('up');
    const early = dial(address);
    await until(() => early.events.includes('close'));
    expect(early.events).toEqual(['ECONNREFUSED', 'close']);
    // The machine was started anew and does not know the old connection.
    await until(() => open.events.includes('close'));
    expect(open.events).toEqual(['connect', 'ECONNRESET', 'close']);
    await host.open(PORT);
    expect((await greeted(address)).heard).toEqual(['cp-1\n']);
  });

  test('never refuses and never resets while a machine is switched off and on under a tight loop of connects from another process', async () => {
    const net = await fabric();
    const { host, address } = await machine(net, 'cp-1');
    const program = fileURLToPath(new URL('./connect-loop.test-program.ts', import.meta.url));
    const loop = spawn(process.execPath, [program, address, String(PORT)], { stdio: ['pipe', 'pipe', 'inherit'] });
    cleanups.push(() => loop.kill('SIGKILL'));
    const printed = text(loop.stdout);
    await sleep(300);
    for (let round = 0; round < 12; round += 1) {
      await sleep(80);
      await host.setCondition('off');
      await sleep(80);
      await host.setCondition('up');
    }
    loop.stdin.end();
    const seen: unknown = JSON.parse(await printed);
    // "accepted and silent" is a connection that was just being made when the cord was pulled.
    expect(
      Object.keys(Object(seen)).filter((what) => !['greeted', 'swallowed', 'accepted and silent'].includes(what)),
    ).toEqual([]);
    expect(seen).toMatchObject({ greeted: expect.any(Number), swallowed: expect.any(Number) });
  });

  test('is silent where the cloud leads an address to a machine that does not claim it, and leads on when it does', async () => {
    const net = await fabric();
    const { host } = await machine(net, 'cp-1');
    const floating = net.allocate('floating');
    await net.route(floating, host);
    const before = dial(floating);
    await sleep(300);
    expect(before.events).toEqual([]);
    await host.claim(floating);
    expect((await greeted(floating)).heard).toEqual(['cp-1\n']);
    expect(net.routed(floating)).toBe(host);
    const open = await greeted(floating);
    await host.unclaim(floating);
    const after = dial(floating);
    await sleep(300);
    expect([open.events, after.events]).toEqual([['connect'], []]);
  });

  test('resets open connections when an address is led to another machine, and leaves them silent when it is led nowhere', async () => {
    const net = await fabric();
    const one = await machine(net, 'cp-1');
    const two = await machine(net, 'cp-2');
    const floating = net.allocate('floating');
    await one.host.claim(floating);
    await two.host.claim(floating);
    await net.route(floating, one.host);
    const moved = await greeted(floating);
    await net.route(floating, two.host);
    await until(() => moved.events.includes('close'));
    expect(moved.events).toEqual(['connect', 'ECONNRESET', 'close']);
    const stays = await greeted(floating);
    expect(stays.heard).toEqual(['cp-2\n']);
    await net.route(floating, undefined);
    const nobody = dial(floating);
    await sleep(300);
    expect([stays.events, nobody.events]).toEqual([['connect'], []]);
    // Also one that fell silent in between is unknown to the next machine.
    await net.route(floating, one.host);
    await until(() => stays.events.includes('close'));
    expect(stays.events).toEqual(['connect', 'ECONNRESET', 'close']);
  });

  test('accepts and says nothing for a hung machine; refuses for a refusing one', async () => {
    const net = await fabric();
    const { host, address } = await machine(net, 'cp-1');
    const open = await greeted(address);
    await host.setCondition('hung');
    const hung = dial(address, 50000);
    hung.socket.write('hello?');
    open.socket.write('hello?');
    await sleep(300);
    expect([hung.events, hung.heard]).toEqual([['connect'], []]);
    expect([open.events, open.heard]).toEqual([['connect'], ['cp-1\n']]);
    await host.setCondition('refusing');
    const refused = dial(address);
    await until(() => refused.events.includes('close') && open.events.includes('close'));
    expect(refused.events).toEqual(['ECONNREFUSED', 'close']);
    expect(open.events).toEqual(['connect', 'ECONNRESET', 'close']);
    await host.setCondition('up');
    expect((await greeted(address)).heard).toEqual(['cp-1\n']);
  });

  test('keeps many dead addresses silent at the cost of one small process each, and leaves none behind', async () => {
    const net = await fabric();
    const before = children().length;
    const addresses = Array.from({ length: 10 }, () => net.allocate('public'));
    await Promise.all(addresses.map((address) => net.route(address, undefined)));
    const kept = children();
    expect(kept.length - before).toBe(10);
    const last = addresses.at(-1) ?? '';
    const client = dial(last);
    await sleep(200);
    expect(client.events).toEqual([]);
    await net.close();
    expect(children().length).toBe(before);
    const gone = dial(last);
    await until(() => gone.events.includes('close'));
    expect(gone.events).toEqual(['ECONNREFUSED', 'close']);
  });

  test('gives no address twice, from parts that do not meet; two labs own different ranges', async () => {
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
    const early = dial(address, 8443);
    await until(() => early.events.includes('close'));
    expect(early.events).toEqual(['ECONNREFUSED', 'close']);
    await host.open(8443);
    const client = dial(address, 8443);
    await until(() => client.heard.length > 0);
    expect(client.heard).toEqual(['hello\n']);
    for (const [condition, events] of [
      ['off', []],
      ['hung', ['connect']],
    ] as const) {
      await host.setCondition(condition);
      const other = dial(address, 8443);
      await sleep(200);
      expect([condition, other.events]).toEqual([condition, events]);
    }
    await net.route(address, undefined);
    const gone = dial(address, 8443);
    await sleep(200);
    expect(gone.events).toEqual([]);
    await expect(host.open(443)).rejects.toThrow(RangeError);
  });

  test('a port that another program has on the address is refused to the machine, which goes on without it', async () => {
    const net = await fabric();
    const { host, address } = await machine(net, 'cp-1');
    const intruder = createServer().listen(8443, address);
    await once(intruder, 'listening');
    cleanups.push(() => intruder.close());
    await expect(host.open(8443)).rejects.toMatchObject({ code: 'lab-port-in-use' });
    expect((await greeted(address)).heard).toEqual(['cp-1\n']);
    await host.setCondition('off');
    const off = dial(address);
    await sleep(200);
    expect(off.events).toEqual([]);
  });

  test('lists what it bends', async () => {
    const { limits } = await fabric();
    for (const word of ['127.', 'localhost', '--advertise-address', 'SAN', 'IPv6', 'resolve'])
      expect(limits.some((limit) => limit.includes(word))).toBe(true);
  });
});
