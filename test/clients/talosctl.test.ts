import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startSmallWorld, type SmallWorld, type WorldNode } from '../../lab/talos/testing/small-world.ts';
import { missing, TALOSCTL, talosctlAt, type Talosctl } from './talosctl.ts';

const skipped = `(skipped without ${TALOSCTL}, which scripts/prepare builds)`;

describe.skipIf(missing)(`Talos' own talosctl at work ${skipped}`, () => {
  let home: string;
  let world: SmallWorld;
  let cp: WorldNode;
  let worker: WorldNode;
  let talosctl: Talosctl;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'fairlead-talosctl-'));
    // Its editor puts one more name into a config.
    await writeFile(path.join(home, 'editor'), `#!/bin/sh\nsed -i 's/patched.example.net/edited.example.net/' "$1"\n`);
    await chmod(path.join(home, 'editor'), 0o755);
    world = await startSmallWorld({ version: 'v1.13.9', speed: 20 });
    cp = await world.add('cp-1', 'control-plane', 'founding');
    worker = await world.add('worker-1', 'worker', { kind: 'join' });
    await Promise.all([world.ready(cp), world.ready(worker)]);
    talosctl = await talosctlAt(world, cp, home);
  });
  afterAll(async () => {
    await world?.close();
    await rm(home, { recursive: true, force: true });
  });

  const rows = (table: string): string[][] =>
    table
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s{2,}/));

  test('tells the version of node and client', async () => {
    expect(await talosctl.ok('version')).toMatch(/Client:\s+Tag:\s+v1\.13\.9[^]*Server:[^]*Tag:\s+v1\.13\.9/);
  });

  test('knows every type by name and alias, and prints its columns', async () => {
    const types = rows(await talosctl.ok('get', 'rd'));
    expect(types.length).toBeGreaterThan(160);
    expect(rows(await talosctl.ok('get', 'members')).map((row) => row.slice(3, 8))).toEqual([
      ['cp-1', '1', 'cp-1', 'controlplane', 'Talos (v1.13.9)'],
      ['worker-1', '1', 'worker-1', 'worker', 'Talos (v1.13.9)'],
    ]);
    const shown: readonly (readonly [string, RegExp])[] = [
      ['addresses', new RegExp(`enp1s0/${cp.server.publicIPv4}/32 +\\d+ +${cp.server.publicIPv4}/32 +enp1s0`)],
      ['links', /enp7s0 +1 +ether +86:00:00:00:00:01 +up +true/],
      ['routes', /172\.31\.1\.1 +enp1s0 +1024/],
      ['hostname', /hostname +1 +cp-1/],
      ['nodename', /nodename +1 +cp-1/],
      ['operatorspecs', /dhcp4\/enp1s0/],
      ['etcdmembers', /local +1 +[0-9a-f]{16}/],
      ['etcdspecs', /etcd +1 +cp-1/],
      ['staticpods', /kube-apiserver +\d/],
      ['staticpodstatus', /kube-system\/kube-apiserver-cp-1 +\d+ +True/],
      ['services', /etcd +\d+ +true +true/],
      ['certsans', /k8s +1/],
      ['kubeletspec', /kubelet +1/],
      ['nodeips', /kubelet +1/],
      ['apiserverconfigs', /kube-apiserver +1/],
      ['versions', /version +1 +Talos +v1\.13\.9/],
      ['disks', /sda +1 +\d+ GB/],
      ['volumestatus', /EPHEMERAL +\d+ +partition +ready +\/dev\/sda\d/],
      ['systeminformation', /systeminformation +1 +Hetzner +vServer/],
      ['machinestatus', /machine +\d+ +running +true/],
    ];
    await Promise.all(shown.map(async ([type, row]) => expect(await talosctl.ok('get', type), type).toMatch(row)));
  });

  test('prints resources as YAML and JSON', async () => {
    const yaml = parse(await talosctl.ok('get', 'bootstrapmanifestsconfig', 'manifests', '-o', 'yaml')) as unknown;
    expect(yaml).toMatchObject({ spec: { clusterDomain: 'cluster.local', dnsServiceIP: '10.96.0.10' } });
    const json = JSON.parse(await talosctl.ok('get', 'machinestatus', '-o', 'json')) as unknown;
    expect(json).toMatchObject({ metadata: { id: 'machine' }, spec: { stage: 'running', status: { ready: true } } });
    const config = parse(await talosctl.ok('get', 'mc', 'v1alpha1', '-o', 'yaml')) as { readonly spec: string };
    expect(config.spec).toBe(world.config('control-plane'));
  });

  test('says what is not there, or not for it', async () => {
    expect(await talosctl.fails('get', 'members', 'nope')).toContain(
      "resource Members.cluster.talos.dev(cluster/nope@undefined) doesn't exist",
    );
    expect(await talosctl.fails('get', 'members', '--namespace', 'nowhere')).toContain(
      'code = PermissionDenied desc = namespace "nowhere" is not supported',
    );
    expect(await talosctl.fails('get', 'nonsense')).toContain('resource "nonsense" is not registered');
    const reader = await talosctlAt(world, cp, home, ['os:reader']);
    expect(await reader.ok('get', 'members')).toContain('worker-1');
    expect(await reader.fails('get', 'mc')).toContain('code = PermissionDenied desc = not authorized');
    const nobody = await talosctlAt(world, cp, home, ['visitors']);
    expect(await nobody.fails('get', 'members')).toContain('not authorized');
  });

  test('asks several nodes through one, none through a worker, and tells which does not answer', async () => {
    const both = `${cp.server.publicIPv4},${worker.server.privateIPv4}`;
    expect(await talosctl.ok('-n', both, 'get', 'hostname')).toMatch(/cp-1[^]*worker-1/);
    const through = await talosctlAt(world, worker, home);
    expect(await through.ok('get', 'hostname')).toContain('worker-1');
    expect(await through.fails('-n', cp.server.privateIPv4, 'get', 'hostname')).toContain('no request forwarding');
  });

  test('patches and edits a machine config, and shows what a dry run would do', async () => {
    const patch = '[{"op": "add", "path": "/cluster/apiServer/certSANs/-", "value": "patched.example.net"}]';
    const merge = 'cluster:\n  apiServer:\n    certSANs: [patched.example.net]\n';
    const dry = await talosctl.run('patch', 'mc', '--patch', merge, '--dry-run');
    expect(dry.stdout + dry.stderr).toMatch(/^\+ +- patched\.example\.net/m);
    expect(await talosctl.ok('get', 'certsans', 'k8s', '-o', 'yaml')).not.toContain('patched');
    // Several documents take no JSON patch.
    expect(await talosctl.fails('patch', 'mc', '--patch', patch)).toContain('JSON6902');
    await talosctl.ok('patch', 'mc', '--patch', merge);
    const names = () => talosctl.ok('get', 'certsans', 'k8s', '-o', 'yaml');
    await expect.poll(names, { timeout: 10_000 }).toContain('patched.example.net');
    await talosctl.ok('edit', 'mc');
    await expect.poll(names, { timeout: 10_000 }).toContain('edited.example.net');
    expect(await names()).not.toContain('patched');
  });

  test('writes META and finds it again', async () => {
    await talosctl.ok('meta', 'write', '0x0a', 'kept');
    expect(await talosctl.ok('get', 'metakeys')).toMatch(/0x0a +1 +kept/);
    await talosctl.ok('meta', 'delete', '0x0a');
    expect(await talosctl.ok('get', 'metakeys')).not.toContain('kept');
  });

  test('finds the cluster healthy, as the node sees it and by its own look', async () => {
    for (const form of ['--server=true', '--server=false']) {
      const { code, stdout, stderr } = await talosctl.run('health', '--wait-timeout', '15s', form);
      const lines = (stdout + stderr).trim().split('\n');
      expect({ code, last: lines.at(-1) }, stdout + stderr).toEqual({
        code: 0,
        last: 'waiting for all k8s nodes to report schedulable: OK',
      });
      expect(lines).toContain('waiting for all control plane components to be ready: OK');
    }
  });

  test('sees changes as they happen', async () => {
    const follow = talosctl.follow('get', 'members', '-w');
    const seen = () =>
      follow
        .lines()
        .map((line) => line.split(/\s+/))
        .map(([, event, , , id]) => `${event} ${id}`);
    await expect.poll(seen, { timeout: 5_000 }).toContain('+ worker-1');
    const more = await world.add('worker-2', 'worker', { kind: 'join' });
    await expect.poll(seen, { timeout: 10_000 }).toContain('+ worker-2');
    await more.node.powerOff();
    await expect.poll(seen, { timeout: 10_000 }).toContain('- worker-2');
    await follow.stop();
  });

  test('fetches kubeconfig, files and a snapshot of etcd, and lists members', async () => {
    const file = path.join(home, 'kubeconfig');
    await talosctl.ok('kubeconfig', file);
    expect(await readFile(file, 'utf8')).toContain('admin@harbour');
    expect(await talosctl.ok('read', '/proc/sys/kernel/random/boot_id')).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await talosctl.ok('etcd', 'members')).toMatch(/cp-1 +https:\/\/\S+:2380 +https:\/\/\S+:2379 +false/);
    const snapshot = path.join(home, 'etcd.snapshot');
    expect(await talosctl.ok('etcd', 'snapshot', snapshot)).toMatch(/hash [0-9a-f]+, revision \d+/);
    expect((await readFile(snapshot)).length % 512).toBe(32);
  });
});
