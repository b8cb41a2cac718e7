import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtInApiServer } from '../../lab/kubernetes/api-server/built-in.ts';
import { findApiServer } from '../../lab/kubernetes/api-server/find.ts';
import { realApiServer } from '../../lab/kubernetes/api-server/real.ts';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { findEtcd } from '../../lab/kubernetes/etcd/find.ts';
import { realEtcd } from '../../lab/kubernetes/etcd/real.ts';
import { startControllers } from '../../lab/kubernetes/stand-ins/controllers.ts';
import { startKubelet } from '../../lab/kubernetes/stand-ins/kubelet.ts';
import type { ShownPod } from '../../lab/kubernetes/stand-ins/mirror-pods.ts';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import {
  call,
  EXPIRED,
  eventually,
  findKubectls,
  follow,
  kubectl,
  NEW,
  OLD,
  shownCertificate,
  startCluster,
  type CallOptions,
  type Cluster,
  type Mix,
} from './api-server-harness.ts';

const ports = { clock: systemClock, random: systemRandom };
const [foundEtcd, foundServer, kubectls] = await Promise.all([
  findEtcd(process.env),
  findApiServer(process.env),
  findKubectls(),
]);
const builtIn = { etcd: builtInEtcd(ports), apiServer: builtInApiServer(ports) };
const etcd = foundEtcd === undefined ? undefined : realEtcd(foundEtcd.path, foundEtcd.version);
const server = foundServer === undefined ? undefined : realApiServer(foundServer.path, foundServer.version);

const mixes: readonly { readonly name: string; readonly mix: Mix | undefined }[] = [
  { name: 'the built-in API server on the built-in etcd', mix: builtIn },
  {
    name: `the built-in API server on ${etcd === undefined ? 'a real etcd (skipped: none found)' : `etcd ${etcd.backing}`}`,
    mix: etcd === undefined ? undefined : { ...builtIn, etcd },
  },
  {
    name:
      etcd === undefined || server === undefined
        ? 'a real API server on a real etcd (skipped: run scripts/prepare)'
        : `kube-apiserver ${server.version} on etcd ${etcd.backing}`,
    mix: etcd === undefined || server === undefined ? undefined : { etcd, apiServer: server },
  },
];

// The three side by side, as most of their time is waiting; the tests of each one after the other.
for (const { name, mix } of mixes) {
  describe.concurrent(name, () => {
    describe('as its clients see it', { skip: mix === undefined, concurrent: false }, () =>
      conformance(mix ?? builtIn),
    );
  });
}

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const MERGE = 'application/merge-patch+json';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const configMap = (name: string, data: Record<string, string> = { a: '1' }, labels?: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(labels === undefined ? {} : { labels }) },
  data,
});

const PODS = '/api/v1/namespaces/kube-system/pods';
/** A static pod that was started from `origin`. */
const pod = (origin: string, ready: 'True' | 'False'): ShownPod => ({
  name: 'kube-scheduler',
  origin,
  manifest: {
    metadata: { labels: { 'k8s-app': 'kube-scheduler' }, annotations: { 'talos.dev/config-version': origin } },
    spec: {
      containers: [{ name: 'main', image: 'scheduler:1', resources: { requests: { cpu: '10m' } } }],
      hostNetwork: true,
    },
  },
  status: {
    phase: 'Running',
    hostIP: '10.0.0.1',
    hostIPs: [{ ip: '10.0.0.1' }],
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }],
    conditions: [{ type: 'Ready', status: ready }],
    containerStatuses: [
      {
        name: 'main',
        image: 'scheduler:1',
        imageID: '',
        ready: ready === 'True',
        restartCount: 2,
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
        lastState: {},
      },
    ],
  },
});

