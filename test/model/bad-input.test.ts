import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { DEFAULT_KNOBS } from '../../lab/cloud/knobs.ts';
import { READ_WRITE, testCloud, type TestCloud } from '../../lab/cloud/testing.ts';

const open: TestCloud[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const made of open.splice(0)) await made.cloud.close();
});

async function start(options: Parameters<typeof testCloud>[0] = {}): Promise<TestCloud> {
  const made = await testCloud({
    knobs: {
      rateLimit: { capacity: 1_000_000, refillPerSecond: 1_000 },
      quotas: { ...DEFAULT_KNOBS.quotas, servers: 20 },
    },
    ...options,
  });
  open.push(made);
  for (let i = 1; i <= 3; i += 1) made.cloud.addServer({ name: `cp-${i}`, labels: { role: 'cp' }, userData: '' });
  return made;
}

const portOf = (c: TestCloud): number => Number(new URL(c.cloud.url).port);
const alive = async (c: TestCloud): Promise<void> => {
  const began = performance.now();
  expect((await c.call('GET', '/servers')).status).toBe(200);
  expect(performance.now() - began).toBeLessThan(2_000);
};
const refusal = (code: string) => ({ error: { code, message: expect.any(String), details: expect.anything() } });
const error = (code: string) => ({ error: expect.objectContaining({ code, message: expect.any(String) }) });

