import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSmallWorld, type SmallWorld, type WorldNode } from '../../lab/talos/testing/small-world.ts';
import { fromBase64, fromTalosPair } from '../../lab/pki/keys.ts';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Redacted } from '../../src/base/redacted.ts';
import { handshake } from '../../src/probe/handshake.ts';
import { startProber } from '../../src/probe/prober.ts';
import { ready } from '../../src/probe/ready.ts';
import { createKubernetesClient } from '../../src/systems/kubernetes/client.ts';
import { parseKubeconfig, resolveContext } from '../../src/systems/kubernetes/kubeconfig.ts';
import type { KubeContext } from '../../src/systems/kubernetes/types.ts';
import { createTalosClient } from '../../src/systems/talos/client.ts';
import { parseTalosconfig, selectContext } from '../../src/systems/talos/talosconfig.ts';
import type { TalosClient } from '../../src/systems/talos/types.ts';

// The clients that are used in production against a node of the lab, over the real protocols and the true ports.

let world: SmallWorld;
let node: WorldNode;
let client: TalosClient;

beforeAll(async () => {
  world = await startSmallWorld({});
  node = await world.add('cp-1', 'control-plane', 'founding');
  await world.ready(node);
  client = await talos(['os:admin']);
});
afterAll(async () => {
  client?.close();
  await world?.close();
});

async function talos(roles: readonly string[]): Promise<TalosClient> {
  const dates = { notBefore: new Date(Date.now() - 10_000), notAfter: new Date(Date.now() + 3_600_000) };
  const pair = await issue(fromTalosPair(world.secrets.certs.os), {
    commonName: '',
    organizations: roles,
    usages: ['clientAuth'],
    ...dates,
  });
  return createTalosClient({
    address: node.server.publicIPv4,
    ca: fromBase64(world.secrets.certs.os.crt),
    crt: pair.cert,
    key: new Redacted(pair.key),
    timeoutMs: 5000,
  });
}

const kubeContext = async (): Promise<KubeContext> =>
  resolveContext(parseKubeconfig((await client.kubeconfig()).reveal(), 'kubeconfig'), undefined, () =>
    Promise.reject(new Error('it refers to no file')),
  );

test('everything that is read of a node comes in our words', async () => {
  expect(await client.version()).toEqual({ tag: 'v1.13.9', platform: 'hcloud' });
  expect(await client.hostname()).toBe('cp-1');
  expect((await client.services()).find((s) => s.id === 'etcd')).toMatchObject({ state: 'Running', healthy: true });
  const [member] = await client.etcdMembers();
  expect(member).toMatchObject({ hostname: 'cp-1', isLearner: false });
  expect(await client.etcdStatus()).toMatchObject({ memberId: member?.id, leader: member?.id, errors: [] });
  expect(await client.etcdAlarms()).toEqual([]);
  expect((await client.bootTime()).getTime()).toBeGreaterThan(Date.now() - 600_000);
  const addresses = await client.list('network', 'AddressStatuses.net.talos.dev');
  expect(addresses.map((a) => (a.spec as { address: string }).address.split('/')[0])).toContain(node.server.publicIPv4);
  expect(await client.get('network', 'AddressStatuses.net.talos.dev', 'no/such')).toBeUndefined();
  let size = 0;
  for await (const part of client.etcdSnapshot()) size += part.length;
  expect(size).toBeGreaterThan(0);
});

test('a machine config goes through a dry run and an apply byte for byte, and is there afterwards', async () => {
  const before = await client.machineConfig('active');
  const text = `${before?.text.reveal() ?? ''}# a comment that stays\n`;
  const dry = await client.applyConfiguration(new Redacted(text), 'no-reboot', { dryRun: true });
  expect(dry.warnings).toEqual([]);
  expect((await client.machineConfig('active'))?.text.reveal()).toBe(before?.text.reveal());
  await client.applyConfiguration(new Redacted(text), 'no-reboot');
  expect((await client.machineConfig('active'))?.text.reveal()).toBe(text);
  expect((await client.machineConfig('persistent'))?.text.reveal()).toBe(text);
  await expect(client.applyConfiguration(new Redacted('machine: [\n'), 'no-reboot')).rejects.toMatchObject({
    name: 'TalosError',
    code: 'refused',
  });
});

