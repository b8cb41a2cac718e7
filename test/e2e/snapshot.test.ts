import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { RequestRecord } from '../../lab/world/audit.ts';
import type { LabInfo } from '../../lab/world/info.ts';
import { allReal, fairlead, fairleadJson, kubectls, restoredLab, run, startLab, type TestLab } from './harness.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-snapshots-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const kubectl = kubectls[0];
/** What kubectl says with the lab's own kubeconfig. */
async function kube(lab: TestLab, ...args: string[]): Promise<string> {
  const home = await mkdtemp(path.join(folder, 'home-'));
  const said = await run(kubectl ?? '', ['--kubeconfig', path.join(lab.state, 'kubeconfig'), ...args], {
    env: { HOME: home },
  });
  if (said.code !== 0) throw new Error(said.stderr);
  return said.stdout.trim();
}

/** What the endpoint answers to a token alone. */
async function statusWith(lab: TestLab, token: string): Promise<number> {
  const { clusters } = parse(await readFile(path.join(lab.state, 'kubeconfig'), 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  };
  const { server = '', 'certificate-authority-data': ca = '' } = clusters[0]?.cluster ?? {};
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const options = { ca: Buffer.from(ca, 'base64'), headers, agent: false };
    get(`${server}/version`, options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    }).once('error', reject);
  });
}

