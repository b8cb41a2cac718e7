import net from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Redacted } from '../base/redacted.ts';
import { testApiServer, type TestApiServer } from '../../test/support/api-server.ts';
import { contextOf, testPki, type TestPki } from '../../test/support/cluster-pki.ts';
import { type ProberOptions, startProber } from './prober.ts';
import type { Prober } from './types.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await testPki();
});

const open: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function serve(options?: Parameters<typeof testApiServer>[1]): Promise<TestApiServer> {
  const server = await testApiServer(pki, options);
  open.push(() => server.close());
  return server;
}

function start(server: TestApiServer, more: Partial<ProberOptions> = {}): Prober {
  const prober = startProber(
    { clock: systemClock },
    {
      targets: [{ name: 'endpoint', context: contextOf(pki, server.port) }],
      readEveryMs: 20,
      writeEveryMs: 50,
      timeoutMs: 300,
      namespace: 'fairlead',
      configMap: 'probe',
      ...more,
    },
  );
  open.unshift(() => prober.stop());
  return prober;
}

/** Forwards to a port; connections that are open can be made to fall silent, as when an address has moved away from them. */
async function silenceablePath(to: number): Promise<{ port: number; silenceOpenConnections: () => void }> {
  const pairs = new Set<readonly [net.Socket, net.Socket]>();
  const proxy = net.createServer((near) => {
    const far = net.connect(to, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => pairs.delete(pair));
    }
  });
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  open.push(() => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    proxy.close();
  });
  return {
    port: (proxy.address() as net.AddressInfo).port,
    silenceOpenConnections: () => {
      for (const pair of pairs) {
        for (const socket of pair) {
          socket.unpipe();
          socket.pause();
        }
      }
    },
  };
}

const wait = (ms: number): Promise<void> => systemClock.sleep(ms);
/** Each path has had its first success. */
const everyPathWorks = (prober: Prober): Promise<void> =>
  expect
    .poll(() => Object.keys(prober.report().gaps['endpoint'] ?? {}).length, { timeout: 15_000 })
    .toBeGreaterThanOrEqual(3);

const MAP = '/api/v1/namespaces/fairlead/configmaps/probe';

describe.each([{ http2: true }, { http2: false }])('with a server that speaks %o', (protocol) => {
  test('reads are new full handshakes, the kept connection is one, writes patch the ConfigMap, tokens stand alone', async () => {
    const server = await serve(protocol);
    const prober = start(server, { token: new Redacted('sa-token'), timeoutMs: 10_000 });
    const patches = () => server.seen.filter((s) => s.method === 'PATCH').length;
    await expect.poll(patches, { timeout: 15_000 }).toBeGreaterThan(8);
    await prober.stop();

    const single = server.seen.filter((s) => s.last);
    expect(single.filter((s) => s.url === MAP && s.method === 'GET').length).toBeGreaterThan(5);
    expect(new Set(single.map((s) => s.connection)).size).toBe(single.length);
    expect(server.seen.some((s) => s.resumed)).toBe(false);

    const kept = server.seen.filter((s) => !s.last);
    expect(kept.every((s) => s.url === MAP && s.protocol === (protocol.http2 ? '2.0' : '1.1'))).toBe(true);
    expect(kept.some((s) => s.method === 'GET')).toBe(true);
    // HTTP/1.1 needs a second one whenever the first is busy.
    const connections = new Set(kept.map((s) => s.connection)).size;
    if (protocol.http2) expect(connections).toBe(1);
    else expect(connections).toBeLessThan(kept.length / 2);

    const writes = server.seen.filter((s) => s.method === 'PATCH');
    for (const write of writes) {
      expect(write).toMatchObject({ url: MAP, contentType: 'application/merge-patch+json' });
      expect(JSON.parse(write.body)).toEqual({ data: { beat: expect.stringMatching(/^\d+$/) } });
    }
    const tokens = server.seen.filter((s) => s.authorization === 'Bearer sa-token');
    expect(tokens.length).toBeGreaterThan(3);
    expect(tokens.every((s) => s.clientCertificate === undefined && s.url === '/version')).toBe(true);
    expect(server.seen.every((s) => s.userAgent === 'fairlead/0.1.0')).toBe(true);

    const report = prober.report();
    expect(Object.keys(report.gaps['endpoint'] ?? {}).toSorted()).toEqual([
      'readKeptConnection',
      'readNewConnection',
      'token',
      'write',
    ]);
    expect(report).toMatchObject({ tokensRefused: 0, failures: [] });
    expect(report.longestGapMs).toBeLessThan(1000);
    // Measured, then counted: what was reported is what the server saw, give or take what was cut off at the end.
    expect(report.samples).toBeGreaterThan(server.seen.length - 10);
  });

  test('a server that hangs and comes back leaves a gap of that length on every path, and requests keep coming', async () => {
    const server = await serve(protocol);
    const prober = start(server);
    await everyPathWorks(prober);
    const before = server.seen.length;
    server.reply = () => 'hang';
    await wait(800);
    expect(server.seen.length - before).toBeGreaterThan(25);
    server.reply = () => ({ status: 200 });
    await wait(600);
    await prober.stop();
    const { gaps, failures } = prober.report();
    for (const path of ['readNewConnection', 'readKeptConnection', 'write'] as const) {
      expect(gaps['endpoint']?.[path]).toBeGreaterThan(700);
      expect(gaps['endpoint']?.[path]).toBeLessThan(3000);
    }
    expect(failures.map((f) => f.error)).toContain('timeout');
  });

  test('a kept connection that falls silent while new ones work costs one time-out, no more', async () => {
    const server = await serve(protocol);
    const path = await silenceablePath(server.port);
    const prober = start(server, {
      targets: [{ name: 'endpoint', context: contextOf(pki, path.port) }],
      timeoutMs: 1000,
    });
    await everyPathWorks(prober);
    path.silenceOpenConnections();
    await wait(2500);
    await prober.stop();
    const gaps = prober.report().gaps['endpoint'];
    expect(gaps?.readNewConnection).toBeLessThan(800);
    expect(gaps?.readKeptConnection).toBeLessThan(2400);
    if (protocol.http2) expect(gaps?.readKeptConnection).toBeGreaterThan(950);
    expect(prober.report().failures.map((f) => f.error)).toContain('timeout');
  });

  test('a connection that is cut is made again', async () => {
    const server = await serve(protocol);
    const prober = start(server);
    await everyPathWorks(prober);
    server.cut();
    // What was under way is lost; then it works again, and goes on working.
    for (const name of ['cut', 'after']) {
      prober.mark(name);
      await expect.poll(() => prober.report(name).gaps['endpoint']?.write, { timeout: 15_000 }).toBeGreaterThan(0);
    }
    await prober.stop();
    expect(prober.report('after').failures).toEqual([]);
  });
});