/** Bytes on a connection of one's own; gives what came back until `until` was there or the other side closed. */
async function raw(c: TestCloud, bytes: string, until = /\r\n\r\n/): Promise<string> {
  const socket = connect(portOf(c), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  socket.write(bytes);
  let heard = '';
  socket.on('data', (chunk) => (heard += chunk.toString()));
  const closed = once(socket, 'close');
  while (!until.test(heard) && !socket.closed) await Promise.race([closed, delay(5)]);
  return heard;
}
const head = (method: string, path: string, ...lines: string[]): string =>
  [`${method} /v1${path} HTTP/1.1`, 'host: lab', `authorization: Bearer ${READ_WRITE}`, ...lines, '', ''].join('\r\n');

describe('a body that is not what it should be', () => {
  test.each(['{', '{"name":', '[]', '"name"', '12', 'null', '{"a":1}{'])('%s is no request', async (body) => {
    const c = await start();
    expect(await c.call('POST', '/floating_ips', body)).toMatchObject({ status: 400, body: error('json_error') });
  });

  test.each([
    [{ type: 4, home_location: 'fsn1' }],
    [{ type: 'ipv4', home_location: 'fsn1', labels: [] }],
    [{ type: 'ipv4', home_location: 'fsn1', labels: { a: 1 } }],
    [{ type: 'ipv4', home_location: 'fsn1', name: {} }],
    [{ type: 'ipv4', home_location: 'fsn1', server: 'cp-1' }],
    [{ type: 'ipv4', home_location: ['fsn1'] }],
  ])('%j is told field by field', async (body) => {
    const c = await start();
    const answer = await c.call('POST', '/floating_ips', body);
    expect(answer).toMatchObject({ status: 422, body: refusal('invalid_input') });
    expect(answer.body).toMatchObject({
      error: { details: { fields: [{ name: expect.any(String), messages: [expect.any(String)] }] } },
    });
    expect(c.cloud.floatingIPs()).toEqual([]);
  });

  test('passes with unknown fields, and with an id that is a text', async () => {
    const c = await start();
    const [server] = c.cloud.servers();
    const made = await c.call('POST', '/floating_ips', {
      type: 'ipv4',
      home_location: 'fsn1',
      name: 'api',
      surprise: { a: [1] },
    });
    expect(made.status).toBe(201);
    const [fip] = c.cloud.floatingIPs();
    expect(
      (await c.act('POST', `/floating_ips/${fip?.id}/actions/assign`, { server: String(server?.id) })).status,
    ).toBe('success');
    expect(c.cloud.floatingIPs()).toMatchObject([{ server: server?.id }]);
  });

  test('is refused when it is huge, and read to its end', async () => {
    const c = await start();
    const body = JSON.stringify({ type: 'ipv4', home_location: 'fsn1', name: 'x'.repeat(8_000_000) });
    expect(await c.call('POST', '/floating_ips', body)).toMatchObject({ status: 400, body: error('json_error') });
    await alive(c);
  });

  test('needs a token before anything is said about it', async () => {
    const c = await start();
    for (const [method, path, body] of [
      ['GET', '/servers', undefined],
      ['POST', '/servers', '{'],
      ['GET', '/no/such/path', undefined],
      ['PATCH', '/servers', '{}'],
    ] as const)
      expect(await c.call(method, path, body, '')).toMatchObject({ status: 401, body: error('unauthorized') });
  });
});

describe('connections', () => {
  test('writes to one address at the same time: one is carried out, the others hear of the lock', async () => {
    const c = await start({ speed: 1, knobs: { delays: { ...DEFAULT_KNOBS.delays, assign: [1_500, 1_500] } } });
    await c.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'api' });
    const [fip] = c.cloud.floatingIPs();
    const servers = c.cloud.servers();
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        c.call('POST', `/floating_ips/${fip?.id}/actions/assign`, { server: servers[i % 3]?.id }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      201,
      ...Array.from({ length: 29 }, () => 423),
    ]);
    expect(answers.filter(({ status }) => status === 423)[0]?.body).toMatchObject(error('locked'));
    const won = servers[answers.findIndex(({ status }) => status === 201) % 3];
    await expect.poll(() => c.cloud.floatingIPs()[0]?.server, { timeout: 5_000 }).toBe(won?.id);
  });

  test('the same name asked for at the same time is given once', async () => {
    const c = await start();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        c.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'api' }),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });

  test('clients that go away in the middle of a body change nothing and hold nothing up', async () => {
    const c = await start();
    for (let i = 0; i < 30; i += 1) {
      const socket = connect(portOf(c), '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(
        head('POST', '/floating_ips', 'content-type: application/json', 'content-length: 500') + '{"type":"ipv4"',
      );
      await delay(i % 3);
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await alive(c);
    expect(c.cloud.floatingIPs()).toEqual([]);
  });

  test('clients that go away before the answer leave what they asked for done', async () => {
    const c = await start();
    const socket = connect(portOf(c), '127.0.0.1');
    socket.on('error', () => {});
    const body = JSON.stringify({ type: 'ipv4', home_location: 'fsn1', name: 'api' });
    socket.end(`${head('POST', '/floating_ips', `content-length: ${body.length}`)}${body}`, () => socket.destroy());
    await expect.poll(() => c.cloud.floatingIPs().map(({ name }) => name)).toEqual(['api']);
    await alive(c);
  });

  test('a client that sends a byte at a time is served in its own time, and nobody waits for it', async () => {
    const c = await start();
    const body = JSON.stringify({ type: 'ipv4', home_location: 'fsn1', name: 'slow' });
    const socket = connect(portOf(c), '127.0.0.1');
    sockets.push(socket);
    socket.setNoDelay(true);
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString()));
    for (const byte of head('POST', '/floating_ips', `content-length: ${body.length}`) + body) {
      socket.write(byte);
      await delay(1);
      if (byte === '{') await alive(c);
    }
    await expect.poll(() => heard).toMatch(/^HTTP\/1\.1 201 [^]*"name":"slow"/);
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400/],
    ['no such version', 'GET /v1/servers HTTP/9.9\r\nhost: lab\r\n\r\n', /^HTTP\/1\.1 400/],
    [
      'headers without end',
      `GET /v1/servers HTTP/1.1\r\nhost: lab\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431/,
    ],
    [
      'a length that is none',
      'POST /v1/servers HTTP/1.1\r\nhost: lab\r\ncontent-length: many\r\n\r\n',
      /^HTTP\/1\.1 400/,
    ],
    [
      'a chunk that is none',
      'POST /v1/servers HTTP/1.1\r\nhost: lab\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      /^HTTP\/1\.1 40[01]/,
    ],
  ])('%s is refused on its connection, and the others go on', async (_name, bytes, answer) => {
    const c = await start();
    expect(await raw(c, bytes)).toMatch(answer);
    await alive(c);
  });

  test('several requests on one connection are answered in their order', async () => {
    const c = await start();
    const heard = await raw(
      c,
      head('GET', '/servers/1') + head('GET', '/locations?name=fsn1') + head('GET', '/servers?per_page=1'),
      /"servers":/,
    );
    expect([...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(['404', '200', '200']);
  });
});
