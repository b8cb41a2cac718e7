import { connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NODE_CATALOGUE } from '../../lab/faults/nodes/catalogue.ts';
import { systemClock } from '../../src/base/clock.ts';
import { waitFor } from '../../src/base/retry.ts';
import { sickWorld, type SickWorld } from './nodes-harness.ts';

let sick: SickWorld;
/** Whose address is asked, another one, and the one that has the floating IP. */
let one = '';
let other = '';
let holder = '';

const tried = new Set<string>();
const set = (kind: string, given: Record<string, unknown> = {}) => {
  tried.add(kind);
  return sick.faults.set(kind, given);
};
const clear = () => sick.faults.registry.clear();
const publicOf = (name: string): string => sick.node(name).server.publicIPv4;
const seen = async (name: string, path = '/readyz'): Promise<string> => (await sick.kube(publicOf(name), path)).seen;
/** Looks until it is as wanted. (`expect.poll` is for tests only, not for what stands around them.) */
const until = (what: () => unknown, timeoutMs = 15_000) => {
  const poll = async (holds: (value: unknown) => boolean, judge: (value: unknown) => void): Promise<void> => {
    const reached = await waitFor(systemClock, { everyMs: 50, timeoutMs }, async () =>
      holds(await what()) ? true : undefined,
    );
    if (reached === undefined) judge(await what());
  };
  return {
    toBe: (wanted: unknown) =>
      poll(
        (v) => isDeepStrictEqual(v, wanted),
        (v) => expect(v).toEqual(wanted),
      ),
    toContain: (text: string) =>
      poll(
        (v) => String(v).includes(text),
        (v) => expect(v).toContain(text),
      ),
    not: {
      toBe: (other: unknown) =>
        poll(
          (v) => v !== other,
          (v) => expect(v).not.toBe(other),
        ),
    },
  };
};
const services = (name: string) => sick.node(name).node.inside.machine.services;

/** Everything as at the beginning: all ready, one holder, which is where the address leads and where it answers. */
async function sound(): Promise<void> {
  for (const { server, node } of sick.world.nodes)
    await until(() => [server.name, node.info().ready]).toBe([server.name, true]);
  await until(() => sick.claimants().length).toBe(1);
  await until(() => sick.world.fabric.routed(sick.ip)?.name).toBe(sick.claimants()[0]);
  for (const { server } of sick.world.nodes) await until(() => seen(server.name)).toBe('http 200');
  const members = await sick.etcd('cp-1', (client) => client.members());
  expect(new Set(members.map(({ name, isLearner }) => `${name} ${isLearner}`))).toEqual(
    new Set(['cp-1 false', 'cp-2 false', 'cp-3 false']),
  );
  for (const { node } of sick.world.nodes) expect(node.inside.machine.ailments).toEqual(noAilments);
}
const noAilments = expect.toSatisfy((value: Record<string, unknown>) =>
  Object.values(value).every((v) => v === undefined),
);

beforeAll(async () => {
  sick = await sickWorld();
  await sound();
}, 60_000);
afterAll(() => sick?.close());

beforeAll(() => {
  holder = sick.claimants()[0] ?? '';
  [one = '', other = ''] = ['cp-1', 'cp-2', 'cp-3'].filter((name) => name !== holder);
});
afterEach(async () => {
  await clear();
  expect(sick.faults.registry.show()).toEqual([]);
  await sound();
  holder = sick.claimants()[0] ?? '';
  [one = '', other = ''] = ['cp-1', 'cp-2', 'cp-3'].filter((name) => name !== holder);
}, 60_000);

describe('API server', () => {
  test('a hung one takes connections and says nothing; the address stays with it', async () => {
    const report = await set('apiserver-hung', { node: holder });
    expect(report.notes.join()).toContain(holder);
    expect(await seen(holder)).toBe('silent');
    expect((await sick.kube(sick.ip)).seen).not.toBe('http 200');
    await expect(reaches(publicOf(holder), 6443)).resolves.toBe(true);
    expect(sick.claimants()).toEqual([holder]);
    expect(await seen(one)).toBe('http 200');
    await clear();
    expect(await seen(holder)).toBe('http 200');
  });

  test('one that ends whenever it has started never answers for long', async () => {
    await set('apiserver-crash-loop', { node: one });
    const answers = [];
    for (let n = 0; n < 10; n += 1) answers.push(await seen(one));
    expect(answers.filter((answer) => answer === 'http 200').length).toBeLessThan(3);
  });

  test('a slow one answers late', async () => {
    await set('apiserver-slow', { node: one, delay: '400ms' });
    expect(await slowest(() => sick.kube(publicOf(one), '/version', 5_000))).toBeGreaterThan(250);
    expect((await sick.kube(publicOf(one), '/readyz', 8_000)).seen).toBe('http 200');
  });

  test('one may be alive and not ready', async () => {
    await set('apiserver-not-ready', { node: one });
    await until(() => seen(one)).toBe('http 500');
    expect((await sick.kube(publicOf(one), '/readyz?verbose')).text).toContain('[-]etcd-readiness failed');
    expect(await seen(one, '/livez')).toBe('http 200');
  });

  test.each([
    ['certificate-expired', {}, 'expired'],
    ['certificate-foreign', {}, 'unknown-authority'],
  ])('%s is what a client that checks sees', async (kind, given, what) => {
    await set(kind, { node: one, ...given });
    expect(await seen(one)).toBe(what);
    expect(await seen(other)).toBe('http 200');
    await clear();
    expect(await seen(one)).toBe('http 200');
  });

  test('a name may be missing in one certificate', async () => {
    await set('certificate-names', { node: one, san: publicOf(one) });
    expect(await seen(one)).toBe('name-missing');
  });
});

