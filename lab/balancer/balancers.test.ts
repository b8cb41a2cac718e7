import { once } from 'node:events';
import https from 'node:https';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { KeyPair } from '../pki/types.ts';
import {
  cleanups,
  cleanUp,
  healthy,
  plainMachine,
  readyz,
  serverPair,
  serviceOf,
  targetsOf,
  tcpCheck,
  tlsMachine,
  until,
  world,
} from './testing.ts';

afterEach(cleanUp);

let pair: KeyPair;
beforeAll(async () => {
  pair = await serverPair('server');
});

interface Client {
  readonly socket: Socket;
  text: string;
  readonly events: string[];
}
function dial(address: string, port = 6443): Client {
  const socket = connect({ host: address, port });
  const client: Client = { socket, text: '', events: [] };
  socket.on('data', (chunk: Buffer) => (client.text += chunk.toString()));
  for (const event of ['connect', 'end', 'close'] as const) socket.on(event, () => client.events.push(event));
  socket.on('error', (error) => client.events.push('code' in error ? String(error.code) : error.message));
  cleanups.push(() => socket.destroy());
  return client;
}
async function greeting(address: string): Promise<Client> {
  const client = dial(address);
  await until(() => client.text.includes('\n') || client.events.includes('close'));
  return client;
}
const ask = (address: string): Promise<string> =>
  new Promise((resolve, reject) => {
    https
      .get({ host: address, port: 6443, path: '/version', rejectUnauthorized: false, agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve(body));
      })
      .on('error', reject);
  });

