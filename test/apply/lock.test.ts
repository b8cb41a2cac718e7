import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { builtInApiServer } from '../../lab/kubernetes/api-server/built-in.ts';
import { findApiServer } from '../../lab/kubernetes/api-server/find.ts';
import { realApiServer } from '../../lab/kubernetes/api-server/real.ts';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { findEtcd } from '../../lab/kubernetes/etcd/find.ts';
import { realEtcd } from '../../lab/kubernetes/etcd/real.ts';
import { LOCK, LOCK_SECONDS } from '../../src/apply/lock/judge.ts';
import { takeLock } from '../../src/apply/lock/lock.ts';
import { ownerText, parseOwner } from '../../src/apply/lock/owner.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type ProcessIdentity, systemProcesses } from '../../src/base/processes.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Redacted } from '../../src/base/redacted.ts';
import { createKubernetesClient } from '../../src/systems/kubernetes/client.ts';
import type { KubernetesClient } from '../../src/systems/kubernetes/types.ts';
import { eventually, startCluster, type Cluster, type Mix } from '../conformance/api-server-harness.ts';

const ports = { clock: systemClock, random: systemRandom };
const [foundEtcd, foundServer] = await Promise.all([findEtcd(process.env), findApiServer(process.env)]);
const real: Mix | undefined =
  foundEtcd === undefined || foundServer === undefined
    ? undefined
    : {
        etcd: realEtcd(foundEtcd.path, foundEtcd.version),
        apiServer: realApiServer(foundServer.path, foundServer.version),
      };