test('a role without the right is permission-denied; a foreign certificate is told from a foreign node', async () => {
  const reader = await talos(['os:reader']);
  expect(await reader.hostname()).toBe('cp-1');
  await expect(reader.kubeconfig()).rejects.toMatchObject({ code: 'permission-denied' });
  reader.close();

  const stranger = await credentialsOfAnotherCluster();
  const foreign = createTalosClient({
    ...stranger,
    address: node.server.publicIPv4,
    ca: fromBase64(world.secrets.certs.os.crt),
  });
  await expect(foreign.version()).rejects.toMatchObject({
    code: 'unauthenticated',
    reason: 'client-certificate-refused',
  });
  foreign.close();
  const misled = createTalosClient({ ...stranger, address: node.server.publicIPv4 });
  await expect(misled.version()).rejects.toMatchObject({ code: 'unauthenticated', reason: 'server-untrusted' });
  misled.close();
});

async function credentialsOfAnotherCluster(): Promise<{ ca: string; crt: string; key: Redacted; timeoutMs: number }> {
  const dates = { notBefore: new Date(Date.now() - 10_000), notAfter: new Date(Date.now() + 3_600_000) };
  const ca = await createAuthority('ed25519', { organization: 'talos', ...dates });
  const pair = await issue(ca, { commonName: '', organizations: ['os:admin'], usages: ['clientAuth'], ...dates });
  return { ca: ca.cert, crt: pair.cert, key: new Redacted(pair.key), timeoutMs: 3000 };
}

test('a generated talosconfig can be read, selected and used', async () => {
  const made = await client.generateClientConfiguration(['os:reader'], 3_600_000);
  const context = selectContext(parseTalosconfig(made.talosconfig.reveal(), 'talosconfig'));
  expect(context.notAfter.getTime()).toBeLessThan(Date.now() + 3_700_000);
  const other = createTalosClient({ ...context, address: node.server.publicIPv4 });
  expect(await other.hostname()).toBe('cp-1');
  other.close();
});

/** The small world runs none of the controllers that make one by themselves. */
async function makeServiceAccount(context: KubeContext, name: string): Promise<void> {
  const { auth } = context;
  if (auth.kind !== 'certificate') throw new Error('the kubeconfig of a node holds a certificate');
  const request = https.request(`${context.server}/api/v1/namespaces/default/serviceaccounts`, {
    method: 'POST',
    ca: context.ca,
    cert: auth.cert,
    key: auth.key.reveal(),
    headers: { 'content-type': 'application/json', 'user-agent': 'fairlead-lab/test' },
  });
  request.end(JSON.stringify({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } }));
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBe(201);
}

test('the kubeconfig the node gives leads to its API server: certificate, readiness, ordinary calls, the prober', async () => {
  const context = await kubeContext();
  const host = new URL(context.server).hostname;
  expect(await handshake(host, 6443, { ca: context.ca, timeoutMs: 3000 })).toMatchObject({
    kind: 'served',
    trusted: true,
  });
  expect(await ready(context, '/readyz', { timeoutMs: 3000 })).toMatchObject({ kind: 'answered', status: 200 });

  const kubernetes = createKubernetesClient(context);
  expect(await kubernetes.version()).toMatch(/^v1\.\d+\.\d+/);
  await kubernetes.ensureConfigMap('default', 'fairlead-probe', { beat: '0' });
  await makeServiceAccount(context, 'fairlead-test');
  const token = await kubernetes.serviceAccountToken('default', 'fairlead-test', 3600);
  const mark = `${world.audit.mark}`;
  await kubernetes.ensureConfigMap('default', 'fairlead-probe', { beat: '0' });
  expect(world.audit.since(mark).filter((r) => r.write)).toEqual([]);

  const prober = startProber(
    { clock: systemClock },
    { targets: [{ name: 'endpoint', context }], token, namespace: 'default', configMap: 'fairlead-probe' },
  );
  const measured = () => Object.keys(prober.report().gaps['endpoint'] ?? {}).length;
  await expect.poll(measured, { timeout: 15_000 }).toBe(4);
  await prober.stop();
  expect(prober.report()).toMatchObject({ tokensRefused: 0, failures: [] });
  await kubernetes.deleteConfigMap('default', 'fairlead-probe');
  kubernetes.close();
  const ours = world.audit.since(mark).filter((r) => r.system === 'kubernetes' && !r.by.startsWith('node/'));
  expect(new Set(ours.map((r) => r.by))).toEqual(new Set(['fairlead']));
});
