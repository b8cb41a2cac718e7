import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEtcdClient } from '../../lab/kubernetes/etcd/client.ts';
import type { LabNodeInfo } from '../../lab/world/info.ts';
import type { FaultReport } from '../../lab/faults/types.ts';
import { allReal, fairlead, fairleadJson, startLab, type TestLab } from './harness.ts';

let lab: TestLab;
beforeAll(async () => {
  lab = await startLab(['--parts', 'built-in', '--workers', '0', '--knob', 'cloud.delays.assign=300-600']);
}, 120_000);
afterAll(() => lab[Symbol.asyncDispose]());

const fault = (...args: string[]) => fairlead(['lab', 'fault', ...args, '--state', lab.state]);
const show = async (): Promise<readonly FaultReport[]> =>
  (await fairleadJson<{ faults: FaultReport[] }>(['lab', 'fault', 'show', '--state', lab.state])).faults;

/** What a client sees of a node's API server. */
const greet = (address: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port: 6443, rejectUnauthorized: false });
    socket.setTimeout(800, () => socket.destroy(new Error('silent')));
    socket.on('secureConnect', () => socket.destroy(new Error('open')));
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });

test('apply comes to its end through a cloud that loses answers, is locked, slow and late', async () => {
  const set = async (...args: string[]): Promise<void> => {
    const ran = await fault('set', ...args);
    expect(ran.code, ran.stderr).toBe(0);
  };
  await set('cloud-lost-answer', '--method', 'POST', '--party', 'fairlead', '--count', '3');
  await set('cloud-status', '--status', '423', '--path', '/floating_ips/*/actions/*', '--count', '2');
  await set('cloud-status', '--status', '503', '--method', 'GET', '--party', 'fairlead', '--count', '2');
  await set('cloud-slow', '--delay', '300ms', '--count', '5');
  await set('action-late', '--delay', '1s', '--action', 'assign_floating_ip', '--count', '1');
  const applied = await lab.tool(['apply', '--yes', '--output', 'json']);
  expect(applied.code, applied.stderr).toBe(0);
  expect(JSON.parse(applied.stdout)).toMatchObject({ kind: 'Evidence', verdict: 'survived' });
  const faults = await show();
  expect(faults.map((f) => [f.kind, f.state])).toEqual([
    ['cloud-lost-answer', 'spent'],
    ['cloud-status', 'spent'],
    ['cloud-status', 'spent'],
    ['cloud-slow', 'spent'],
    ['action-late', 'spent'],
  ]);
  expect((await lab.fresh()).floatingIPs).toHaveLength(1);
  expect((await fault('clear', '--all')).code).toBe(0);
  expect(await show()).toEqual([]);
}, 240_000);

test('a client that is cut off from a node hears nothing of it, and hears the others', async () => {
  const [one, two] = (await lab.fresh()).nodes;
  expect(await greet(one?.publicIPv4 ?? '')).toBe('open');
  expect((await fault('set', 'partition', '--from', 'client', '--to', one?.name ?? '')).code).toBe(0);
  expect(await greet(one?.publicIPv4 ?? '')).toBe('silent');
  expect(await greet(two?.publicIPv4 ?? '')).toBe('open');
  expect((await fault('clear', '--all')).code).toBe(0);
  expect(await greet(one?.publicIPv4 ?? '')).toBe('open');
}, 60_000);

test('an address that a stranger moved is where it was when the fault is cleared', async () => {
  const before = (await lab.fresh()).floatingIPs;
  expect((await fault('set', 'address-moved')).code).toBe(0);
  const moved = (await lab.fresh()).floatingIPs;
  expect(moved[0]?.assignedTo).not.toBe(before[0]?.assignedTo);
  expect((await fault('clear', '--all')).code).toBe(0);
  expect((await lab.fresh()).floatingIPs).toEqual(before);
}, 60_000);

test('what cannot be set is told with what could be', async () => {
  const wrong = await fault('set', 'cloud-stauts', '--status', '423');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('cloud-status');
  const node = await fault('set', 'node-hung', '--node', 'cp-9');
  expect(node.code).toBe(2);
  expect(node.stderr).toContain((await lab.fresh()).nodes[0]?.name);
  expect((await fault('clear')).code).toBe(2);
  expect((await fault('clear', 'f99')).code).toBe(2);
  expect(await show()).toEqual([]);
}, 60_000);

