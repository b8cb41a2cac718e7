import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { fromTalosPair } from '../../pki/keys.ts';
import { issue } from '../../pki/pki.ts';
import { startSmallWorld, type SmallWorld, type WorldNode } from '../../talos/testing/small-world.ts';
import { listAt, stringAt } from '../api-server/objects/types.ts';
import { createApiClient, type ApiAccess, type ApiClient } from '../http.ts';
import { findCondition } from './conditions.ts';
import { startControllers, type Controllers } from './controllers.ts';

const SPEED = 20;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

describe('kubelets and controllers of one control plane and one worker', () => {
  let world: SmallWorld;
  let plane: WorldNode;
  let worker: WorldNode;
  let controllers: Controllers;
  let admin: ApiClient;
  let access: ApiAccess;
  const gone = new Set<number>();

  const ask = async (path: string): Promise<unknown> => {
    const { status, body } = await admin.request('GET', path);
    return status === 200 ? body : undefined;
  };
  const until = async (what: string, look: () => Promise<boolean>): Promise<void> => {
    const found = await waitFor(systemClock, { everyMs: 50, timeoutMs: 20_000 }, async () =>
      (await look()) ? true : undefined,
    );
    if (found === undefined) throw new Error(`never: ${what}\n${world.nodes.flatMap((node) => node.log).join('\n')}`);
  };
  const readyOf = async (name: string): Promise<string | undefined> =>
    stringAt(findCondition(await ask(`/api/v1/nodes/${name}`), 'Ready'), 'status');

  beforeAll(async () => {
    world = await startSmallWorld({ speed: SPEED });
    plane = await world.add('cp-1', 'control-plane', 'founding');
    const authority = fromTalosPair(world.secrets.certs.k8s);
    const client = await issue(authority, {
      commonName: 'admin',
      organizations: ['system:masters'],
      usages: ['clientAuth'],
      notBefore: new Date(Date.now() - 10_000),
      notAfter: new Date(Date.now() + 3_600_000),
    });
    access = { server: `https://${plane.host.hidden}:6443`, serverName: 'localhost', ca: authority.cert, ...client };
    admin = createApiClient(access, { userAgent: 'test', timeoutMs: 5_000 });
    controllers = startControllers({
      clock: systemClock,
      speed: SPEED,
      candidates: () => [{ node: 'cp-1', access }],
      serverIds: () => world.nodes.map(({ server }) => server.id).filter((id) => !gone.has(id)),
      log: () => {},
    });
    await world.ready(plane);
    worker = await world.add('worker-1', 'worker', { kind: 'join' });
    await world.ready(worker);
  }, 60_000);

  afterAll(async () => {
    await controllers.close();
    admin.close();
    await world.close();
  });

  it('a machine is ready only once its Node is registered and Ready, with its addresses and its server', async () => {
    const node = await ask('/api/v1/nodes/worker-1');
    expect(stringAt(findCondition(node, 'Ready'), 'status')).toBe('True');
    expect(stringAt(node, 'spec', 'providerID')).toBe(`hcloud://${worker.server.id}`);
    expect(listAt(node, 'status', 'addresses')).toContainEqual({
      type: 'InternalIP',
      address: worker.server.privateIPv4,
    });
    expect(
      stringAt(await ask('/api/v1/nodes/cp-1'), 'metadata', 'labels', 'node-role.kubernetes.io/control-plane'),
    ).toBe('');
  });

  it('a ready Node loses the taint it was made with, and its lease goes on', async () => {
    await until('untainted', async () => listAt(await ask('/api/v1/nodes/worker-1'), 'spec', 'taints').length === 0);
    const renewTime = async () => stringAt(await ask(`${LEASES}/worker-1`), 'spec', 'renewTime');
    const before = await renewTime();
    await until('renewed', async () => (await renewTime()) !== before);
  });

  it('a new namespace gets its account and the cluster CA, and goes with what is in it', async () => {
    await admin.request('POST', '/api/v1/namespaces', {
      body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'harbour' } },
    });
    const folder = '/api/v1/namespaces/harbour';
    await until('account', async () => (await ask(`${folder}/serviceaccounts/default`)) !== undefined);
    await until('CA', async () => {
      const map = await ask(`${folder}/configmaps/kube-root-ca.crt`);
      return stringAt(map, 'data', 'ca.crt') === access.ca;
    });
    await admin.request('DELETE', folder);
    await until('gone', async () => (await ask(folder)) === undefined);
  });

  it('everything they write is told from what a client writes, and a settled cluster sees heartbeats only', async () => {
    const { mark } = world.audit;
    await systemClock.sleep(1_500);
    const writes = world.audit.since(String(mark)).filter(({ write }) => write);
    expect(writes.length).toBeGreaterThan(0);
    expect(new Set(writes.map(({ by }) => by))).toEqual(new Set(['node/cp-1', 'node/worker-1']));
  });

  it('a Node whose machine has fallen silent becomes Unknown, and Ready again when it is back', async () => {
    await worker.node.powerOff();
    await until('Unknown', async () => (await readyOf('worker-1')) === 'Unknown');
    await until('tainted', async () => {
      const [taint] = listAt(await ask('/api/v1/nodes/worker-1'), 'spec', 'taints');
      return stringAt(taint, 'key') === 'node.kubernetes.io/unreachable';
    });
    expect(stringAt(findCondition(await ask('/api/v1/nodes/worker-1'), 'Ready'), 'reason')).toBe('NodeStatusUnknown');
    await worker.node.powerOn();
    await until('Ready', async () => (await readyOf('worker-1')) === 'True');
  }, 40_000);

  it('the Node of a server that is no more goes, and one of the same name takes its place', async () => {
    await worker.node.destroy();
    const old = worker.server.id;
    gone.add(old);
    world.nodes.splice(world.nodes.indexOf(worker), 1);
    const fresh = await world.add('worker-1', 'worker', { kind: 'join' });
    await world.ready(fresh);
    expect(stringAt(await ask('/api/v1/nodes/worker-1'), 'spec', 'providerID')).toBe(`hcloud://${fresh.server.id}`);
    expect(fresh.server.id).not.toBe(old);
  }, 40_000);
});