describe('a load balancer', () => {
  test('passes TLS through to its targets in turn; never before one is known to be healthy', async () => {
    const w = await world([serviceOf(readyz)]);
    const [one, two] = [await tlsMachine(w.net, 'cp-1', pair), await tlsMachine(w.net, 'cp-2', pair)];
    await w.describe({});
    const early = dial(w.address);
    await until(() => early.events.includes('close'));
    expect(early.events).toEqual(['connect', 'end', 'close']);
    await w.describe({ targets: targetsOf(one, two) });
    await healthy(w, one, two);
    const answers = [await ask(w.address), await ask(w.address), await ask(w.address), await ask(w.address)];
    expect(answers.toSorted()).toEqual(['cp-1', 'cp-1', 'cp-2', 'cp-2']);
    expect(answers[0]).not.toBe(answers[1]);
    expect(one.paths).toContain(`${one.address} /readyz`);
  });

  test('takes out a target whose /readyz is not accepted, which a TCP check would keep, and takes it back', async () => {
    const w = await world([serviceOf(readyz), serviceOf(tcpCheck, { listenPort: 7443 })]);
    const [one, two] = [await tlsMachine(w.net, 'cp-1', pair), await tlsMachine(w.net, 'cp-2', pair)];
    one.status = 401;
    await w.describe({ targets: targetsOf(one, two) });
    await healthy(w, one, two);
    one.status = 500;
    await until(() => w.health.get('cp-1')?.status === 'unhealthy');
    expect(w.health.get('cp-1')).toEqual({
      status: 'unhealthy',
      detail: 'unexpected_http_status',
      httpStatusCode: 500,
    });
    expect([await ask(w.address), await ask(w.address)]).toEqual(['cp-2', 'cp-2']);
    one.status = 200;
    await healthy(w, one);
    expect([await ask(w.address), await ask(w.address)].toSorted()).toEqual(['cp-1', 'cp-2']);
    expect(w.history.filter((line) => line === 'cp-1 unhealthy')).toHaveLength(1);
  });

  test('a target that is switched off swallows for the balancer too: connections to it hang until the checks find out, and those open are not moved (guess)', async () => {
    const w = await world([serviceOf({ ...tcpCheck, interval: 15, timeout: 10 })], {}, 15);
    const [one, two] = [await plainMachine(w.net, 'cp-1'), await plainMachine(w.net, 'cp-2')];
    await w.describe({ targets: targetsOf(one, two) });
    await healthy(w, one, two);
    const open = [await greeting(w.address), await greeting(w.address)];
    const onOne = open.find((client) => client.text === 'cp-1\n');
    await one.host.setCondition('off');
    const during = [dial(w.address), dial(w.address)];
    await sleep(150);
    expect(during.map((client) => client.text).toSorted()).toEqual(['', 'cp-2\n']);
    expect(during.every((client) => client.events.join() === 'connect')).toBe(true);
    await until(() => w.health.get('cp-1')?.status === 'unhealthy', 8_000);
    expect(w.health.get('cp-1')).toEqual({ status: 'unhealthy', detail: 'layer4_timeout' });
    expect([(await greeting(w.address)).text, (await greeting(w.address)).text]).toEqual(['cp-2\n', 'cp-2\n']);
    onOne?.socket.write('still there?');
    await sleep(200);
    expect([onOne?.text, onOne?.events]).toEqual(['cp-1\n', ['connect']]);
    expect(w.balancers.states()).toMatchObject([
      {
        id: 7,
        name: 'api',
        addresses: [w.address],
        services: [
          {
            port: 6443,
            listens: true,
            targets: [{ key: 'cp-1', health: { status: 'unhealthy' }, connections: 1 }, { key: 'cp-2' }],
          },
        ],
      },
    ]);
  });

  test('may reset what is open to a target it loses (knob)', async () => {
    const w = await world([serviceOf(tcpCheck)], { connectionsOfLostTarget: 'reset' });
    const one = await plainMachine(w.net, 'cp-1');
    await w.describe({ targets: targetsOf(one) });
    await healthy(w, one);
    const open = await greeting(w.address);
    await one.host.setCondition('off');
    await until(() => open.events.includes('close'));
    expect(open.events).toEqual(['connect', 'ECONNRESET', 'close']);
  });

  test('least connections fills up the target that has fewer open', async () => {
    const w = await world([serviceOf(tcpCheck)]);
    const [one, two] = [await plainMachine(w.net, 'cp-1'), await plainMachine(w.net, 'cp-2')];
    await w.describe({ targets: targetsOf(one) });
    await healthy(w, one);
    await Promise.all([1, 2, 3].map(() => greeting(w.address)));
    await w.describe({ targets: targetsOf(one, two), algorithm: 'least_connections' });
    await healthy(w, two);
    const next = [];
    for (let n = 0; n < 3; n += 1) next.push((await greeting(w.address)).text);
    expect(next).toEqual(['cp-2\n', 'cp-2\n', 'cp-2\n']);
  });

  test('with proxyprotocol every TLS connection breaks, because the target gets a header first; the health check passes all the same', async () => {
    const w = await world([serviceOf(readyz, { proxyProtocol: true })]);
    const one = await tlsMachine(w.net, 'cp-1', pair);
    await w.describe({ targets: targetsOf(one) });
    await healthy(w, one);
    await expect(ask(w.address)).rejects.toThrow();
    const plain = await plainMachine(w.net, 'cp-2');
    await w.describe({ targets: targetsOf(plain), services: [serviceOf(tcpCheck, { proxyProtocol: true })] });
    await healthy(w, plain);
    const client = dial(w.address);
    await until(() => client.text.includes('\r\n'));
    expect(client.text).toMatch(/^cp-2\nPROXY TCP4 127\.\S+ 127\.\S+ \d+ 6443\r\n$/);
  });

  test('sends version 2 of that header when told so (guess which one Hetzner sends)', async () => {
    const w = await world([serviceOf(tcpCheck, { proxyProtocol: true })], { proxyProtocolVersion: 2 });
    const one = await plainMachine(w.net, 'cp');
    await w.describe({ targets: targetsOf(one) });
    await healthy(w, one);
    const client = dial(w.address);
    const chunks: Buffer[] = [];
    client.socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await until(() => Buffer.concat(chunks).length >= 31);
    const header = Buffer.concat(chunks).subarray(3);
    expect(header.subarray(0, 16).toString('hex')).toBe('0d0a0d0a000d0a515549540a2111000c');
    expect([header[16], header[20], header.readUInt16BE(26)]).toEqual([127, 127, 6443]);
  });

  test('follows its description: ports come and go, half-closes travel, the public interface goes silent, a deleted one swallows', async () => {
    const w = await world([serviceOf(tcpCheck)]);
    const one = await plainMachine(w.net, 'cp-1');
    const privateIPv4 = w.net.allocate('private');
    await w.describe({ targets: targetsOf(one), privateIPv4 });
    await healthy(w, one);
    const half = await greeting(w.address);
    half.socket.end('last words');
    await until(() => half.events.includes('close'));
    expect([half.text, half.events]).toEqual(['cp-1\nlast words', ['connect', 'end', 'close']]);
    await w.describe({ services: [serviceOf(tcpCheck, { listenPort: 8443 })], publicEnabled: false });
    const [old, silent] = [dial(privateIPv4), dial(w.address)];
    await healthy(w, one);
    await until(() => old.events.includes('close'));
    expect(old.events).toEqual(['ECONNREFUSED', 'close']);
    const now = dial(privateIPv4, 8443);
    await until(() => now.text !== '');
    expect([now.text, silent.events]).toEqual(['cp-1\n', []]);
    await w.balancers.remove(7);
    const gone = [dial(privateIPv4, 8443), dial(w.address)];
    await sleep(250);
    expect(gone.map((client) => client.events)).toEqual([[], []]);
  });

  test('a service whose check changes is unknown again; one on a port below 1024 does not listen here, but is checked', async () => {
    const w = await world([serviceOf(tcpCheck)]);
    const one = await plainMachine(w.net, 'cp-1');
    await w.describe({ targets: targetsOf(one) });
    await healthy(w, one);
    await w.describe({ services: [serviceOf({ ...tcpCheck, port: 50001 }), serviceOf(tcpCheck, { listenPort: 443 })] });
    const client = dial(w.address);
    await until(() => client.events.includes('close'));
    expect(client.events).toEqual(['connect', 'end', 'close']);
    await until(() => w.history.includes('cp-1 unhealthy'));
    expect(w.history.filter((line) => line === 'cp-1 healthy').length).toBeGreaterThan(1);
    expect(w.history).toContain('cp-1 unhealthy');
    expect(w.balancers.states()[0]?.services.map(({ port, listens }) => [port, listens])).toEqual([
      [6443, true],
      [443, false],
    ]);
  });

  test('has no more connections open than its type takes, on all its services together (guess: the next is closed)', async () => {
    const w = await world([serviceOf(tcpCheck), serviceOf(tcpCheck, { listenPort: 7443 })]);
    const one = await plainMachine(w.net, 'cp-1');
    await w.describe({ targets: targetsOf(one), maxConnections: 3 });
    await healthy(w, one);
    const open = [dial(w.address), dial(w.address, 7443), dial(w.address)];
    await until(() => open.every(({ text }) => text !== ''));
    const refused = dial(w.address);
    await until(() => refused.events.includes('close'));
    expect([refused.text, refused.events]).toEqual(['', ['connect', 'end', 'close']]);
    open[0]?.socket.end();
    await until(() => open[0]?.events.includes('close') === true);
    expect((await greeting(w.address)).text).toBe('cp-1\n');
  });

  test('never dials a target outside the network of the lab: unhealthy, as one that nobody answers at', async () => {
    const w = await world([serviceOf(tcpCheck)], { unknownReceives: true });
    const one = await plainMachine(w.net, 'cp-1');
    await w.describe({ targets: targetsOf(one).map((target) => ({ ...target, carried: false })) });
    await until(() => w.health.get('cp-1')?.status === 'unhealthy');
    expect(w.health.get('cp-1')).toEqual({ status: 'unhealthy', detail: 'layer4_timeout' });
    expect(one.sockets.size).toBe(0);
  });

  test('a TLS handshake reaches the target whole, and a connection carries megabytes both ways', async () => {
    const w = await world([serviceOf(tcpCheck)]);
    const [tls, echo] = [await tlsMachine(w.net, 'cp-1', pair), await plainMachine(w.net, 'cp-2')];
    await w.describe({ targets: targetsOf(tls) });
    await healthy(w, tls);
    const socket = connectTls({ host: w.address, port: 6443, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    expect(socket.getPeerX509Certificate()?.subject).toContain('CN=server');
    socket.destroy();
    await w.describe({ targets: targetsOf(echo) });
    await healthy(w, echo);
    const client = connect({ host: w.address, port: 6443 });
    cleanups.push(() => client.destroy());
    let heard = 0;
    client.on('data', (chunk: Buffer) => (heard += chunk.length));
    client.end(Buffer.alloc(4_000_000, 'x'));
    await once(client, 'close');
    expect(heard).toBe(4_000_000 + 'cp-2\n'.length);
  });
});
