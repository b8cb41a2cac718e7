import { afterEach, beforeAll, expect, test } from 'vitest';
import { Redacted } from '../base/redacted.ts';
import { createAuthority } from '../../lab/pki/pki.ts';
import { testApiServer, type TestApiServer } from '../../test/support/api-server.ts';
import { contextOf, serverFor, testPki, type TestPki, VALID } from '../../test/support/cluster-pki.ts';
import { ready } from './ready.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await testPki();
});

const open: TestApiServer[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});
async function serve(options?: Parameters<typeof testApiServer>[1]): Promise<TestApiServer> {
  const server = await testApiServer(pki, options);
  open.push(server);
  return server;
}

test('the answer comes with status, body and time; the client certificate and the user agent are shown', async () => {
  const server = await serve();
  server.reply = ({ url }) =>
    url === '/readyz' ? { status: 500, body: '[-]etcd failed' } : { status: 200, body: 'ok' };
  const context = contextOf(pki, server.port);
  expect(await ready(context, '/readyz', { timeoutMs: 2000 })).toMatchObject({
    kind: 'answered',
    status: 500,
    body: '[-]etcd failed',
    ms: expect.any(Number),
  });
  expect(await ready(context, '/livez', { timeoutMs: 2000 })).toMatchObject({ status: 200, body: 'ok' });
  expect(server.seen[0]).toMatchObject({ userAgent: 'fairlead/0.1.0', clientCertificate: 'admin', servername: false });
});

test('a token is sent as bearer, without a client certificate', async () => {
  const server = await serve();
  const context = { ...contextOf(pki, server.port), auth: { kind: 'token', token: new Redacted('t0ken') } as const };
  await ready(context, '/readyz', { timeoutMs: 2000 });
  expect(server.seen[0]).toMatchObject({ authorization: 'Bearer t0ken', clientCertificate: undefined });
});

test('another address can be dialled while the certificate must still cover the server’s own name', async () => {
  const server = await serve();
  const named = { ...contextOf(pki, 6443), server: 'https://api.lab.test:6443' };
  const address = `127.0.0.1:${server.port}`;
  expect(await ready(named, '/readyz', { address, timeoutMs: 2000 })).toMatchObject({ kind: 'answered' });
  expect(server.seen[0]).toMatchObject({ servername: 'api.lab.test' });
  const other = { ...named, server: 'https://other.lab.test:6443' };
  expect(await ready(other, '/readyz', { address, timeoutMs: 2000 })).toMatchObject({ kind: 'failed', reason: 'tls' });
  expect(await ready(other, '/readyz', { address, verifyAs: '127.0.0.1', timeoutMs: 2000 })).toMatchObject({
    kind: 'answered',
  });
});

test('a server of another authority is tls, and no request is sent to it', async () => {
  const other = await createAuthority('ecdsa', { organization: 'kubernetes', ...VALID });
  const pair = await serverFor(other, ['127.0.0.1']);
  const server = await serve({ key: pair.key, cert: pair.cert });
  const context = contextOf(pki, server.port);
  expect(await ready(context, '/readyz', { timeoutMs: 2000 })).toMatchObject({
    kind: 'failed',
    reason: 'tls',
    message: expect.stringContaining('another authority'),
  });
  expect(await ready({ ...context, ca: '' }, '/readyz', { timeoutMs: 2000 })).toMatchObject({ reason: 'tls' });
  expect(server.seen).toEqual([]);
});

test('a hung server times out in time; a name that does not exist is dns; a port where nobody listens is refused', async () => {
  const server = await serve();
  server.reply = () => 'hang';
  const context = contextOf(pki, server.port);
  const started = performance.now();
  expect(await ready(context, '/readyz', { timeoutMs: 200 })).toMatchObject({ kind: 'failed', reason: 'timeout' });
  expect(performance.now() - started).toBeLessThan(1500);
  expect(
    await ready({ ...context, server: 'https://no-such-host.invalid:6443' }, '/readyz', { timeoutMs: 5000 }),
  ).toMatchObject({ kind: 'failed', reason: 'dns' });
  server.close();
  expect(await ready(context, '/readyz', { timeoutMs: 2000 })).toMatchObject({ kind: 'failed', reason: 'refused' });
  expect(await ready({ ...context, server: 'not a url' }, '/readyz', { timeoutMs: 2000 })).toMatchObject({
    kind: 'failed',
  });
});

test('an answer that is cut off is a reset', async () => {
  const server = await serve();
  server.reply = () => {
    server.cut();
    return 'hang';
  };
  expect(await ready(contextOf(pki, server.port), '/readyz', { timeoutMs: 2000 })).toMatchObject({ reason: 'reset' });
});
