import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FabricHost } from '../../lab/fabric/types.ts';
import { systemClock } from '../../src/base/clock.ts';
import { HetznerError } from '../../src/systems/hetzner/errors.ts';
import { smallWorld, type SmallWorld } from './harness.ts';

const PORT = 6443;
interface Node {
  readonly name: string;
  readonly address: string;
  readonly host: FabricHost;
  readonly server: Server;
  /** Connections as the node's process sees them. */
  readonly accepted: Socket[];
  readonly heard: string[];
}

let world: SmallWorld;
let one: Node;
let two: Node;
let child: ChildProcess | undefined;
const sockets = new Set<Socket>();

/** A node whose process says `hello`, and answers every line with `name: line`. */
async function addNode(name: string): Promise<Node> {
  const { server: cloudServer, host } = await world.addServer(name);
  const [accepted, heard]: [Socket[], string[]] = [[], []];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.write(`hello from ${name}\n`);
    socket.on('data', (chunk) => {
      heard.push(chunk.toString());
      socket.write(`${name}: ${chunk.toString()}`);
    });
  });
  server.listen({ host: host.hidden, port: PORT });
  await once(server, 'listening');
  await host.open(PORT);
  return { name, address: cloudServer.publicIPv4, host, server, accepted, heard };
}

interface Line {
  readonly socket: Socket;
  readonly text: () => string;
  closed: string | undefined;
}

/** Dials as the client, or as a node's process. */
function dial(to: Node, as?: Node): Line {
  const socket = connect({
    host: to.address,
    port: PORT,
    ...(as === undefined ? {} : { localAddress: as.host.hidden }),
  });
  let text = '';
  const line: Line = { socket, text: () => text, closed: undefined };
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', (error) => (line.closed = 'code' in error ? String(error.code) : 'error'));
  socket.on('close', () => (line.closed ??= 'end'));
  sockets.add(socket);
  return line;
}

const pause = (ms = 120): Promise<void> => systemClock.sleep(ms);
const greeted = (line: Line) => expect.poll(line.text).toContain('hello');
const set = (kind: string, parameters: Record<string, unknown> = {}) => world.faults.set(kind, parameters);

beforeAll(async () => {
  world = await smallWorld(() => (child?.pid === undefined ? [] : [{ pid: child.pid, party: 'cp-1' }]));
  one = await addNode('cp-1');
  two = await addNode('cp-2');
});
afterEach(async () => {
  await world.faults.registry.clear();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  child?.kill('SIGKILL');
  child = undefined;
});
afterAll(async () => {
  for (const node of [one, two]) {
    node.server.close();
    for (const socket of node.accepted) socket.destroy();
  }
  await world.close();
});

describe('a partition', () => {
  test('silences what is open and lets nothing new come about; healed, what was sent arrives', async () => {
    const open = dial(one);
    await greeted(open);
    await set('partition', { from: 'client', to: 'cp-1' });
    open.socket.write('are you there?\n');
    const late = dial(one);
    await greeted(dial(two));
    await pause();
    expect([open.text(), late.text()]).toEqual(['hello from cp-1\n', '']);
    expect([open.closed, late.closed]).toEqual([undefined, undefined]);
    await world.faults.registry.clear();
    await greeted(late);
    await expect.poll(open.text).toContain('cp-1: are you there?');
  });

  test('shows how many connections it has befallen, and befalls no more than it was told to', async () => {
    const shown = () => world.faults.registry.show()[0];
    const before = dial(one);
    await greeted(before);
    await greeted(dial(two));
    await set('partition', { from: 'client', to: 'cp-1', count: 3 });
    expect(shown()).toMatchObject({ hits: 1, left: 2, state: 'active' });
    const cut = [dial(one), dial(one)];
    await pause();
    await greeted(dial(two));
    expect(shown()).toMatchObject({ hits: 3, left: 0, state: 'spent' });
    await greeted(dial(one));
    before.socket.write('lost\n');
    await pause();
    expect([before, ...cut].map((line) => line.text())).toEqual(['hello from cp-1\n', '', '']);
    await world.faults.registry.clear();
    await Promise.all(cut.map(greeted));
  });

  test('one way: what the node says still arrives, what it is told does not', async () => {
    const open = dial(one);
    await greeted(open);
    await set('partition', { from: 'client', to: 'cp-1', 'one-way': true });
    const before = one.heard.length;
    open.socket.write('unheard\n');
    one.accepted.at(-1)?.write('news\n');
    await expect.poll(open.text).toContain('news');
    expect(one.heard.length).toBe(before);
    const late = dial(one);
    await pause();
    expect(late.text()).toBe('');
  });

  test('a client that goes away meanwhile is missed by the node only afterwards', async () => {
    const open = dial(one);
    await greeted(open);
    const seen = one.accepted.at(-1);
    await set('partition', { from: 'client', to: 'cp-1' });
    open.socket.resetAndDestroy();
    await pause();
    expect(seen?.destroyed).toBe(false);
    await world.faults.registry.clear();
    await expect.poll(() => seen?.destroyed).toBe(true);
  });

  test('between two nodes: neither hears the other, both are there for clients', async () => {
    await set('partition', { from: 'cp-1', to: 'cp-2' });
    const [forth, back] = [dial(two, one), dial(one, two)];
    await greeted(dial(one));
    await greeted(dial(two));
    await pause();
    expect([forth.text(), back.text()]).toEqual(['', '']);
  });

  test('a real process of a node, which dials from 127.0.0.1, is known by its socket', async () => {
    await set('partition', { from: 'cp-1', to: 'cp-2' });
    const run = (): Promise<string> =>
      new Promise((resolve) => {
        const code = `require('net').connect(${PORT},'${two.address}').on('data',()=>{console.log('heard')})`;
        child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
        child.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim()));
      });
    const heard = run();
    expect(await Promise.race([heard, pause(700).then(() => 'nothing')])).toBe('nothing');
    await world.faults.registry.clear();
    expect(await heard).toBe('heard');
  });

  test('from the cloud: a node gets no answer of it, everybody else does', async () => {
    await set('partition', { from: 'cp-1', to: 'cloud' });
    const ask = (from: string | undefined): Promise<number | string> =>
      new Promise((resolve) => {
        const url = `${world.cloud.url}/servers`;
        const request = get(url, { ...(from && { localAddress: from }), timeout: 200, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        request.on('timeout', () => request.destroy(new Error('timeout')));
        request.on('error', (error) => resolve(error.message));
      });
    expect(await ask(one.host.hidden)).toBe('timeout');
    expect(await ask(two.host.hidden)).toBe(401);
    expect(await ask(undefined)).toBe(401);
  });

  test('of fairlead from the cloud: it says that nothing answers, and goes on when it is over', async () => {
    await set('partition', { from: 'client', to: 'cloud' });
    const client = world.client({ requestTimeoutMs: 200, retry: { attempts: 2, baseMs: 10 } });
    const error: unknown = await client.servers().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HetznerError);
    expect(error).toMatchObject({ code: 'request_timeout' });
    await world.faults.registry.clear();
    expect((await client.servers()).map((s) => s.name)).toEqual(['cp-1', 'cp-2']);
  });
});

