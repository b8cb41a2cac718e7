import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestRecord } from '../../lab/world/audit.ts';
import { fairlead, fairleadJson, kubectls, run, startLab, type TestLab } from './harness.ts';

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

/** Every file below a folder with its hash, so that "no file changed" can be said of all of them. */
async function hashes(folder: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    all[path.relative(folder, file)] = await sha256(file);
  }
  return all;
}

/** What the lab itself writes as time goes by; everything else in its folder belongs to the user or to the tool. */
const notTheLabsOwn = (all: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(all).filter(([name]) => !/^(nodes\/|requests\.jsonl|lab\.log|children\.json)/.test(name)),
  );

describe('apply on a cluster that is pinned to one node', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await startLab(['--parts', 'auto']);
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  test('before it, verify names the endpoint as the cause', async () => {
    const ran = await lab.tool(['verify', '--output', 'json']);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      kind: 'Verification',
      verdict: 'broken',
      cause: 'endpoint-is-a-node',
    });
  });

  test('plan shows changes, writes nothing, and says so by its exit code when asked', async () => {
    const { mark } = await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state]);
    const before = notTheLabsOwn(await hashes(lab.state));
    const plain = await lab.tool(['plan']);
    expect(plain.code, plain.stderr).toBe(0);
    expect(plain.stdout).toContain('floating IP');
    const detailed = await lab.tool(['plan', '--detailed-exitcode', '--output', 'json']);
    expect(detailed.code).toBe(3);
    const plan = JSON.parse(detailed.stdout) as { kind: string; phases: { number: number; changes: unknown[] }[] };
    expect(plan.kind).toBe('Plan');
    expect(plan.phases.filter((p) => p.changes.length > 0).map((p) => p.number)).toEqual([1, 2, 3, 5, 6, 8]);
    for (const token of [lab.info.hetzner.token, lab.info.hetzner.nodeToken]) {
      expect(plain.stdout + plain.stderr + detailed.stdout).not.toContain(token);
    }
    expect(notTheLabsOwn(await hashes(lab.state))).toEqual(before);
    const { requests } = await fairleadJson<{ requests: RequestRecord[] }>([
      'lab',
      'requests',
      '--state',
      lab.state,
      '--since',
      String(mark),
    ]);
    expect(requests.filter((r) => r.write && r.by === 'fairlead')).toEqual([]);
  });

  test('without a terminal and without --yes it refuses', async () => {
    const ran = await lab.tool(['apply']);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('--yes');
  });

  test('interrupted in the middle it says what is done, and goes on from there when it is run again', async () => {
    const ran = await fairlead(['apply', '--yes', '--config', lab.info.files.config], {
      interrupt: { signal: 'SIGINT', when: /Certificate names on/ },
    });
    expect(ran.code, ran.stderr).toBe(130);
    expect(ran.stderr).toMatch(/state .*floating IP/s);
    const plan = await lab.tool(['plan', '--output', 'json']);
    const { phases } = JSON.parse(plan.stdout) as { phases: { number: number; changes: unknown[] }[] };
    expect(phases.find((p) => p.number === 1)?.changes).toEqual([]);
  });

  test('with --yes it makes the changes, and says what it measured', async () => {
    const ran = await lab.tool(['apply', '--yes', '--output', 'json']);
    expect(ran.code, ran.stderr).toBe(0);
    const evidence = JSON.parse(ran.stdout) as {
      kind: string;
      verdict: string;
      tokens: { mintedBefore: number; refused: number };
      gaps: Record<string, Record<string, number>>;
      apiServerRestarts: Record<string, number>;
    };
    expect(evidence).toMatchObject({ kind: 'Evidence', verdict: 'survived', tokens: { refused: 0 } });
    expect(evidence.tokens.mintedBefore).toBeGreaterThan(0);
    expect(evidence.gaps['endpoint']?.['readNewConnection']).toBeGreaterThan(0);
    for (const token of [lab.info.hetzner.token, lab.info.hetzner.nodeToken])
      expect(ran.stdout + ran.stderr).not.toContain(token);
    const info = await lab.fresh();
    const [address] = info.floatingIPs;
    expect(info.endpoint).toBe(`https://${address!.ip}:6443`);
    expect(address!.claimedBy).toEqual([address!.assignedTo]);
    expect(await readFile(info.files.kubeconfig, 'utf8')).toContain(info.endpoint);
    expect(await readFile(info.files.talosconfig, 'utf8')).not.toContain(address!.ip);
  });

  test('after it, verify finds nothing broken', async () => {
    const ran = await lab.tool(['verify', '--output', 'json']);
    expect(JSON.parse(ran.stdout)).toMatchObject({ verdict: 'sound', cause: null });
    expect(ran.code).toBe(0);
  });

  test('a second apply changes nothing: no write to any system, no file, exit 0, "nothing to do"', async () => {
    const { mark } = await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state]);
    const before = notTheLabsOwn(await hashes(lab.state));
    const ran = await lab.tool(['apply', '--yes']);
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stdout.trim()).toBe('nothing to do');
    const { requests } = await fairleadJson<{ requests: RequestRecord[] }>([
      'lab',
      'requests',
      '--state',
      lab.state,
      '--since',
      String(mark),
    ]);
    expect(requests.length).toBeGreaterThan(10);
    expect(requests.filter((r) => r.write && !r.by.startsWith('node/') && r.by !== 'lab')).toEqual([]);
    // Asking for a credential or a token leaves no trace in the world, but it is not nothing.
    expect(requests.filter((r) => r.by === 'fairlead' && /Kubeconfig|\/token$/.test(r.path))).toEqual([]);
    expect(notTheLabsOwn(await hashes(lab.state))).toEqual(before);
  });

  test('kubeconfig and talosconfig write a file of their own, once', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-e2e-'));
    const file = path.join(folder, 'kubeconfig');
    const first = await lab.tool(['kubeconfig', '--file', file, '--output', 'json']);
    expect(first.code, first.stderr).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ kind: 'Kubeconfig', written: true });
    const hash = await sha256(file);
    const again = await lab.tool(['kubeconfig', '--file', file, '--output', 'json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ written: false });
    expect(await sha256(file)).toBe(hash);
    const talos = await lab.tool(['talosconfig', '--stdout']);
    const planes = (await lab.fresh()).nodes.filter((n) => n.role === 'control-plane');
    for (const plane of planes) expect(talos.stdout).toContain(plane.publicIPv4);
    await rm(folder, { recursive: true, force: true });
  });

  test.skipIf(kubectls.length === 0)(
    'every real kubectl works with the same file before and after each replacement',
    async () => {
      const { kubeconfig } = lab.info.files;
      const home = await mkdtemp(path.join(os.tmpdir(), 'fairlead-home-'));
      const before = await sha256(kubeconfig);
      const use = async (suffix: string): Promise<void> => {
        for (const [i, kubectl] of kubectls.entries()) {
          const call = (args: readonly string[]) =>
            run(kubectl, ['--kubeconfig', kubeconfig, ...args], { env: { HOME: home } });
          const nodes = await call(['get', 'nodes', '-o', 'name']);
          expect(nodes.code, nodes.stderr).toBe(0);
          for (const node of lab.info.nodes) expect(nodes.stdout).toContain(`node/${node.name}`);
          const created = await call(['create', 'configmap', `used-${i}-${suffix}`, '--from-literal=a=b']);
          expect(created.code, created.stderr).toBe(0);
        }
      };
      await use('before');
      for (const node of lab.info.nodes.filter((n) => n.role === 'control-plane')) {
        await fairleadJson(['lab', 'node', 'replace', node.name, '--state', lab.state]);
        // The lease of a dead holder must run out first: that is what the prober of the demo measures.
        const readyz = ['--kubeconfig', kubeconfig, '--request-timeout=2s', 'get', '--raw', '/readyz'];
        await expect
          .poll(async () => (await run(kubectls[0]!, readyz, { env: { HOME: home } })).code, {
            timeout: 30_000,
            interval: 500,
          })
          .toBe(0);
        await use(`after-${node.name}`);
      }
      expect(await sha256(kubeconfig)).toBe(before);
      await rm(home, { recursive: true, force: true });
    },
  );
});