describe('etcd', () => {
  test('a stopped member refuses, and lets the address go', async () => {
    await set('etcd-stopped', { node: holder });
    await expect(reaches(publicOf(holder), 2379)).resolves.toBe(false);
    await until(() => sick.claimants().filter((name) => name !== holder).length).toBe(1);
    expect(services(holder).get('etcd')?.state).toBe('Finished');
  });

  test('a hung member is no voter, and its node loses the address when its lease is over', async () => {
    await set('etcd-hung', { node: holder });
    await expect(reaches(publicOf(holder), 2379)).resolves.toBe(true);
    await expect(sick.etcd(holder, (client) => client.members({ linearizable: true }))).rejects.toThrow();
    await until(() => sick.claimants().filter((name) => name !== holder).length).toBe(1);
    await until(() => sick.claimants().length).toBe(1);
  });

  test('without a quorum nothing is decided, and nobody has the address', async () => {
    await set('etcd-quorum-lost', { node: one });
    await expect(sick.etcd(one, (client) => client.put('a', 'b'))).rejects.toThrow();
    await until(() => sick.claimants()).toBe([]);
    await until(() => seen(one)).not.toBe('http 200');
  });

  test('an alarm refuses writes', async () => {
    await set('etcd-alarm', { node: one });
    expect(await sick.etcd(other, (client) => client.alarms())).toMatchObject([{ alarm: 'NOSPACE' }]);
    await expect(sick.etcd(other, (client) => client.put('a', 'b'))).rejects.toThrow('database space exceeded');
  });

  test('a learner that never starts stays one', async () => {
    await set('etcd-learner');
    const members = await sick.etcd('cp-1', (client) => client.members());
    expect(members.filter(({ isLearner }) => isLearner)).toMatchObject([{ name: '' }]);
  });

  test('a removed member ends and does not come back; the node joins anew when it is cleared', async () => {
    await set('etcd-member-removed', { node: one });
    const left = await sick.etcd(other, (client) => client.members());
    expect(left.map(({ name }) => name)).not.toContain(one);
    await until(() => services(one).get('etcd')?.state).toBe('Failed');
  });

  test('a slow disk makes writes late', async () => {
    await set('etcd-slow-disk', { node: one, delay: '300ms' });
    expect(await slowest(() => sick.etcd(one, (client) => client.put('a', 'b')).catch(() => {}))).toBeGreaterThan(150);
  });
});

describe('machine', () => {
  test.each(['power-lost', 'kernel-hung'])('%s: nothing answers, and another takes the address', async (kind) => {
    const was = holder;
    await set(kind, { node: was });
    expect(await seen(was)).toBe('silent');
    expect(sick.node(was).node.info().hung === true).toBe(kind === 'kernel-hung');
    await until(() => sick.claimants().filter((name) => name !== was).length).toBe(1);
  });

  test('a reboot happens once', async () => {
    const { bootId } = sick.node(one).node.inside.machine;
    const report = await set('node-reboot', { node: one });
    expect(report.state).toBe('spent');
    await until(() => sick.node(one).node.inside.machine.bootId).not.toBe(bootId);
  });

  test('a clock that is off shows in what it signs', async () => {
    await set('clock-skew', { node: one, skew: '2h' });
    const machine = sick.node(one).node.inside.machine;
    expect(machine.ports.clock.wall().getTime() - Date.now()).toBeGreaterThan(7_190_000);
    await clear();
    expect(Math.abs(machine.ports.clock.wall().getTime() - Date.now())).toBeLessThan(1_000);
  });

  test('links with other names leave the VIP without one', async () => {
    await set('link-names', { node: one });
    const { machine } = sick.node(one).node.inside;
    expect(machine.facts.links.map(({ name }) => name)).toEqual(['eth0', 'eth1']);
    expect(machine.active?.derived.vips.map(({ link }) => link)).not.toEqual(['eth0']);
    await clear();
    expect(machine.facts.links.map(({ name }) => name)).toEqual(['enp1s0', 'enp7s0']);
  });

  test('two nodes of one name stand for election as one', async () => {
    await set('hostname-twice', { node: one, as: other });
    const calls = await sick.world.call(sick.node(one));
    expect((await calls.machine.hostname({})).messages[0]?.hostname).toBe(other);
    calls.close();
  });

  test('without apid the Talos API refuses; with it again it answers', async () => {
    await set('apid-down', { node: one });
    await expect(reaches(publicOf(one), 50_000)).resolves.toBe(false);
    await clear();
    const calls = await sick.world.call(sick.node(one));
    expect((await calls.machine.version({})).messages).toHaveLength(1);
    calls.close();
  });

  test('without a kubelet the address moves, the API server runs on', async () => {
    const was = holder;
    await set('kubelet-down', { node: was });
    await until(() => sick.claimants().filter((name) => name !== was).length).toBe(1);
    expect(await seen(was)).toBe('http 200');
    expect(services(was).get('kubelet')?.state).toBe('Failed');
  });

  test('a firewall that closes nothing cannot lose its table', async () => {
    if (sick.node(one).host.ingress === undefined)
      await expect(set('firewall-lost', { node: one })).rejects.toThrow('The fault was not set');
    else await set('firewall-lost', { node: one });
  });
});

