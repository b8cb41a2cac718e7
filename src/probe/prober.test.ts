import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Redacted } from '../base/redacted.ts';
import { testApiServer, type TestApiServer } from './api-server.testing.ts';
import { contextOf, testPki, type TestPki } from './pki.testing.ts';
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

const wait = (ms: number): Promise<void> => systemClock.sleep(ms);
const MAP = '/api/v1/namespaces/fairlead/configmaps/probe';

describe.each([{ http2: true }, { http2: false }])('with a server that speaks %o', (protocol) => {
  test('reads are new full handshakes, the kept connection is one, writes patch the ConfigMap, tokens stand alone', async () => {
    const server = await serve(protocol);
    const prober = start(server, { token: new Redacted('sa-token') });
    await wait(500);
    await prober.stop();

    const kept = server.seen.filter(
      (s) => s.protocol === (protocol.http2 ? '2.0' : '1.1') && s.connection === keptOf(server),
    );
    expect(kept.length).toBeGreaterThan(5);
    const reads = server.seen.filter((s) => s.url === MAP && s.method === 'GET' && !kept.includes(s));
    expect(reads.length).toBeGreaterThan(10);
    expect(new Set(reads.map((s) => s.connection)).size).toBe(reads.length);
    expect(server.seen.some((s) => s.resumed)).toBe(false);

    const writes = server.seen.filter((s) => s.method === 'PATCH');
    expect(writes.length).toBeGreaterThan(3);
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
    expect(report.longestGapMs).toBeLessThan(300);
    // Measured, then counted: what was reported is what the server saw, give or take what was cut off at the end.
    expect(report.samples).toBeGreaterThan(server.seen.length - 10);
  });

  test('a server that hangs and comes back leaves a gap of that length on every path, and requests keep coming', async () => {
    const server = await serve(protocol);
    const prober = start(server);
    await wait(250);
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
      expect(gaps['endpoint']?.[path]).toBeLessThan(1500);
    }
    expect(failures.map((f) => f.error)).toContain('timeout');
  });

  test('a connection that is cut is made again', async () => {
    const server = await serve(protocol);
    const prober = start(server);
    await wait(200);
    server.cut();
    await wait(300);
    prober.mark('after');
    await wait(300);
    await prober.stop();
    const after = prober.report('after');
    expect(after.failures).toEqual([]);
    expect(after.gaps['endpoint']?.write).toBeLessThan(300);
  });
});

/** The connection that carried the writes. */
const keptOf = (server: TestApiServer): number | undefined => server.seen.find((s) => s.method === 'PATCH')?.connection;

test('401 and 5xx are failures, 409 on a write is not; a refused token is counted, a forbidden one is not', async () => {
  const server = await serve({ http2: true });
  server.reply = (s) =>
    s.authorization !== undefined
      ? { status: s.url === '/version' ? 401 : 200 }
      : { status: s.method === 'PATCH' ? 409 : 503 };
  const prober = start(server, { token: new Redacted('old-issuer') });
  await wait(250);
  prober.mark('forbidden');
  server.reply = (s) => ({ status: s.authorization !== undefined ? 403 : s.method === 'GET' ? 401 : 200 });
  await wait(250);
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
  await wait(200);
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
  await wait(500);
  prober.addTarget({ name: 'cp-1', context });
  await wait(150);
  await prober.stop();
  expect(prober.report().gaps['cp-1']?.readNewConnection).toBeLessThan(300);
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
  const { length } = server.seen;
  await wait(150);
  expect(server.seen.length).toBe(length);
});
