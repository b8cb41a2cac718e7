import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Fabric, FabricHost } from './types.ts';

/**
 * What every fabric does, told once and run on each. Nothing of a test runner is used, so that the namespaces' fabric can
 * be tried in a process of its own namespaces (netns/scenario.test-program.ts).
 */
export interface Scenario {
  readonly name: string;
  run(world: ScenarioWorld): Promise<void>;
}

/** A fabric to try, and what must be undone at the end, last first. */
export interface ScenarioWorld {
  readonly net: Fabric;
  readonly cleanups: (() => unknown)[];
}

export const PORT = 6443;

export interface TestMachine {
  readonly host: FabricHost;
  readonly address: string;
  readonly sockets: Set<Socket>;
  /** Source addresses of those who called, in order. */
  readonly callers: readonly (string | undefined)[];
}

/** A machine with a process that greets with its name and then echoes. */
export async function machine({ net, cleanups }: ScenarioWorld, name: string): Promise<TestMachine> {
  const host = net.addHost(name);
  const sockets = new Set<Socket>();
  const callers: (string | undefined)[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    callers.push(socket.remoteAddress);
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
  return { host, address, sockets, callers };
}

export interface Client {
  readonly socket: Socket;
  readonly heard: string[];
  /** What happened to it: connect, end, close, or an error code. */
  readonly events: string[];
}

export function dial({ cleanups }: ScenarioWorld, address: string, port = PORT): Client {
  const socket = connect({ host: address, port });
  const client: Client = { socket, heard: [], events: [] };
  socket.setEncoding('utf8');
  socket.on('connect', () => client.events.push('connect'));
  socket.on('data', (said: string) => client.heard.push(said));
  socket.on('end', () => client.events.push('end'));
  socket.on('close', () => client.events.push('close'));
  socket.on('error', (error) => client.events.push('code' in error ? String(error.code) : error.message));
  cleanups.push(() => socket.destroy());
  return client;
}

export async function until(done: () => boolean, ms = 2000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!done() && performance.now() < deadline) await sleep(5);
}

export async function greeted(world: ScenarioWorld, address: string): Promise<Client> {
  const client = dial(world, address);
  await until(() => client.heard.length > 0 || client.events.includes('close'));
  return client;
}

/** Waits for the end of a connection. Over a kernel's network it comes as the answer to the next packet: one is sent. */
async function ended(client: Client): Promise<void> {
  if (!client.events.includes('close')) client.socket.write('still there?');
  // As long as TCP's own repetitions may take after a time of silence.
  await until(() => client.events.includes('close'), 6000);
}

const REFUSED = ['ECONNREFUSED', 'close'];
const RESET = ['connect', 'ECONNRESET', 'close'];