describe('address', () => {
  test.each([
    ['nobody', () => []],
    ['two', () => ['holder', 'other']],
    ['another', () => ['other']],
  ])('it may be on a link of %s', async (by, expected) => {
    await set('address-claimed', { by, node: other });
    const names: Record<string, string> = { holder, other };
    expect(new Set(sick.claimants())).toEqual(new Set(expected().map((who) => names[who])));
    expect((await sick.kube(sick.ip)).seen).toBe(by === 'two' ? 'http 200' : 'silent');
    await clear();
    expect(sick.claimants()).toEqual([holder]);
  });

  test("it may become the kubelet's", async () => {
    await set('vip-leaked', { into: 'node-addresses' });
    const { machine } = sick.node(holder).node.inside;
    expect(machine.active?.derived.kubeletNodeIPs).toEqual([sick.ip]);
    await until(async () => (await sick.kube(publicOf(one), `/api/v1/nodes/${holder}`)).text).toContain(
      `"InternalIP","address":"${sick.ip}"`,
    );
    await clear();
    expect(machine.active?.derived.kubeletNodeIPs).not.toEqual([sick.ip]);
  });

  test('it may be what etcd tells its peers', async () => {
    await set('vip-leaked', { into: 'etcd-peers' });
    const members = await sick.etcd(one, (client) => client.members());
    expect(members.flatMap(({ peerURLs }) => peerURLs)).toContain(`https://${sick.ip}:2380`);
    await clear();
    const after = await sick.etcd(one, (client) => client.members());
    expect(after.flatMap(({ peerURLs }) => peerURLs)).not.toContain(`https://${sick.ip}:2380`);
  });

  test('its VIP may stand in both forms', async () => {
    await set('vip-both-forms');
    const { machine } = sick.node(one).node.inside;
    const forms = () => [/kind: HCloudVIPConfig/, /\bvip:/].map((form) => form.test(machine.active?.text ?? ''));
    expect(forms()).toEqual([true, true]);
    await clear();
    expect(forms()).toEqual([true, false]);
  });
});

describe('machine config', () => {
  const patch = 'machine: {certSANs: [pending.example.org]}';
  test.each([
    ['config-changed', true, true],
    ['config-try', true, false],
    ['config-staged', false, true],
    ['config-unsaved', true, false],
  ])('%s: in force %s, on disk %s', async (kind, active, persistent) => {
    const { machine } = sick.node(one).node.inside;
    const before = [machine.active?.text, machine.persistent];
    await set(kind, { node: one, patch });
    expect(machine.active?.text.includes('pending.example.org')).toBe(active);
    expect(machine.persistent?.includes('pending.example.org')).toBe(persistent);
    await clear();
    expect([machine.active?.text, machine.persistent]).toEqual(before);
  });

  test('a patch that Talos refuses is refused with its words', async () => {
    await expect(set('config-changed', { node: one, patch: 'machine: {type: nonsense}' })).rejects.toMatchObject({
      code: 'lab-fault-impossible',
    });
  });
});

test('every fault of nodes has been tried here', () => {
  expect(NODE_CATALOGUE.map(({ kind }) => kind).filter((kind) => !tried.has(kind))).toEqual([]);
});

/** Milliseconds of the slowest of some calls, one after the other. */
async function slowest(call: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < 30 && Math.max(0, ...took) < 250; n += 1) {
    const began = performance.now();
    await call();
    took.push(performance.now() - began);
  }
  return Math.max(...took);
}

/** Whether the kernel accepts a connection there. */
function reaches(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