test('the knob that was turned is in force, and the catalogue needs no lab', async () => {
  const { knobs } = await fairleadJson<{ knobs: { name: string; value: string; default: string }[] }>([
    'lab',
    'knobs',
    '--state',
    lab.state,
  ]);
  expect(knobs.filter((k) => k.value !== k.default)).toMatchObject([{ name: 'cloud.delays.assign', value: '300-600' }]);
  const list = await fairlead(['lab', 'fault', 'list']);
  expect(list.code).toBe(0);
  expect(list.stdout).toContain('partition');
}, 60_000);

test('nodes that are cut off from the cloud cannot move the address, and do so when they hear it again', async () => {
  const { nodes, floatingIPs } = await lab.fresh();
  const holder = floatingIPs[0]?.assignedTo ?? '';
  for (const { name } of nodes) expect((await fault('set', 'partition', '--from', name, '--to', 'cloud')).code).toBe(0);
  /** How often a node has taken the address so far. */
  const enabled = async (): Promise<number> => {
    const logs = await Promise.all(nodes.map((node) => readFile(node.log, 'utf8')));
    return logs.join('').split('enabled shared IP').length;
  };
  const before = await enabled();
  const { mark } = await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state]);
  expect((await fairlead(['lab', 'node', 'power-off', holder, '--state', lab.state])).code).toBe(0);
  // The lease runs out, another is elected, and asks a cloud that does not hear it.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  expect(await enabled()).toBe(before);
  const since = ['lab', 'requests', '--state', lab.state, '--since', String(mark)];
  const { requests } = await fairleadJson<{ requests: { system: string; by: string }[] }>(since);
  expect(requests.filter((r) => r.system === 'hetzner' && r.by.startsWith('node/'))).toEqual([]);
  expect((await fault('clear', '--all')).code).toBe(0);
  await expect
    .poll(async () => (await lab.fresh()).floatingIPs[0]?.claimedBy.length, { timeout: 30_000, interval: 500 })
    .toBe(1);
  const after = (await lab.fresh()).floatingIPs[0];
  expect(after?.assignedTo).not.toBe(holder);
  expect(after?.claimedBy).toEqual([after?.assignedTo]);
}, 120_000);

/** What a member of etcd knows of the cluster. */
async function etcdStatus(node: LabNodeInfo): Promise<{ memberId: bigint; leader: bigint }> {
  if (node.etcd === undefined) throw new Error(`${node.name} has no etcd`);
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [node.etcd.ca, node.etcd.cert, node.etcd.key].map((file) => readFile(file, 'utf8')),
  );
  const client = createEtcdClient({ endpoint: node.etcd.endpoint, tls: { ca, cert, key } });
  try {
    return await client.status();
  } finally {
    client.close();
  }
}

test.skipIf(!allReal)(
  `a real etcd leader that is cut off from its peers has no leader; the others elect one${allReal ? '' : ' (etcd or kube-apiserver is not there)'}`,
  async () => {
    await using real = await startLab(['--parts', 'real', '--workers', '0']);
    const { nodes } = real.info;
    const { leader } = await etcdStatus(nodes[0] as LabNodeInfo);
    const ids = await Promise.all(nodes.map(async (node) => (await etcdStatus(node)).memberId));
    const first = nodes[ids.indexOf(leader)];
    const others = nodes.filter((node) => node !== first);
    if (first === undefined) throw new Error('no leader');
    for (const other of others) {
      const args = ['partition', '--from', first.name, '--to', other.name, '--state', real.state];
      expect((await fairlead(['lab', 'fault', 'set', ...args])).code).toBe(0);
    }
    await expect.poll(async () => (await etcdStatus(first)).leader, { timeout: 15_000 }).toBe(0n);
    const elected = async () => (await etcdStatus(others[0] as LabNodeInfo)).leader;
    await expect.poll(elected, { timeout: 15_000 }).not.toBe(leader);
    expect((await fairlead(['lab', 'fault', 'clear', '--all', '--state', real.state])).code).toBe(0);
    const agreed = async () => new Set((await Promise.all(nodes.map(etcdStatus))).map((status) => status.leader));
    await expect.poll(async () => [...(await agreed())].includes(0n), { timeout: 15_000 }).toBe(false);
    await expect.poll(async () => (await agreed()).size, { timeout: 15_000 }).toBe(1);
  },
  180_000,
);