/** Twenty seconds of the lock's time in one of ours. */
const SPEED = 20;
const fast: Clock = {
  now: () => performance.now() * SPEED,
  wall: () => new Date(),
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

const me: ProcessIdentity = { user: 'anna', host: 'desk', pid: 41, space: 'boot.1', started: '100' };
const elsewhere: ProcessIdentity = { ...me, user: 'ci', host: 'runner', space: 'other.2' };

/** A machine on which these processes live. */
const machine = (self: ProcessIdentity, alive: readonly ProcessIdentity[] = [self]) => ({
  self: async () => self,
  started: async (pid: number) => alive.find((owner) => owner.pid === pid && owner.space === self.space)?.started,
});

describe.each([
  {
    name: 'the built-in API server',
    mix: { etcd: builtInEtcd(ports), apiServer: builtInApiServer(ports) } as Mix | undefined,
  },
  { name: `a real API server${real === undefined ? ' (skipped: run scripts/prepare)' : ''}`, mix: real },
])('the lock of a cluster, kept in $name', { skip: false }, ({ mix }) => {
  let cluster: Cluster;
  let clients: KubernetesClient[];
  beforeAll(async () => {
    if (mix === undefined) return;
    cluster = await startCluster(mix);
    clients = [cluster.both, cluster.old].map((server) =>
      createKubernetesClient({
        name: 'lab',
        cluster: 'lab',
        user: 'admin',
        server: server.url,
        tlsServerName: undefined,
        ca: cluster.ca.cert,
        auth: { kind: 'certificate', cert: cluster.admin.cert, key: new Redacted(cluster.admin.key) },
      }),
    );
    await eventually(async () => {
      await first().writeSecret('kube-system', 'ready', { data: {}, labels: {}, resourceVersion: undefined });
      return true;
    });
  });
  afterAll(async () => {
    for (const client of clients ?? []) client.close();
    await cluster?.close();
  });
  const first = (): KubernetesClient => {
    const [client] = clients;
    if (client === undefined) throw new Error('no client');
    return client;
  };
  beforeEach(async () => {
    if (mix === undefined) return;
    const lease = await first().lease(LOCK.namespace, LOCK.name);
    if (lease !== undefined) await first().writeLease(LOCK.namespace, LOCK.name, { ...lease, holder: '' });
  });
  const take = (self: ProcessIdentity, alive?: readonly ProcessIdentity[], waiting: string[] = []) =>
    takeLock({
      clock: fast,
      processes: machine(self, alive),
      clients,
      signal: undefined,
      waiting: (what) => void waiting.push(what),
    });
  const only = test.skipIf(mix === undefined);

  only('one has it, is told from the others, and gives it back', async () => {
    const lock = await take(me);
    expect(lock.how).toBe('taken');
    await lock.stillMine();
    const lease = await first().lease(LOCK.namespace, LOCK.name);
    expect(parseOwner(lease?.holder ?? '')).toEqual(me);
    // A second one sees it renewed while it watches.
    await expect(take(elsewhere)).rejects.toMatchObject({
      code: 'locked',
      exit: 4,
      why: expect.stringContaining('anna on desk, process 41'),
    });
    await lock.release();
    const after = await take(elsewhere);
    expect((await first().lease(LOCK.namespace, LOCK.name))?.transitions).toBeGreaterThan(lease?.transitions ?? 0);
    await after.release();
  });

  only('of two that reach for it at once exactly one has it', async () => {
    const both = await Promise.allSettled([take(me), take(elsewhere)]);
    const won = both.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(won).toHaveLength(1);
    expect(both.find((result) => result.status === 'rejected')).toMatchObject({ reason: { code: 'locked' } });
    for (const lock of won) await lock.release();
  });

  only('a process of this machine that is no more loses it at once, whether its pid is free or another’s', async () => {
    for (const alive of [[], [{ ...me, started: '900' }]]) {
      const now = { ...me, pid: 77, started: '950' };
      await first().writeLease(LOCK.namespace, LOCK.name, {
        holder: ownerText(me),
        durationSeconds: LOCK_SECONDS,
        acquired: new Date(),
        renewed: new Date(),
        transitions: 3,
        resourceVersion: (await first().lease(LOCK.namespace, LOCK.name))?.resourceVersion,
      });
      const began = fast.now();
      const lock = await take(now, [now, ...alive]);
      expect(lock.how).toContain('its process on this machine is no more');
      expect(fast.now() - began).toBeLessThan(LOCK_SECONDS * 1000);
      await lock.release();
    }
  });

  only(
    'an owner elsewhere loses it only after its whole time without a sign of life, whatever its clock says',
    async () => {
      const waiting: string[] = [];
      await first().writeLease(LOCK.namespace, LOCK.name, {
        holder: ownerText(elsewhere),
        durationSeconds: LOCK_SECONDS,
        acquired: new Date(0),
        renewed: new Date(Date.now() - 24 * 3600 * 1000),
        transitions: 3,
        resourceVersion: (await first().lease(LOCK.namespace, LOCK.name))?.resourceVersion,
      });
      const began = fast.now();
      const lock = await take(me, undefined, waiting);
      expect(fast.now() - began).toBeGreaterThanOrEqual(LOCK_SECONDS * 1000);
      expect(lock.how).toContain('no sign of life');
      expect(waiting[0]).toContain('ci on runner, process 41');
      await lock.release();
    },
  );

  only('who lost it learns so before the next change', async () => {
    const lock = await take(me);
    const lease = await first().lease(LOCK.namespace, LOCK.name);
    if (lease === undefined) throw new Error('no lease');
    await first().writeLease(LOCK.namespace, LOCK.name, { ...lease, holder: ownerText(elsewhere) });
    await eventually(async () =>
      lock.stillMine().then(
        () => false,
        (error: unknown) => error instanceof Error && 'code' in error && error.code === 'lock-lost',
      ),
    );
    await lock.release();
    expect((await first().lease(LOCK.namespace, LOCK.name))?.holder).toBe(ownerText(elsewhere));
  });

  only('it is reached through whichever control plane answers', async () => {
    const dead = createKubernetesClient({
      name: 'lab',
      cluster: 'lab',
      user: 'admin',
      server: 'https://127.0.0.1:1',
      tlsServerName: undefined,
      ca: cluster.ca.cert,
      auth: { kind: 'certificate', cert: cluster.admin.cert, key: new Redacted(cluster.admin.key) },
    });
    const lock = await takeLock({
      clock: fast,
      processes: machine(me),
      clients: [dead, ...clients],
      signal: undefined,
      waiting: () => {},
    });
    await lock.release();
    const none = takeLock({
      clock: fast,
      processes: machine(me),
      clients: [dead],
      signal: undefined,
      waiting: () => {},
    });
    await expect(none).rejects.toMatchObject({ code: 'lock-unreachable', exit: 4 });
    dead.close();
  });
});

test('this machine tells a living process from one that is no more', async () => {
  const self = await systemProcesses.self();
  expect(await systemProcesses.started(process.pid)).toBe(self.started);
  expect(await systemProcesses.started(2 ** 22 + 1)).toBeUndefined();
  expect(parseOwner(ownerText(self))).toEqual({ ...self, user: self.user.replaceAll(/[@/\s]/g, '-') });
  expect(parseOwner('kube-scheduler')).toBeUndefined();
});