function conformance(mix: Mix): void {
  let cluster: Cluster;
  let config: string;
  let registered = false;
  let shown: readonly ShownPod[] = [pod('1', 'True')];
  const stoppers: (() => unknown)[] = [];

  beforeAll(async () => {
    cluster = await startCluster(mix);
    config = await cluster.kubeconfig(cluster.both);
    const server = { server: cluster.both.url, serverName: 'kubernetes' };
    const controllers = startControllers({
      clock: systemClock,
      speed: 10,
      candidates: () => [{ node: 'cp-1', access: { ...server, ca: cluster.ca.cert, ...cluster.admin } }],
      serverIds: () => [7],
      log: () => {},
    });
    const kubelet = startKubelet({
      clock: systemClock,
      heartbeatMs: 1000,
      pods: () => shown,
      facts: () => ({
        name: 'cp-1',
        role: 'control-plane',
        serverId: 7,
        privateIPv4: '10.0.0.1',
        publicIPv4: '192.0.2.1',
        talosVersion: 'v1.13.9',
        kubeletVersion: 'v1.36.3',
        machineId: 'machine',
        bootId: 'boot',
      }),
      api: () => [server],
      clusterCA: cluster.ca.cert,
      credential: () => cluster.leaf(['system:nodes'], 'system:node:cp-1'),
      talos: async () => cluster.admin,
      ready: () => (registered = true),
      log: () => {},
    });
    stoppers.push(
      () => kubelet.stop(),
      () => controllers.close(),
    );
    await eventually(async () => registered);
    await eventually(
      async () =>
        (await call(cluster, cluster.both, 'GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200,
    );
  }, 120_000);
  afterAll(async () => {
    for (const stop of stoppers) await stop();
    await cluster?.close();
  });

  const api = (method: string, url: string, options: CallOptions = {}) =>
    call(cluster, cluster.both, method, url, options);
  const token = async (at: Cluster['both'], spec: object = {}): Promise<string> => {
    const url = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const reply = await call(cluster, at, 'POST', url, { body: { spec } });
    expect(reply.status).toBe(201);
    return reply.body.status.token;
  };
  const whoami = (at: Cluster['both'], bearer: string) =>
    call(cluster, at, 'POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      who: { token: bearer },
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });

  test('health, each check by name, and the version', async () => {
    expect(await api('GET', '/readyz')).toMatchObject({ status: 200, text: 'ok' });
    expect((await api('GET', '/livez?verbose')).text).toMatch(
      /^\[\+\]ping ok\n[\s\S]*\[\+\]etcd ok\n[\s\S]*livez check passed\n$/,
    );
    expect(await api('GET', '/readyz/etcd')).toMatchObject({ status: 200, text: 'ok' });
    expect((await api('GET', '/version')).body).toMatchObject({ gitVersion: mix.apiServer.version });
  });

  test('who has no credential, or a false one, is unauthorized; who has one without rights is told what is missing', async () => {
    const unauthorized = {
      status: 401,
      body: { kind: 'Status', message: 'Unauthorized', reason: 'Unauthorized', code: 401 },
    };
    const foreign = await createAuthority('ecdsa', {
      organization: 'kubernetes',
      ...EXPIRED,
      notAfter: new Date(Date.now() + 3_600_000),
    });
    const stranger = await issue(foreign, {
      commonName: 'admin',
      organizations: ['system:masters'],
      usages: ['clientAuth'],
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 60_000),
    });
    for (const who of [{}, stranger, await cluster.leaf(['system:masters'], 'admin', EXPIRED), { token: 'nonsense' }])
      for (const url of ['/readyz', CONFIGMAPS]) expect(await api('GET', url, { who })).toMatchObject(unauthorized);
    const someone = await cluster.leaf([], 'someone');
    expect(await api('GET', '/api/v1/nodes', { who: someone })).toMatchObject({
      status: 403,
      body: {
        reason: 'Forbidden',
        message: 'nodes is forbidden: User "someone" cannot list resource "nodes" in API group "" at the cluster scope',
      },
    });
    expect((await api('GET', `${CONFIGMAPS}/x`, { who: someone })).body.message).toBe(
      'configmaps "x" is forbidden: User "someone" cannot get resource "configmaps" in API group "" in the namespace "default"',
    );
    expect((await api('GET', '/readyz', { who: someone })).status).toBe(200);
    expect((await api('GET', '/metrics', { who: someone })).body.message).toBe(
      'forbidden: User "someone" cannot get path "/metrics"',
    );
  });

  test('where anonymous requests are allowed they reach health and version and nothing else', async () => {
    for (const url of ['/livez', '/readyz', '/version'])
      expect((await call(cluster, cluster.old, 'GET', url, { who: {} })).status).toBe(200);
    expect(await call(cluster, cluster.old, 'GET', '/api/v1/nodes', { who: {} })).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('User "system:anonymous" cannot list resource "nodes"') },
    });
    expect((await call(cluster, cluster.old, 'GET', '/readyz', { who: { token: 'nonsense' } })).status).toBe(401);
  });

  test('a token of the old issuer is accepted where it is listed; the new one is refused where it is not', async () => {
    const [fresh, former] = await Promise.all([token(cluster.both), token(cluster.old)]);
    const claims = (text: string) => JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
    expect(claims(fresh)).toMatchObject({ iss: NEW, aud: [NEW, OLD], sub: 'system:serviceaccount:default:default' });
    expect(claims(former)).toMatchObject({ iss: OLD, aud: [OLD] });
    for (const [at, bearer, status] of [
      [cluster.both, fresh, 201],
      [cluster.both, former, 201],
      [cluster.old, former, 201],
      [cluster.old, fresh, 401],
    ] as const)
      expect((await whoami(at, bearer)).status).toBe(status);
    expect((await whoami(cluster.both, former)).body.status.userInfo).toMatchObject({
      username: 'system:serviceaccount:default:default',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    });
    expect((await api('GET', '/api/v1/nodes', { who: { token: fresh } })).status).toBe(403);
    expect((await whoami(cluster.both, `${fresh.slice(0, -8)}AAAAAAAA`)).status).toBe(401);
  });

  test('tokens have the audiences and the lifetime asked for, and end with their account', async () => {
    const other = await token(cluster.both, { audiences: ['elsewhere'], expirationSeconds: 1200 });
    expect((await whoami(cluster.both, other)).status).toBe(401);
    const review = async (bearer: string, audiences?: string[]) =>
      (
        await api('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
          body: {
            apiVersion: 'authentication.k8s.io/v1',
            kind: 'TokenReview',
            spec: { token: bearer, ...(audiences === undefined ? {} : { audiences }) },
          },
        })
      ).body.status;
    expect(await review(other, ['elsewhere'])).toMatchObject({ authenticated: true, audiences: ['elsewhere'] });
    expect((await review(other)).authenticated).toBeUndefined();
    const short = await api('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {
      body: { spec: { expirationSeconds: 60 } },
    });
    expect(short).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining('may not specify a duration less than 10 minutes') },
    });
    const accounts = '/api/v1/namespaces/default/serviceaccounts';
    await api('POST', accounts, { body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'brief' } } });
    const brief = (await api('POST', `${accounts}/brief/token`, { body: {} })).body.status.token;
    await api('DELETE', `${accounts}/brief`);
    expect((await whoami(cluster.old, brief)).status).toBe(401);
  });

  test('the keys and the issuer are published', async () => {
    expect((await api('GET', '/.well-known/openid-configuration')).body).toMatchObject({ issuer: NEW });
    const { keys } = (await api('GET', '/openid/v1/jwks')).body;
    expect(keys).toHaveLength(1);
    const [head = ''] = (await token(cluster.both)).split('.');
    expect(keys[0]).toMatchObject({
      kty: 'RSA',
      alg: 'RS256',
      kid: JSON.parse(Buffer.from(head, 'base64url').toString()).kid,
    });
  });

  test('objects are created once, read, changed with optimistic locking, and deleted once', async () => {
    const made = await api('POST', CONFIGMAPS, { body: configMap('one') });
    expect(made).toMatchObject({
      status: 201,
      body: { kind: 'ConfigMap', data: { a: '1' }, metadata: { namespace: 'default' } },
    });
    expect(await api('POST', CONFIGMAPS, { body: configMap('one') })).toMatchObject({
      status: 409,
      body: { reason: 'AlreadyExists', message: 'configmaps "one" already exists' },
    });
    const { resourceVersion, uid } = made.body.metadata;
    const next = await api('PUT', `${CONFIGMAPS}/one`, { body: { ...made.body, data: { a: '2' } } });
    expect(next).toMatchObject({ status: 200, body: { data: { a: '2' }, metadata: { uid } } });
    expect(BigInt(next.body.metadata.resourceVersion)).toBeGreaterThan(BigInt(resourceVersion));
    expect(await api('PUT', `${CONFIGMAPS}/one`, { body: { ...made.body, data: { a: '3' } } })).toMatchObject({
      status: 409,
      body: {
        reason: 'Conflict',
        message:
          'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes to the latest version and try again',
      },
    });
    const same = await api('PUT', `${CONFIGMAPS}/one`, { body: next.body });
    expect(same.body.metadata.resourceVersion).toBe(next.body.metadata.resourceVersion);
    const patched = await api('PATCH', `${CONFIGMAPS}/one`, { type: MERGE, body: { data: { b: '4' } } });
    expect(patched.body.data).toEqual({ a: '2', b: '4' });
    expect((await api('DELETE', `${CONFIGMAPS}/one`, { body: { preconditions: { uid: 'other' } } })).status).toBe(409);
    expect(await api('DELETE', `${CONFIGMAPS}/one`)).toMatchObject({
      status: 200,
      body: { kind: 'Status', status: 'Success' },
    });
    expect(await api('GET', `${CONFIGMAPS}/one`)).toMatchObject({
      status: 404,
      body: { message: 'configmaps "one" not found', reason: 'NotFound' },
    });
  });

  test('what is wrong with a request is said in the known words', async () => {
    expect(await api('POST', CONFIGMAPS, { body: configMap('X_') })).toMatchObject({
      status: 422,
      body: { reason: 'Invalid' },
    });
    expect(await api('POST', '/api/v1/namespaces/nowhere/configmaps', { body: configMap('x') })).toMatchObject({
      status: 404,
      body: { message: 'namespaces "nowhere" not found' },
    });
    expect(await api('POST', CONFIGMAPS, { body: { ...configMap('x'), data: { a: 1 } } })).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest' },
    });
    expect((await api('GET', '/api/v1/nothing')).body.message).toBe('the server could not find the requested resource');
    expect((await api('PUT', '/api/v1/nodes', { body: {} })).status).toBe(405);
    expect((await api('PATCH', `${CONFIGMAPS}/kube-root-ca.crt`, { body: {}, type: 'application/json' })).status).toBe(
      415,
    );
    expect((await api('GET', `${CONFIGMAPS}?fieldSelector=data.a%3D1`)).status).toBe(400);
  });

  test('a dry run answers as if it were done, and does nothing', async () => {
    expect((await api('POST', `${CONFIGMAPS}?dryRun=All`, { body: configMap('dry') })).status).toBe(201);
    expect((await api('GET', `${CONFIGMAPS}/dry`)).status).toBe(404);
    await api('POST', CONFIGMAPS, { body: configMap('wet') });
    const changed = await api('PATCH', `${CONFIGMAPS}/wet?dryRun=All`, { type: MERGE, body: { data: { a: '9' } } });
    expect(changed.body.data).toEqual({ a: '9' });
    expect((await api('DELETE', `${CONFIGMAPS}/wet?dryRun=All`)).status).toBe(200);
    expect((await api('GET', `${CONFIGMAPS}/wet`)).body.data).toEqual({ a: '1' });
  });

  test('patches of each form: JSON patch with its test, strategic merge by key', async () => {
    await api('POST', CONFIGMAPS, { body: configMap('patched') });
    const json = (operations: object[]) =>
      api('PATCH', `${CONFIGMAPS}/patched`, { type: 'application/json-patch+json', body: operations });
    expect(
      (
        await json([
          { op: 'test', path: '/data/a', value: '1' },
          { op: 'replace', path: '/data/a', value: '5' },
        ])
      ).body.data,
    ).toEqual({ a: '5' });
    expect((await json([{ op: 'test', path: '/data/a', value: '1' }])).status).toBe(422);
    const conditions = [{ type: 'Checked', status: 'True', reason: 'Test', message: 'x' }];
    const status = await api('PATCH', '/api/v1/nodes/cp-1/status', {
      type: 'application/strategic-merge-patch+json',
      body: { status: { conditions } },
    });
    expect(status.body.status.conditions.map((one: { type: string }) => one.type)).toEqual(
      expect.arrayContaining(['Checked', 'Ready']),
    );
  });

  test('server-side apply knows whose a field is: it makes, changes, takes out, and does not take over unasked', async () => {
    const type = 'application/apply-patch+yaml';
    const as = (manager: string, body: { metadata?: object; data?: object }, more = '') =>
      api('PATCH', `${CONFIGMAPS}/ours?fieldManager=${manager}${more}`, {
        type,
        body: { apiVersion: 'v1', kind: 'ConfigMap', ...body, metadata: { name: 'ours', ...body.metadata } },
      });
    expect(await as('', {})).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining('is required for apply patch') },
    });
    const made = await as('m', {
      metadata: { labels: { l: 'a' }, finalizers: ['lab.test/held'] },
      data: { a: '1', b: '2' },
    });
    expect(made).toMatchObject({ status: 201, body: { data: { a: '1', b: '2' } } });
    const again = await as('m', {
      metadata: { labels: { l: 'a' }, finalizers: ['lab.test/held'] },
      data: { a: '1', b: '2' },
    });
    expect(again.body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
    expect(again.body.metadata.managedFields[0]).toMatchObject({
      manager: 'm',
      operation: 'Apply',
      fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} }, 'f:metadata': { 'f:labels': { 'f:l': {} } } },
    });
    expect((await as('n', { data: { b: '2', c: '3' } })).body.data).toEqual({ a: '1', b: '2', c: '3' });
    // What two have applied stays while one of them does.
    expect((await as('m', { data: { a: '1' } })).body).toMatchObject({ data: { a: '1', b: '2', c: '3' } });
    const taken = { metadata: { labels: { l: 'b' } }, data: { a: '9', b: '8' } };
    expect(await as('o', taken)).toMatchObject({
      status: 409,
      body: {
        reason: 'Conflict',
        message: 'Apply failed with 2 conflicts: conflicts with "m":\n- .data.a\nconflicts with "n":\n- .data.b',
        details: {
          causes: expect.arrayContaining([
            expect.objectContaining({ reason: 'FieldManagerConflict', field: '.data.a' }),
            expect.objectContaining({ reason: 'FieldManagerConflict', field: '.data.b' }),
          ]),
        },
      },
    });
    const forced = await as('o', taken, '&force=true');
    expect(forced.body).toMatchObject({ data: { a: '9', b: '8', c: '3' }, metadata: { labels: { l: 'b' } } });
    expect(forced.body.metadata.managedFields.map((one: { manager: string }) => one.manager).toSorted()).toEqual([
      'n',
      'o',
    ]);
    expect((await as('o', { data: {} }, '&dryRun=All')).body.data).toEqual({ c: '3' });
    expect((await api('GET', `${CONFIGMAPS}/ours`)).body.data).toEqual({ a: '9', b: '8', c: '3' });
    await api('DELETE', `${CONFIGMAPS}/ours`);
  });

  test('an object that a finalizer holds is marked, and goes when the last one is taken off', async () => {
    const held = { ...configMap('held'), metadata: { name: 'held', finalizers: ['lab.test/a', 'lab.test/b'] } };
    await api('POST', CONFIGMAPS, { body: held });
    const marked = await api('DELETE', `${CONFIGMAPS}/held`);
    expect(marked.body.metadata.deletionTimestamp).toMatch(/Z$/);
    expect((await api('DELETE', `${CONFIGMAPS}/held`)).body.metadata.deletionTimestamp).toBe(
      marked.body.metadata.deletionTimestamp,
    );
    const off = async (finalizers: string[] | null) =>
      (await api('PATCH', `${CONFIGMAPS}/held`, { type: MERGE, body: { metadata: { finalizers } } })).status;
    expect(await off(['lab.test/a', 'lab.test/c'])).toBe(422);
    expect(await off(['lab.test/b'])).toBe(200);
    expect((await api('GET', `${CONFIGMAPS}/held`)).status).toBe(200);
    expect(await off(null)).toBe(200);
    expect((await api('GET', `${CONFIGMAPS}/held`)).status).toBe(404);
  });

  test('what an object may not be is refused with its field, and versions that are not there with theirs', async () => {
    const refused = async (metadata: object, field: string) => {
      const reply = await api('POST', CONFIGMAPS, {
        body: { ...configMap('x'), metadata: { name: 'x', ...metadata } },
      });
      expect(reply).toMatchObject({ status: 422, body: { reason: 'Invalid', details: { causes: [{ field }] } } });
      return reply.body.message as string;
    };
    expect(await refused({ labels: { 'not a key': 'x' } }, 'metadata.labels')).toContain('name part must consist of');
    expect(await refused({ labels: { key: 'not a value' } }, 'metadata.labels')).toContain('a valid label must be');
    expect(await refused({ finalizers: ['mine'] }, 'metadata.finalizers[0]')).toContain('nor is it fully qualified');
    expect(await api('POST', `${CONFIGMAPS}?dryRun=Some`, { body: configMap('x') })).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining('CreateOptions.meta.k8s.io "" is invalid: dryRun') },
    });
    expect(
      await api('POST', `${CONFIGMAPS}?fieldValidation=Strict`, { body: { ...configMap('x'), spec: {} } }),
    ).toMatchObject({
      status: 400,
      body: {
        message:
          'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "spec"',
      },
    });
    expect((await api('GET', `${CONFIGMAPS}?limit=-1`)).status).toBe(200);
    expect(await api('GET', `${CONFIGMAPS}?resourceVersion=99999999`)).toMatchObject({
      status: 504,
      body: { reason: 'Timeout', details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
    });
  });

  test('a status is changed through its own path alone', async () => {
    const labelled = await api('PATCH', '/api/v1/nodes/cp-1', {
      type: MERGE,
      body: { metadata: { labels: { tried: 'yes' } }, status: { phase: 'Terminated' } },
    });
    expect(labelled.body.metadata.labels.tried).toBe('yes');
    expect(labelled.body.status.phase).toBeUndefined();
  });

  test('lists are selected by label and name, and come in pages of one version', async () => {
    for (const name of ['p1', 'p2', 'p3', 'p4', 'p5'])
      await api('POST', CONFIGMAPS, { body: configMap(name, {}, { page: 'yes' }) });
    const names = (reply: { body: { items: { metadata: { name: string } }[] } }) =>
      reply.body.items.map((item) => item.metadata.name);
    const all = await api('GET', `${CONFIGMAPS}?labelSelector=page%3Dyes`);
    expect(names(all)).toEqual(['p1', 'p2', 'p3', 'p4', 'p5']);
    expect(names(await api('GET', `${CONFIGMAPS}?fieldSelector=metadata.name%3Dp3`))).toEqual(['p3']);
    expect(
      names(await api('GET', `${CONFIGMAPS}?labelSelector=page+notin+(yes),!other&fieldSelector=metadata.name!%3Dwet`)),
    ).not.toContain('p1');
    const first = await api('GET', `${CONFIGMAPS}?labelSelector=page%3Dyes&limit=2`);
    expect(names(first)).toEqual(['p1', 'p2']);
    await api('DELETE', `${CONFIGMAPS}/p3`);
    const rest = await api(
      'GET',
      `${CONFIGMAPS}?labelSelector=page%3Dyes&limit=5&continue=${first.body.metadata.continue}`,
    );
    expect(names(rest)).toEqual(['p3', 'p4', 'p5']);
    expect((await api('GET', `${CONFIGMAPS}?limit=1&continue=broken`)).status).toBe(400);
  });

  test('a watch from a version sees every later change once, in order, with rising versions', async () => {
    const from = (await api('GET', CONFIGMAPS)).body.metadata.resourceVersion;
    const watching = await follow(
      cluster,
      cluster.old,
      `${CONFIGMAPS}?watch=1&resourceVersion=${from}&labelSelector=watched%3Dyes`,
    );
    await api('POST', CONFIGMAPS, { body: configMap('w', { a: '1' }, { watched: 'yes' }) });
    await api('POST', CONFIGMAPS, { body: configMap('unwatched') });
    await api('PATCH', `${CONFIGMAPS}/w`, { type: MERGE, body: { data: { a: '2' } } });
    await api('PATCH', `${CONFIGMAPS}/w`, { type: MERGE, body: { metadata: { labels: { watched: null } } } });
    await api('PATCH', `${CONFIGMAPS}/w`, { type: MERGE, body: { metadata: { labels: { watched: 'yes' } } } });
    await api('DELETE', `${CONFIGMAPS}/w`);
    await eventually(async () => watching.events.length >= 5);
    watching.close();
    expect(watching.events.map(({ type, object }) => [type, object.metadata.name])).toEqual([
      ['ADDED', 'w'],
      ['MODIFIED', 'w'],
      ['DELETED', 'w'],
      ['ADDED', 'w'],
      ['DELETED', 'w'],
    ]);
    const versions = watching.events.map(({ object }) => BigInt(object.metadata.resourceVersion));
    expect(versions).toEqual(versions.toSorted((a, b) => (a < b ? -1 : 1)));
    const again = await follow(
      cluster,
      cluster.both,
      `${CONFIGMAPS}?watch=1&resourceVersion=${from}&labelSelector=watched%3Dyes`,
    );
    await eventually(async () => again.events.length >= 5);
    again.close();
    expect(again.events).toEqual(watching.events);
  });

  test('a lease changes only for who knows its version', async () => {
    const lease = (holder: string, resourceVersion?: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'lock', ...(resourceVersion === undefined ? {} : { resourceVersion }) },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: 15,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    });
    const made = await api('POST', LEASES, { body: lease('a') });
    expect(made.status).toBe(201);
    const version: string = made.body.metadata.resourceVersion;
    expect((await api('PUT', `${LEASES}/lock`, { body: lease('b') })).status).toBe(422);
    const taken = await Promise.all(
      ['b', 'c', 'd'].map((holder) =>
        call(cluster, holder === 'c' ? cluster.old : cluster.both, 'PUT', `${LEASES}/lock`, {
          body: lease(holder, version),
        }),
      ),
    );
    expect(taken.map((reply) => reply.status).toSorted((a, b) => a - b)).toEqual([200, 409, 409]);
    expect(taken.find((reply) => reply.status === 409)?.body.message).toMatch(
      /^Operation cannot be fulfilled on leases.coordination.k8s.io "lock"/,
    );
  });

  test('tables carry what kubectl prints', async () => {
    const nodes = (await api('GET', '/api/v1/nodes', { accept: TABLE })).body;
    expect(nodes.kind).toBe('Table');
    const column = (table: typeof nodes, name: string) =>
      table.columnDefinitions.findIndex((one: { name: string }) => one.name === name);
    const cells = nodes.rows[0].cells;
    expect(
      ['Name', 'Status', 'Roles', 'Version', 'Internal-IP', 'External-IP'].map((name) => cells[column(nodes, name)]),
    ).toEqual(['cp-1', 'Ready', 'control-plane', 'v1.36.3', '10.0.0.1', '192.0.2.1']);
    const maps = (await api('GET', `${CONFIGMAPS}?fieldSelector=metadata.name%3Dwet`, { accept: TABLE })).body;
    expect(maps.rows[0].cells.slice(0, 2)).toEqual(['wet', 1]);
  });

  test('a kubelet has its own node and lease, no other, and not its roles', async () => {
    const who = await cluster.leaf(['system:nodes'], 'system:node:w-1');
    const node = (labels: object) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'w-1', labels } });
    expect(
      (await api('POST', '/api/v1/nodes', { who, body: node({ 'node-role.kubernetes.io/control-plane': '' }) })).status,
    ).toBe(403);
    expect((await api('POST', '/api/v1/nodes', { who, body: node({ 'kubernetes.io/hostname': 'w-1' }) })).status).toBe(
      201,
    );
    expect(
      (await api('PATCH', '/api/v1/nodes/w-1/status', { who, type: MERGE, body: { status: { addresses: [] } } }))
        .status,
    ).toBe(200);
    expect(
      (await api('PATCH', '/api/v1/nodes/cp-1/status', { who, type: MERGE, body: { status: { addresses: [] } } }))
        .status,
    ).toBe(403);
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'w-1' },
      spec: { holderIdentity: 'w-1' },
    };
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    expect((await api('POST', leases, { who, body: lease })).status).toBe(201);
    expect((await api('PATCH', `${leases}/cp-1`, { who, type: MERGE, body: { spec: {} } })).status).toBe(403);
    expect((await api('GET', `${CONFIGMAPS}/wet`, { who })).status).toBe(403);
  });

  test('a kubelet shows its static pods, makes them anew when they change, and takes no word but its own', async () => {
    const mirror = `${PODS}/kube-scheduler-cp-1`;
    const look = async () => (await api('GET', mirror)).body;
    const ready = async (wanted: string) =>
      (await look()).status?.conditions?.find((one: { type: string }) => one.type === 'Ready')?.status === wanted;
    await eventually(() => ready('True'));
    const first = await look();
    expect(first).toMatchObject({
      metadata: {
        labels: { 'k8s-app': 'kube-scheduler' },
        annotations: { 'kubernetes.io/config.mirror': expect.stringMatching(/^[0-9a-f]{32}$/) },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'cp-1', controller: true }],
      },
      spec: { nodeName: 'cp-1', restartPolicy: 'Always', dnsPolicy: 'ClusterFirst' },
      status: { phase: 'Running', qosClass: 'Burstable', podIP: '10.0.0.1' },
    });
    const names = async (selector: string) =>
      (await api('GET', `/api/v1/pods?${selector}`)).body.items.map(
        (one: { metadata: { name: string } }) => one.metadata.name,
      );
    expect(await names('labelSelector=k8s-app+%3D+kube-scheduler')).toEqual(['kube-scheduler-cp-1']);
    expect(await names('fieldSelector=spec.nodeName%3Dcp-1,status.phase%3DRunning')).toEqual(['kube-scheduler-cp-1']);
    expect(await names('fieldSelector=spec.nodeName%3Dother')).toEqual([]);
    const table = (await api('GET', PODS, { accept: TABLE })).body;
    const ofPod = table.rows[0].cells.map(String);
    expect([...ofPod.slice(0, 3), ofPod[3]?.replace(/ .*/, '')]).toEqual([
      'kube-scheduler-cp-1',
      '1/1',
      'Running',
      '2',
    ]);

    shown = [pod('1', 'False')];
    await eventually(() => ready('False'));
    expect((await look()).metadata.uid).toBe(first.metadata.uid);
    shown = [pod('2', 'True')];
    await eventually(() => ready('True'));
    const second = await look();
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    expect(second.metadata.annotations['talos.dev/config-version']).toBe('2');
    await api('DELETE', mirror);
    await eventually(async () => {
      const { metadata } = await look();
      return (
        metadata?.uid !== undefined && metadata.uid !== second.metadata.uid && metadata.deletionTimestamp === undefined
      );
    });

    const who = await cluster.leaf(['system:nodes'], 'system:node:cp-1');
    const stranger = await cluster.leaf(['system:nodes'], 'system:node:w-9');
    const third = await look();
    const { resourceVersion: _version, uid: _uid, creationTimestamp: _time, ...metadata } = third.metadata;
    const { nodeName, containers } = third.spec;
    const refused = async (body: object, why: string, as = who) =>
      expect(
        (await api('POST', PODS, { who: as, body: { apiVersion: 'v1', kind: 'Pod', ...body } })).body,
      ).toMatchObject({
        code: 403,
        message: expect.stringContaining(why),
      });
    const named = { ...metadata, name: 'other' };
    const { 'kubernetes.io/config.mirror': _mirror, ...annotations } = metadata.annotations;
    await refused(
      { metadata: { ...named, annotations }, spec: { nodeName, containers } },
      'can only create mirror pods',
    );
    await refused({ metadata: named, spec: { nodeName: 'w-1', containers } }, 'spec.nodeName set to itself');
    await refused(
      { metadata: { ...named, ownerReferences: [] }, spec: { nodeName, containers } },
      'an owner reference set to itself',
    );
    await refused(
      {
        metadata: { ...named, ownerReferences: [{ ...metadata.ownerReferences[0], uid: 'other' }] },
        spec: { nodeName, containers },
      },
      'UID mismatch',
    );
    expect((await api('DELETE', mirror, { who: stranger })).body.message).toContain(
      'can only delete pods with spec.nodeName set to itself',
    );
    expect(
      (await api('PATCH', `${mirror}/status`, { who: stranger, type: MERGE, body: { status: { phase: 'Failed' } } }))
        .body.message,
    ).toContain('can only update pod status for pods with spec.nodeName set to itself');
    for (const plural of ['daemonsets', 'deployments', 'replicasets'])
      expect(
        (await api('GET', `/apis/apps/v1/namespaces/kube-system/${plural}?labelSelector=k8s-app+in+(a,b)`)).body.items,
      ).toEqual([]);
  });

  test('the audit has each request once: who, what, whether it wrote', async () => {
    const mark = String(cluster.both.audit.mark);
    const who = { ...cluster.admin, headers: { 'user-agent': 'fairlead/0.1.0' } };
    await api('POST', `${CONFIGMAPS}?dryRun=All`, { who, body: configMap('audited') });
    await api('POST', CONFIGMAPS, { who, body: configMap('audited') });
    await api('POST', CONFIGMAPS, { who, body: configMap('audited') });
    await api('GET', `${CONFIGMAPS}/audited?x=1`, { who });
    await api('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { who, body: {} });
    await whoami(cluster.both, await token(cluster.both));
    await api('GET', '/readyz', { who: { headers: { 'user-agent': 'probe node/cp-2' } } });
    const watching = await follow(cluster, cluster.both, `${CONFIGMAPS}?watch=1&timeoutSeconds=1`);
    const ours = () => cluster.both.audit.since(mark).filter((one) => /^(fairlead|node\/cp-2)$/.test(one.by));
    await eventually(async () => ours().length >= 6);
    expect(ours().map(({ method, path: at, status, write, by }) => [by, method, at, status, write])).toEqual([
      ['fairlead', 'POST', `${CONFIGMAPS}?dryRun=All`, 201, false],
      ['fairlead', 'POST', CONFIGMAPS, 201, true],
      ['fairlead', 'POST', CONFIGMAPS, 409, false],
      ['fairlead', 'GET', `${CONFIGMAPS}/audited?x=1`, 200, false],
      ['fairlead', 'POST', '/api/v1/namespaces/default/serviceaccounts/default/token', 201, false],
      ['node/cp-2', 'GET', '/readyz', 401, false],
    ]);
    const watches = () =>
      cluster.both.audit.since(mark).filter((one) => one.path === `${CONFIGMAPS}?watch=1&timeoutSeconds=1`);
    await eventually(async () => watches().length === 1);
    await systemClock.sleep(1500);
    watching.close();
    expect(watches()).toHaveLength(1);
    const reviews = cluster.both.audit.since(mark).filter((one) => one.path.endsWith('selfsubjectreviews'));
    expect(reviews.map((one) => one.write)).toEqual([false]);
    expect(cluster.both.audit.since(mark).every((one) => one.system === 'kubernetes' && one.node === 'cp-1')).toBe(
      true,
    );
  });

  test('namespaces are furnished when they are made, and emptied before they go', async () => {
    await api('POST', '/api/v1/namespaces', {
      body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'room' } },
    });
    const room = '/api/v1/namespaces/room';
    await eventually(async () => (await api('GET', `${room}/serviceaccounts/default`)).status === 200);
    await eventually(
      async () => (await api('GET', `${room}/configmaps/kube-root-ca.crt`)).body.data['ca.crt'] === cluster.ca.cert,
    );
    await api('POST', `${room}/configmaps`, { body: configMap('inside') });
    expect((await api('DELETE', room)).body).toMatchObject({ kind: 'Namespace', status: { phase: 'Terminating' } });
    await eventually(async () => (await api('GET', room)).status === 404);
    expect((await api('GET', `${room}/configmaps`)).body.items).toEqual([]);
    expect((await api('DELETE', '/api/v1/namespaces/kube-system')).status).toBe(403);
  });

  for (const { name, file } of kubectls) {
    test.skipIf(file === undefined)(
      `${name} reads, creates, applies, changes and deletes${file === undefined ? ' (skipped: run scripts/prepare)' : ''}`,
      async () => {
        const run = (...args: readonly string[]) => kubectl(cluster, file ?? '', config, ...args);
        const mapName = name.replaceAll(/[^a-z0-9]/g, '-');
        expect((await run('get', 'nodes')).out).toMatch(/^NAME +STATUS +ROLES +AGE +VERSION\ncp-1 +Ready/);
        expect(await run('create', 'configmap', mapName, '--from-literal=k=v')).toMatchObject({
          code: 0,
          out: `configmap/${mapName} created\n`,
        });
        expect((await run('create', 'configmap', mapName, '--from-literal=k=v')).error).toContain(
          `configmaps "${mapName}" already exists`,
        );
        expect((await run('get', 'cm', mapName, '-o', 'yaml')).out).toContain('data:\n  k: v\nkind: ConfigMap\n');
        const manifest = path.join(cluster.dir, `${mapName}.json`);
        for (const [value, said] of [
          ['1', 'created'],
          ['2', 'configured'],
          ['2', 'unchanged'],
        ]) {
          await writeFile(manifest, JSON.stringify(configMap(`${mapName}-applied`, { value: value ?? '' })));
          expect(await run('apply', '-f', manifest)).toMatchObject({ out: `configmap/${mapName}-applied ${said}\n` });
        }
        expect((await run('get', 'cm', `${mapName}-applied`, '-o', 'jsonpath={.data.value}')).out).toBe('2');
        expect((await run('label', 'cm', mapName, 'a=b')).out).toContain('labeled');
        expect((await run('get', 'cm', '-l', 'a=b', '-o', 'name')).out).toBe(`configmap/${mapName}\n`);
        expect((await run('patch', 'cm', mapName, '-p', '{"data":{"x":"y"}}')).out).toContain('patched');
        expect((await run('delete', 'cm', mapName, `${mapName}-applied`)).code).toBe(0);
        expect((await run('get', 'cm', mapName)).error).toContain(`configmaps "${mapName}" not found`);
        expect((await run('get', '--raw', '/readyz')).out).toBe('ok');
        expect((await run('auth', 'can-i', 'get', 'nodes')).out).toBe('yes\n');
        expect((await run('auth', 'can-i', 'get', 'nodes', '--as', 'nobody')).out).toMatch(/^no/);
        expect((await run('version')).out).toContain(mix.apiServer.version);
        if (name === 'kubectl 1.36') {
          expect((await run('auth', 'can-i', '--list')).out).toMatch(/^\*\.\* +\[\] +\[\] +\[\*\]$/m);
          expect((await run('describe', 'node', 'cp-1')).out).toMatch(/Ready +True[^]*kube-scheduler-cp-1/);
          expect((await run('explain', 'configmap')).out).toMatch(/^KIND: +ConfigMap\nVERSION: +v1\n/);
          expect((await run('get', 'nodes', '--watch', '--request-timeout=1s')).out).toMatch(/^cp-1 +Ready/m);
          expect((await run('get', '--raw', '/readyz?verbose')).out).toMatch(/^\[\+\]etcd ok$/m);
          const bad = path.join(cluster.dir, `${mapName}-bad.json`);
          await writeFile(bad, JSON.stringify({ ...configMap('unknown-field'), spec: { a: 1 } }));
          expect((await run('create', '-f', bad)).error).toContain('strict decoding error: unknown field "spec"');
          expect((await run('diff', '-f', manifest)).code).toBe(1);
          const server = ['apply', '--server-side', '-f', manifest];
          expect((await run(...server)).out).toContain('serverside-applied');
          expect((await run(...server, '--field-manager=other', '--dry-run=server')).code).toBe(0);
          await writeFile(manifest, JSON.stringify(configMap(`${mapName}-applied`, { value: '3' })));
          expect((await run(...server, '--field-manager=other')).error).toContain(
            'Apply failed with 1 conflict: conflict with "kubectl": .data.value',
          );
          expect((await run(...server, '--field-manager=other', '--force-conflicts')).code).toBe(0);
          expect((await run('get', 'cm', `${mapName}-applied`, '-o', 'jsonpath={.data.value}')).out).toBe('3');
          expect((await run('delete', 'cm', `${mapName}-applied`)).code).toBe(0);
          expect((await run('auth', 'whoami')).out).toContain('[system:masters system:authenticated]');
          const bearer = (await run('create', 'token', 'default', '--duration=30m')).out.trim();
          expect((await whoami(cluster.both, bearer)).status).toBe(201);
        }
      },
      60_000,
    );
  }

  test('a certificate is served as soon as its files have changed', async () => {
    const before = (await shownCertificate(cluster, cluster.both)).serialNumber;
    const fresh = await cluster.serving(cluster.both.address, ['added.lab.test']);
    await writeFile(cluster.both.tls.key, fresh.key);
    await writeFile(cluster.both.tls.cert, fresh.cert);
    await eventually(async () => (await shownCertificate(cluster, cluster.both)).serialNumber !== before, 75_000);
    expect((await shownCertificate(cluster, cluster.both)).subjectaltname).toContain('added.lab.test');
  }, 80_000);

  test('a server that was stopped refuses connections, and knows everything when it is back', async () => {
    const { old } = cluster;
    await old.part.stop(10_000);
    await expect(call(cluster, old, 'GET', '/readyz')).rejects.toThrow(/ECONNREFUSED/);
    old.part = await mix.apiServer.start(old.spec);
    await eventually(async () => (await call(cluster, old, 'GET', '/readyz')).status === 200);
    expect((await call(cluster, old, 'GET', `${CONFIGMAPS}/wet`)).body.data).toEqual({ a: '1' });
    await old.part.kill();
    await expect(call(cluster, old, 'GET', '/readyz')).rejects.toThrow(/ECONNREFUSED/);
    old.part = await mix.apiServer.start(old.spec);
  }, 60_000);

  test('without etcd nothing is ready and writes fail; with it all is well again', async () => {
    await cluster.etcd.kill();
    await eventually(async () => {
      const { status, text } = await api('GET', '/readyz');
      return status === 500 && text.includes('[-]etcd failed: reason withheld');
    });
    const failed = await api('POST', CONFIGMAPS, { body: configMap('lost'), timeoutMs: 3000 }).catch(() => ({
      status: 0,
    }));
    expect([0, 500, 504]).toContain(failed.status);
    cluster.etcd = await mix.etcd.start({ ...cluster.etcdSpec, restart: true });
    await eventually(async () => (await api('GET', '/readyz')).status === 200);
    await eventually(async () => (await api('POST', CONFIGMAPS, { body: configMap('found') })).status === 201);
    expect((await api('GET', `${CONFIGMAPS}/wet`)).body.data).toEqual({ a: '1' });
  }, 90_000);
}