describe('a bad line', () => {
  test('latency is met on every way, and gone when it is cleared', async () => {
    const open = dial(one);
    await greeted(open);
    const roundTrip = async (word: string): Promise<number> => {
      const began = systemClock.now();
      open.socket.write(word);
      await expect.poll(open.text, { interval: 5 }).toContain(`cp-1: ${word}`);
      return systemClock.now() - began;
    };
    expect(await roundTrip('one')).toBeLessThan(80);
    await set('latency', { from: 'client', to: 'cp-1', delay: '80ms' });
    expect(await roundTrip('two')).toBeGreaterThanOrEqual(158);
    const began = systemClock.now();
    await greeted(dial(one));
    // The handshake, there and back, and the greeting.
    expect(systemClock.now() - began).toBeGreaterThanOrEqual(235);
    await world.faults.registry.clear();
    expect(await roundTrip('four')).toBeLessThan(80);
  });

  test('with loss everything arrives, in order', async () => {
    const open = dial(one);
    await greeted(open);
    const before = one.heard.length;
    await set('loss', { from: 'client', to: 'cp-1', percent: 40 });
    for (let n = 0; n < 6; n += 1) {
      open.socket.write(`${n};`);
      await pause(5);
    }
    await expect.poll(() => one.heard.slice(before).join(''), { timeout: 15_000 }).toBe('0;1;2;3;4;5;');
  });

  test('all of it lost: nothing comes, and nothing is refused', async () => {
    await set('loss', { from: 'client', to: 'cp-1', percent: 100 });
    const line = dial(one);
    await pause();
    expect([line.text(), line.closed]).toEqual(['', undefined]);
  });
});

describe('a node', () => {
  test('whose firewall is closed for one source swallows its new connections; open ones live on', async () => {
    const open = dial(two, one);
    await greeted(open);
    await set('firewall', { node: 'cp-2', port: PORT, from: 'cp-1' });
    const late = dial(two, one);
    await greeted(dial(two));
    open.socket.write('still here\n');
    await expect.poll(open.text).toContain('still here');
    expect([late.text(), late.closed]).toEqual(['', undefined]);
    await world.faults.registry.clear();
    await greeted(late);
  });

  test('counts the connections that its closed firewall swallows, not those that live on', async () => {
    await greeted(dial(one));
    await set('firewall', { node: 'cp-1' });
    expect(world.faults.registry.show()).toMatchObject([{ hits: 0 }]);
    dial(one);
    await expect.poll(() => world.faults.registry.show()).toMatchObject([{ hits: 1, state: 'active' }]);
  });

  test('that hangs accepts and says nothing; one that refuses resets; cleared, it is up', async () => {
    await set('node-hung', { node: 'cp-1' });
    const hung = dial(one);
    await once(hung.socket, 'connect');
    await pause();
    expect([hung.text(), hung.closed]).toEqual(['', undefined]);
    await world.faults.registry.clear();
    await set('node-refusing', { node: 'cp-1' });
    const refused = dial(one);
    await expect.poll(() => refused.closed).toBe('ECONNREFUSED');
    await world.faults.registry.clear();
    await greeted(dial(one));
  });

  test('that is off cannot be made to hang, and one that was switched meanwhile is left as it is', async () => {
    await one.host.setCondition('off');
    await expect(set('node-hung', { node: 'cp-1' })).rejects.toThrow('cp-1 is off');
    await one.host.setCondition('up');
    await set('node-hung', { node: 'cp-1' });
    await one.host.setCondition('off');
    const [cleared] = await world.faults.registry.clear();
    expect(cleared?.notes.at(-1)).toContain('left so');
    expect(one.host.condition).toBe('off');
    await one.host.setCondition('up');
  });
});