export const scenarios: readonly Scenario[] = [
  {
    name: 'leads an address to the process of its machine, both ways',
    async run(world) {
      const { address } = await machine(world, 'cp-1');
      const client = await greeted(world, address);
      client.socket.write('hello');
      await until(() => client.heard.join('').includes('hello'));
      assert.equal(client.heard.join(''), 'cp-1\nhello');
      client.socket.end();
      await until(() => client.events.includes('close'));
      assert.deepEqual(client.events, ['connect', 'end', 'close']);
    },
  },
  {
    name: 'passes a reset on to the process',
    async run(world) {
      const { address, sockets } = await machine(world, 'cp-1');
      const client = await greeted(world, address);
      const [inside] = sockets;
      assert.ok(inside);
      const failed = once(inside, 'error');
      client.socket.resetAndDestroy();
      const [error] = await failed;
      assert.equal(Object(error).code, 'ECONNRESET');
    },
  },
  {
    name: 'refuses while nothing listens on the port, and again when the process is gone',
    async run(world) {
      const { host, address } = await machine(world, 'cp-1');
      const other = dial(world, address, 50000);
      await until(() => other.events.includes('close'));
      assert.deepEqual(other.events, REFUSED);
      await host.shut(PORT);
      const refused = dial(world, address);
      await until(() => refused.events.includes('close'));
      assert.deepEqual(refused.events, REFUSED);
      await host.open(PORT);
      assert.deepEqual((await greeted(world, address)).heard, ['cp-1\n']);
    },
  },
  {
    name: 'swallows on every port when the machine is off; open connections fall silent; back on, a port refuses until something listens',
    async run(world) {
      const { host, address, sockets } = await machine(world, 'cp-1');
      const open = await greeted(world, address);
      await host.setCondition('off');
      for (const socket of sockets) socket.destroy();
      open.socket.write('anyone?');
      const late = [PORT, 50000, 2379].map((port) => dial(world, address, port));
      await sleep(1500);
      for (const client of late) assert.deepEqual(client.events, []);
      assert.deepEqual(open.events, ['connect']);
      assert.deepEqual(open.heard, ['cp-1\n']);

      await host.shut(PORT);
      await host.setCondition('up');
      const early = dial(world, address);
      await until(() => early.events.includes('close'), 4000);
      assert.deepEqual(early.events, REFUSED);
      // The machine was started anew and does not know the old connection.
      await ended(open);
      assert.deepEqual(open.events, RESET);
      await host.open(PORT);
      assert.deepEqual((await greeted(world, address)).heard, ['cp-1\n']);
    },
  },
  {
    name: 'never refuses and never resets while a machine is switched off and on under a tight loop of connects from another process',
    async run(world) {
      const { host, address } = await machine(world, 'cp-1');
      const program = fileURLToPath(new URL('./connect-loop.test-program.ts', import.meta.url));
      const loop = spawn(process.execPath, [program, address, String(PORT)], { stdio: ['pipe', 'pipe', 'inherit'] });
      world.cleanups.push(() => loop.kill('SIGKILL'));
      const printed = text(loop.stdout);
      await sleep(300);
      for (let round = 0; round < 12; round += 1) {
        await sleep(80);
        await host.setCondition('off');
        await sleep(80);
        await host.setCondition('up');
      }
      loop.stdin.end();
      const seen = Object(JSON.parse(await printed));
      // "accepted and silent" is a connection that was just being made when the cord was pulled.
      const allowed = ['greeted', 'swallowed', 'accepted and silent'];
      assert.deepEqual(
        Object.keys(seen).filter((what) => !allowed.includes(what)),
        [],
      );
      assert.ok(seen.greeted > 0 && seen.swallowed > 0, JSON.stringify(seen));
    },
  },
  {
    name: 'is silent where the cloud leads an address to a machine that does not claim it, and leads on when it does',
    async run(world) {
      const { net } = world;
      const { host } = await machine(world, 'cp-1');
      const floating = net.allocate('floating');
      await net.route(floating, host);
      const before = dial(world, floating);
      await sleep(300);
      assert.deepEqual(before.events, []);
      await host.claim(floating);
      assert.deepEqual((await greeted(world, floating)).heard, ['cp-1\n']);
      assert.equal(net.routed(floating), host);
      const open = await greeted(world, floating);
      await host.unclaim(floating);
      const after = dial(world, floating);
      open.socket.write('anyone?');
      await sleep(300);
      assert.deepEqual([open.events, open.heard, after.events], [['connect'], ['cp-1\n'], []]);
    },
  },
  {
    name: 'resets open connections when an address is led to another machine, and leaves them silent when it is led nowhere',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const floating = net.allocate('floating');
      await one.host.claim(floating);
      await two.host.claim(floating);
      await net.route(floating, one.host);
      const moved = await greeted(world, floating);
      await net.route(floating, two.host);
      await ended(moved);
      assert.deepEqual(moved.events, RESET);
      const stays = await greeted(world, floating);
      assert.deepEqual(stays.heard, ['cp-2\n']);
      await net.route(floating, undefined);
      const nobody = dial(world, floating);
      stays.socket.write('anyone?');
      await sleep(300);
      assert.deepEqual([stays.events, stays.heard, nobody.events], [['connect'], ['cp-2\n'], []]);
      // Also one that fell silent in between is unknown to the next machine.
      await net.route(floating, one.host);
      await ended(stays);
      assert.deepEqual(stays.events, RESET);
    },
  },
  {
    name: 'accepts and says nothing for a hung machine; refuses for a refusing one',
    async run(world) {
      const { host, address } = await machine(world, 'cp-1');
      const open = await greeted(world, address);
      await host.setCondition('hung');
      const hung = dial(world, address, 50000);
      hung.socket.write('hello?');
      open.socket.write('hello?');
      await sleep(300);
      assert.deepEqual([hung.events, hung.heard], [['connect'], []]);
      assert.deepEqual([open.events, open.heard], [['connect'], ['cp-1\n']]);
      await host.setCondition('refusing');
      const refused = dial(world, address);
      await until(() => refused.events.includes('close'));
      await ended(open);
      assert.deepEqual(refused.events, REFUSED);
      assert.deepEqual(open.events, RESET);
      await host.setCondition('up');
      assert.deepEqual((await greeted(world, address)).heard, ['cp-1\n']);
    },
  },
  {
    name: 'gives an address to nobody else when its machine is gone, and a new machine of that name has new ones',
    async run(world) {
      const { net } = world;
      const old = await machine(world, 'cp-1');
      await net.route(old.address, undefined);
      await old.host.remove();
      const again = await machine(world, 'cp-1');
      assert.notEqual(again.address, old.address);
      assert.notEqual(again.host.hidden, old.host.hidden);
      assert.deepEqual((await greeted(world, again.address)).heard, ['cp-1\n']);
      const nobody = dial(world, old.address);
      await sleep(300);
      assert.deepEqual(nobody.events, []);
    },
  },
  {
    name: 'gives no address twice, from parts that do not meet',
    async run({ net }) {
      const given = (['public', 'private', 'floating', 'service'] as const).flatMap((purpose) =>
        Array.from({ length: 200 }, () => net.allocate(purpose)),
      );
      assert.equal(new Set(given).size, given.length);
      for (const address of given) {
        const last = Number(address.split('.')[3]);
        assert.ok(last > 0 && last < 255, address);
      }
    },
  },
];