test('401 and 5xx are failures, 409 on a write is not; a refused token is counted, a forbidden one is not', async () => {
  const server = await serve({ http2: true });
  server.reply = (s) =>
    s.authorization !== undefined
      ? { status: s.url === '/version' ? 401 : 200 }
      : { status: s.method === 'PATCH' ? 409 : 503 };
  const prober = start(server, { token: new Redacted('old-issuer'), timeoutMs: 10_000 });
  const failed = (path: string, error: string) =>
    prober.report().failures.find((f) => f.path === path && f.error === error)?.count ?? 0;
  await expect.poll(() => failed('token', 'HTTP 401'), { timeout: 15_000 }).toBeGreaterThan(2);
  await expect.poll(() => failed('readKeptConnection', 'HTTP 503'), { timeout: 15_000 }).toBeGreaterThan(2);
  server.reply = (s) => ({ status: s.authorization !== undefined ? 403 : s.method === 'GET' ? 401 : 200 });
  await expect.poll(() => failed('readKeptConnection', 'HTTP 401'), { timeout: 15_000 }).toBeGreaterThan(2);
  await expect.poll(() => failed('readNewConnection', 'HTTP 401'), { timeout: 15_000 }).toBeGreaterThan(2);
  await expect.poll(() => prober.report().gaps['endpoint']?.token, { timeout: 15_000 }).toBeGreaterThan(0);
  await prober.stop();
  const all = prober.report();
  expect(all.tokensRefused).toBeGreaterThan(2);
  expect(all.gaps['endpoint']).not.toHaveProperty('readNewConnection');
  expect(all.failures.filter((f) => f.path === 'write')).toEqual([]);
  expect(new Set(all.failures.map((f) => `${f.path} ${f.error}`))).toEqual(
    new Set([
      'readNewConnection HTTP 503',
      'readNewConnection HTTP 401',
      'readKeptConnection HTTP 503',
      'readKeptConnection HTTP 401',
      'token HTTP 401',
    ]),
  );
});

test('a target whose certificate is another cluster’s never counts as available', async () => {
  const stranger = await testPki();
  const server = await testApiServer(stranger);
  open.push(() => server.close());
  const prober = start(server);
  await wait(200);
  await prober.stop();
  expect(prober.report().gaps).toEqual({});
  expect(prober.report().failures[0]?.error).toMatch(/^tls: .*another authority/);
  expect(server.seen).toEqual([]);
});

test('a gap still open when the report is asked for counts up to that moment, and freezes at the stop', async () => {
  const server = await serve();
  const prober = start(server);
  await everyPathWorks(prober);
  server.close();
  await wait(400);
  const open = prober.report().longestGapMs ?? 0;
  expect(open).toBeGreaterThan(350);
  await prober.stop();
  const stopped = prober.report().longestGapMs;
  await wait(200);
  expect(prober.report().longestGapMs).toBe(stopped);
});

test('targets come and go; what was measured stays, the time between is nobody’s gap', async () => {
  const server = await serve();
  const prober = start(server);
  const context = contextOf(pki, server.port);
  prober.addTarget({ name: 'cp-1', context });
  expect(() => prober.addTarget({ name: 'cp-1', context })).toThrow('being probed already');
  await wait(150);
  prober.removeTarget('cp-1');
  await wait(1500);
  prober.addTarget({ name: 'cp-1', context });
  await wait(150);
  await prober.stop();
  expect(prober.report().gaps['cp-1']?.readNewConnection).toBeLessThan(1200);
  expect(() => prober.report('never')).toThrow('no mark named never');
  expect(() => prober.addTarget({ name: 'late', context })).toThrow('stopped');
});

test('an abort stops everything, also while the server is silent', async () => {
  const server = await serve();
  server.reply = () => 'hang';
  const controller = new AbortController();
  const prober = start(server, { signal: controller.signal, timeoutMs: 60_000 });
  await wait(200);
  controller.abort();
  await prober.stop();
  // What was on its way already may still arrive.
  await wait(200);
  const { length } = server.seen;
  await wait(150);
  expect(server.seen.length).toBe(length);
});
