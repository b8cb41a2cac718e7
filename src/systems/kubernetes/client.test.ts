import { inspect } from 'node:util';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { testApiServer, type TestApiServer } from '../../../test/support/api-server.ts';
import { contextOf, serverFor, testPki, type TestPki } from '../../../test/support/cluster-pki.ts';
import { Redacted } from '../../base/redacted.ts';
import { createKubernetesClient } from './client.ts';
import { KubernetesError } from './errors.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await testPki();
});

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
  vi.unstubAllEnvs();
});

async function serve(options?: Parameters<typeof testApiServer>[1]): Promise<TestApiServer> {
  const server = await testApiServer(pki, options);
  open.push(() => server.close());
  return server;
}

function clientOf(server: TestApiServer, more: Parameters<typeof createKubernetesClient>[1] = {}) {
  const client = createKubernetesClient(contextOf(pki, server.port), { timeoutMs: 3000, ...more });
  open.unshift(() => client.close());
  return client;
}

const json = (value: unknown, status = 200) => ({ status, body: JSON.stringify(value) });
const status = (code: number, message: string) =>
  json({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code }, code);

async function failed(promise: Promise<unknown>): Promise<KubernetesError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(KubernetesError);
  return error as KubernetesError;
}

test('calls show the client certificate and fairlead’s name, and share a connection', async () => {
  const server = await serve();
  server.reply = ({ url }) =>
    url === '/version'
      ? json({ major: '1', minor: '36', gitVersion: 'v1.36.3' })
      : json({
          kind: 'NodeList',
          apiVersion: 'v1',
          items: [
            {
              metadata: { name: 'cp-1' },
              status: {
                conditions: [{ type: 'Ready', status: 'True' }],
                addresses: [{ type: 'InternalIP', address: '10.0.0.2' }],
              },
            },
            { metadata: { name: 'cp-2' }, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
          ],
        });
  const client = clientOf(server);
  expect(await client.version()).toBe('v1.36.3');
  expect(await client.nodes()).toEqual([
    { name: 'cp-1', ready: true, addresses: [{ type: 'InternalIP', address: '10.0.0.2' }] },
    { name: 'cp-2', ready: false, addresses: [] },
  ]);
  for (const seen of server.seen) {
    expect(seen).toMatchObject({ userAgent: 'fairlead/0.1.0', clientCertificate: 'admin', servername: false });
  }
  for (let i = 0; i < 6; i += 1) await client.version();
  expect(server.seen).toHaveLength(8);
  expect(server.connections()).toBeLessThanOrEqual(2);
});

test('a token is sent as bearer; another user agent can be given', async () => {
  const server = await serve();
  server.reply = () => json({ gitVersion: 'v1' });
  const context = { ...contextOf(pki, server.port), auth: { kind: 'token', token: new Redacted('t0k') } as const };
  const client = createKubernetesClient(context, { userAgent: 'fairlead-lab/0.1.0' });
  open.unshift(() => client.close());
  await client.version();
  expect(server.seen[0]).toMatchObject({
    authorization: 'Bearer t0k',
    userAgent: 'fairlead-lab/0.1.0',
    clientCertificate: undefined,
  });
});

test('service-account tokens are asked for with the server’s own audience, and come redacted', async () => {
  const server = await serve();
  server.reply = () =>
    json(
      { kind: 'TokenRequest', spec: {}, status: { token: 'minted', expirationTimestamp: '2026-12-01T00:00:00Z' } },
      201,
    );
  const token = await clientOf(server).serviceAccountToken('default', 'default', 3600);
  expect(token.reveal()).toBe('minted');
  expect(inspect(token)).toBe('***');
  expect(server.seen[0]?.url).toBe('/api/v1/namespaces/default/serviceaccounts/default/token');
  expect(JSON.parse(server.seen[0]?.body ?? '')).toMatchObject({ spec: { audiences: [], expirationSeconds: 3600 } });
});

describe('ConfigMaps', () => {
  /** Stores namespaces and ConfigMaps by path. */
  function store(server: TestApiServer): Map<string, unknown> {
    const objects = new Map<string, unknown>();
    server.reply = ({ method, url, body }) => {
      const object = (body === '' ? {} : JSON.parse(body)) as { metadata?: { name?: string } };
      const at = method === 'POST' ? `${url}/${object.metadata?.name}` : url;
      const namespace = /^\/api\/v1\/namespaces\/([^/]+)\/configmaps/.exec(url)?.[1];
      if (namespace !== undefined && method === 'POST' && !objects.has(`/api/v1/namespaces/${namespace}`)) {
        return status(404, `namespaces "${namespace}" not found`);
      }
      if (method !== 'POST' && !objects.has(at)) return status(404, 'not found');
      if (method === 'DELETE') objects.delete(at);
      else if (method !== 'GET') objects.set(at, object);
      return json(objects.get(at) ?? object, method === 'POST' ? 201 : 200);
    };
    return objects;
  }
  const AT = '/api/v1/namespaces/fairlead/configmaps/probe';

  test('one is made, its namespace too; again nothing is written; other data replace it; deleting twice is fine', async () => {
    const server = await serve();
    const objects = store(server);
    const client = clientOf(server);
    await client.ensureConfigMap('fairlead', 'probe', { a: '1' });
    expect(objects.get(AT)).toMatchObject({ data: { a: '1' } });
    const before = server.seen.length;
    await client.ensureConfigMap('fairlead', 'probe', { a: '1' });
    expect(server.seen.slice(before).map((s) => s.method)).toEqual(['GET']);
    await client.ensureConfigMap('fairlead', 'probe', { a: '2' });
    expect(objects.get(AT)).toMatchObject({ data: { a: '2' } });
    await client.deleteConfigMap('fairlead', 'probe');
    await client.deleteConfigMap('fairlead', 'probe');
    expect(objects.has(AT)).toBe(false);
  });
});

describe('errors', () => {
  test.each([
    [403, 'forbidden'],
    [404, 'not-found'],
    [409, 'conflict'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [422, 'other'],
  ] as const)('%i is %s, with the server’s words', async (code, expected) => {
    const server = await serve();
    server.reply = () => status(code, 'said the API server');
    expect(await failed(clientOf(server).nodes())).toMatchObject({
      code: expected,
      status: code,
      message: `https://127.0.0.1:${server.port}: said the API server`,
    });
  });

  test('401 is unauthorized: the library keeps the server’s words to itself', async () => {
    const server = await serve();
    server.reply = () => status(401, 'Unauthorized');
    expect(await failed(clientOf(server).nodes())).toMatchObject({
      code: 'unauthorized',
      status: 401,
      message: `https://127.0.0.1:${server.port}: the API server does not accept the credentials`,
    });
  });

  test('another authority, a missing name, silence and refusal are told apart', async () => {
    const stranger = await testPki();
    const foreign = await testApiServer(stranger);
    open.push(() => foreign.close());
    expect(await failed(clientOf(foreign).version())).toMatchObject({ code: 'tls' });
    expect(foreign.seen).toEqual([]);

    const misnamed = await serverFor(pki.ca, ['192.0.2.1']);
    expect(await failed(clientOf(await serve({ key: misnamed.key, cert: misnamed.cert })).version())).toMatchObject({
      code: 'tls',
    });

    const silent = await serve();
    silent.reply = () => 'hang';
    expect(await failed(clientOf(silent, { timeoutMs: 200 }).version())).toMatchObject({ code: 'timeout' });

    const gone = await serve();
    gone.close();
    expect(await failed(clientOf(gone).version())).toMatchObject({ code: 'refused' });
  });

  test('no environment variable switches verification off', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const foreign = await testApiServer(await testPki());
    open.push(() => foreign.close());
    expect(await failed(clientOf(foreign).version())).toMatchObject({ code: 'tls' });
    expect(foreign.seen).toEqual([]);
  });

  test('a context without usable credentials says why; an abort is the caller’s own reason', async () => {
    const server = await serve();
    server.reply = () => 'hang';
    const context = { ...contextOf(pki, server.port), auth: { kind: 'other', why: 'needs a program' } as const };
    expect(await failed(createKubernetesClient(context).version())).toMatchObject({ code: 'unauthorized' });
    const reason = new Error('Ctrl-C');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 100);
    await expect(clientOf(server).version(controller.signal)).rejects.toBe(reason);
  });

  test('an answer that is no JSON is an error of ours', async () => {
    const server = await serve();
    server.reply = () => ({ status: 200, body: '<html>' });
    await failed(clientOf(server).version());
  });
});