async function cloud(info: LabInfo, method: string, where: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(info.hetzner.endpoint + where, {
    method,
    headers: { authorization: `Bearer ${info.hetzner.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.ok, `${method} ${where}: ${answer.status}`).toBe(true);
  return answer.status === 204 ? {} : ((await answer.json()) as Record<string, unknown>);
}

/** What of a lab is the same after it was restored. */
const lasting = (info: LabInfo) => ({
  name: info.name,
  tokens: [info.hetzner.token, info.hetzner.nodeToken, info.hetzner.readOnlyToken],
  endpoint: info.endpoint,
  cloud: info.hetzner.endpoint,
  dns: info.dns,
  floatingIPs: info.floatingIPs,
  nodes: info.nodes.map((n) => [n.name, n.serverId, n.publicIPv4, n.privateIPv4, n.power, n.stage]),
});

const until = async (what: () => Promise<boolean>): Promise<void> => {
  for (let n = 0; !(await what()); n += 1) {
    if (n > 50) throw new Error('in vain');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

describe('a world that fairlead was applied to', () => {
  let lab: TestLab;
  let snapshot: string;
  let before: LabInfo;
  let files: Record<string, string>;
  let token: string | undefined;
  const userFiles = async (state: string): Promise<Record<string, string>> =>
    Object.fromEntries(
      await Promise.all(
        ['kubeconfig', 'talosconfig', 'hetzner-token', 'provisioner/secrets.yaml'].map(async (name) => [
          name,
          await readFile(path.join(state, name), 'utf8'),
        ]),
      ),
    );

  beforeAll(async () => {
    lab = await startLab(['--parts', 'built-in', '--workers', '0', '--knob', 'cloud.delays.assign=300-600']);
    const applied = await lab.tool(['apply', '--yes', '--output', 'json']);
    expect(applied.code, applied.stderr).toBe(0);
    if (kubectl !== undefined) {
      await kube(lab, 'create', 'configmap', 'kept', '--from-literal=a=b');
      token = await kube(lab, 'create', 'token', 'default');
    }
    const fault = ['lab', 'fault', 'set', 'cloud-slow', '--delay', '20ms', '--count', '500', '--state', lab.state];
    expect((await fairlead(fault)).code).toBe(0);
    before = await lab.fresh();
    files = await userFiles(lab.state);
    snapshot = path.join(folder, 'applied.tgz');
    const taken = await fairleadJson<{ kind: string; file: string }>([
      'lab',
      'snapshot',
      snapshot,
      '--state',
      lab.state,
    ]);
    expect(taken).toMatchObject({ kind: 'LabSnapshotTaken', file: snapshot });
    // A busy machine takes minutes for what takes seconds.
  }, 600_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  test('goes on undisturbed, and what was written is for its owner alone', async () => {
    expect((await stat(snapshot)).mode & 0o777).toBe(0o600);
    expect((await lab.fresh()).pid).toBe(before.pid);
  });

  test('is back after everything in it has changed: holder, addresses, keys, objects, faults; ids never come back', async () => {
    const holder = before.floatingIPs[0]?.claimedBy[0] ?? '';
    await fairleadJson(['lab', 'node', 'delete', holder, '--state', lab.state]);
    const later = await cloud(before, 'POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'later' });
    if (kubectl !== undefined) await kube(lab, 'delete', 'configmap', 'kept', '--request-timeout=20s');
    await fairlead(['lab', 'fault', 'clear', '--all', '--state', lab.state]);
    await writeFile(path.join(lab.state, 'kubeconfig'), 'spoiled');

    const restored = await fairleadJson<LabInfo>(['lab', 'restore', snapshot, '--state', lab.state]);
    expect(restored.pid).not.toBe(before.pid);
    await until(async () => (await lab.fresh()).floatingIPs[0]?.claimedBy.length === 1);
    expect(lasting(await lab.fresh())).toEqual(lasting(before));
    expect(await userFiles(lab.state)).toEqual(files);
    const { faults } = await fairleadJson<{ faults: { kind: string; state: string; hits: number }[] }>([
      'lab',
      'fault',
      'show',
      '--state',
      lab.state,
    ]);
    expect(faults).toMatchObject([{ kind: 'cloud-slow', state: 'active' }]);
    if (kubectl !== undefined) {
      expect(await kube(lab, 'get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('b');
      expect(await statusWith(lab, token ?? '')).toBe(200);
      expect(await statusWith(lab, `${token}x`)).toBe(401);
    }
    const next = await cloud(before, 'POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'next' });
    const idOf = (answer: Record<string, unknown>): number => (answer['floating_ip'] as { id: number }).id;
    expect(idOf(next)).toBeGreaterThan(idOf(later));
    await cloud(before, 'DELETE', `/floating_ips/${idOf(next)}`);
  });

  test('is sound for fairlead, which finds nothing to do in it and writes nothing', async () => {
    const { mark } = await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state]);
    const verified = await lab.tool(['verify', '--output', 'json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ verdict: 'sound', cause: null });
    const applied = await lab.tool(['apply', '--yes']);
    expect(applied.stdout.trim()).toBe('nothing to do');
    const { requests } = await fairleadJson<{ requests: RequestRecord[] }>(
      'lab requests --state'.split(' ').concat(lab.state, '--since', String(mark)),
    );
    expect(requests.filter((r) => r.write && !r.by.startsWith('node/') && r.by !== 'lab')).toEqual([]);
  });

  test('refuses to begin a second time beside itself, and to be written where it would be removed', async () => {
    const second = await fairlead(['lab', 'restore', snapshot, '--state', path.join(folder, 'second')]);
    expect(second.code).toBe(4);
    expect(second.stderr).toContain('belong to another lab that runs');
    const inside = await fairlead(['lab', 'snapshot', path.join(lab.state, 'own.tgz'), '--state', lab.state]);
    expect(inside.code).toBe(4);
    expect(inside.stderr).toContain("in the lab's own folder");
    const bad = await fairlead(['lab', 'restore', path.join(lab.state, 'kubeconfig'), '--state', lab.state]);
    expect(bad.code).toBe(4);
    expect(bad.stderr).toContain('no whole archive');
    expect((await lab.fresh()).nodes.every((n) => n.ready)).toBe(true);
  });

  test('comes back in a new folder too, where its nodes can be replaced as ever', async () => {
    await lab[Symbol.asyncDispose]();
    await using other = await restoredLab(snapshot);
    await until(async () => (await other.fresh()).floatingIPs[0]?.claimedBy.length === 1);
    expect(lasting(await other.fresh())).toEqual(lasting(before));
    const holder = before.floatingIPs[0]?.claimedBy[0] ?? '';
    const replaced = await fairleadJson<{ newServerId: number }>(
      'lab node replace'.split(' ').concat(holder, '--state', other.state),
    );
    expect(replaced.newServerId).toBeGreaterThan(Math.max(...before.nodes.map((n) => n.serverId)));
    await until(async () => ![undefined, holder].includes((await other.fresh()).floatingIPs[0]?.claimedBy[0]));
    if (kubectl !== undefined)
      expect(await kube(other, 'get', 'configmap', 'kept', '-o', 'name')).toBe('configmap/kept');
  });
});

test.skipIf(!allReal || kubectl === undefined)(
  `real etcd and API server come back with their data${allReal ? '' : ' (skipped: they are not there; run scripts/prepare)'}`,
  async () => {
    await using lab = await startLab(['--parts', 'real', '--control-planes', '1', '--workers', '0']);
    await kube(lab, 'create', 'configmap', 'kept', '--from-literal=a=b');
    const snapshot = path.join(folder, 'real.tgz');
    await fairleadJson(['lab', 'snapshot', snapshot, '--state', lab.state]);
    await kube(lab, 'delete', 'configmap', 'kept');
    await fairleadJson(['lab', 'restore', snapshot, '--state', lab.state]);
    const info = await lab.fresh();
    expect(lasting(info)).toEqual(lasting(lab.info));
    expect(info.nodes[0]?.etcd?.backing).toMatch(/^real/);
    expect(await kube(lab, 'get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('b');
    await kube(lab, 'create', 'configmap', 'after');
  },
);
