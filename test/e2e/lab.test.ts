import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestRecord } from '../../lab/world/audit.ts';
import type { LabInfo, LabRecord } from '../../lab/world/info.ts';
import { allReal, fairlead, fairleadJson, kubectls, realEtcd, run, startLab, type TestLab } from './harness.ts';

const dial = (host: string, port: number, timeoutMs = 1_500): Promise<'accepted' | 'refused' | 'silent'> =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const end = (how: 'accepted' | 'refused' | 'silent'): void => {
      socket.destroy();
      resolve(how);
    };
    socket.setTimeout(timeoutMs, () => end('silent'));
    socket.once('connect', () => end('accepted'));
    socket.once('error', () => end('refused'));
  });

/** Processes (zombies aside) whose command line or environment speaks of this folder. */
async function processesOf(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8');
      if (line.includes(folder) && !/\) Z /.test(state)) found.push(Number(pid));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

const until = async (what: () => Promise<boolean>, timeoutMs = 10_000): Promise<boolean> => {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (await what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return what();
};

describe('a lab with built-in parts', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await startLab(['--parts', 'built-in']);
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  test('says what it is made of: three control planes, one worker, the endpoint pinned to the first', () => {
    const planes = lab.info.nodes.filter((n) => n.role === 'control-plane');
    expect(planes).toHaveLength(3);
    expect(lab.info.nodes.filter((n) => n.role === 'worker')).toHaveLength(1);
    expect(lab.info.endpoint).toBe(planes[0]!.kubernetesApi);
    expect(planes.map((n) => n.etcd?.backing)).toEqual(['built-in', 'built-in', 'built-in']);
    expect(lab.info.limits.length).toBeGreaterThan(5);
    expect(lab.info.floatingIPs).toEqual([]);
  });

  test('its files are for the owner alone', async () => {
    const { mode } = await import('node:fs/promises').then((fs) => fs.stat(lab.info.files.kubeconfig));
    expect(mode & 0o077).toBe(0);
  });

  test('a second lab in the same folder is refused and the first is not touched', async () => {
    const second = await fairlead(['lab', 'up', '--state', lab.state]);
    expect(second.code).toBe(4);
    expect(second.stderr).toContain('A lab already runs here');
    expect((await lab.fresh()).pid).toBe(lab.info.pid);
  });

  test('a lab beside it shares no address, name, id or authority with it', async () => {
    await using other = await startLab(['--parts', 'built-in']);
    const addresses = (info: LabInfo): string[] => info.nodes.flatMap((n) => [n.publicIPv4, n.privateIPv4]);
    const mine = new Set([
      ...addresses(lab.info),
      ...lab.info.nodes.map((n) => String(n.serverId)),
      lab.info.hetzner.token,
    ]);
    const theirs = [
      ...addresses(other.info),
      ...other.info.nodes.map((n) => String(n.serverId)),
      other.info.hetzner.token,
    ];
    expect(theirs.filter((value) => mine.has(value))).toEqual([]);
    const [a, b] = await Promise.all([lab, other].map((l) => readFile(l.info.files.kubeconfig, 'utf8')));
    expect(/certificate-authority-data: (\S+)/.exec(a!)?.[1]).not.toBe(
      /certificate-authority-data: (\S+)/.exec(b!)?.[1],
    );
  });

  for (const kubectl of kubectls) {
    test(`${path.basename(kubectl)} lists the nodes with the lab's kubeconfig`, async () => {
      const home = await mkdtemp(path.join(os.tmpdir(), 'fairlead-home-'));
      const got = await run(kubectl, ['--kubeconfig', lab.info.files.kubeconfig, 'get', 'nodes'], {
        env: { HOME: home },
      });
      await rm(home, { recursive: true, force: true });
      expect(got.code, got.stderr).toBe(0);
      for (const node of lab.info.nodes) expect(got.stdout).toMatch(new RegExp(`${node.name}\\s+Ready`));
    });
  }

  test('a powered-off node falls silent and never refuses; a powered-on one comes back', async () => {
    const node = lab.info.nodes.findLast((n) => n.role === 'control-plane')!;
    expect(await dial(node.publicIPv4, 6443)).toBe('accepted');
    expect(await dial(node.publicIPv4, 50000)).toBe('accepted');
    await fairleadJson(['lab', 'node', 'power-off', node.name, '--state', lab.state]);
    expect(await dial(node.publicIPv4, 6443)).toBe('silent');
    expect(await dial(node.publicIPv4, 50000)).toBe('silent');
    const off = (await lab.fresh()).nodes.find((n) => n.name === node.name)!;
    expect(off.power).toBe('off');
    await fairleadJson(['lab', 'node', 'power-on', node.name, '--state', lab.state]);
    expect(await dial(node.publicIPv4, 6443)).toBe('accepted');
  });

  test('a replaced node has the same name, another server and other addresses', async () => {
    const before = (await lab.fresh()).nodes.find((n) => n.role === 'worker')!;
    await fairleadJson(['lab', 'node', 'replace', before.name, '--state', lab.state]);
    const after = (await lab.fresh()).nodes.find((n) => n.name === before.name)!;
    expect(after.serverId).not.toBe(before.serverId);
    expect(after.publicIPv4).not.toBe(before.publicIPv4);
    expect(await dial(before.publicIPv4, 50000)).toBe('silent');
  });

  test('every request is on record with its sender, and no token is', async () => {
    const { mark } = await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state]);
    await lab.tool(['verify']);
    const { requests } = await fairleadJson<{ requests: RequestRecord[] }>([
      'lab',
      'requests',
      '--state',
      lab.state,
      '--since',
      String(mark),
    ]);
    const mine = requests.filter((r) => r.by === 'fairlead');
    expect(new Set(mine.map((r) => r.system))).toEqual(new Set(['hetzner', 'talos', 'kubernetes']));
    expect(mine.filter((r) => r.write)).toEqual([]);
    const file = await readFile(path.join(lab.state, 'requests.jsonl'), 'utf8');
    for (const token of [lab.info.hetzner.token, lab.info.hetzner.nodeToken]) expect(file).not.toContain(token);
  });

  test('an unknown node is named, with those that there are', async () => {
    const ran = await fairlead(['lab', 'node', 'reboot', 'nobody', '--state', lab.state]);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain(lab.info.nodes[0]!.name);
  });
});

describe('the end of a lab', () => {
  test('down leaves no process, no file and no address behind', async () => {
    const lab = await startLab(['--parts', 'auto']);
    const address = lab.info.nodes[0]!.publicIPv4;
    expect((await fairlead(['lab', 'down', '--state', lab.state])).code).toBe(0);
    expect(await processesOf(lab.state)).toEqual([]);
    await expect(readdir(lab.state)).rejects.toThrow(/ENOENT/);
    expect(await dial(address, 6443)).toBe('refused');
    await lab[Symbol.asyncDispose]();
  });

  test(`a killed lab takes its children with it, and down removes what it left${realEtcd === undefined ? ' (built-in parts only: etcd is not there)' : ''}`, async () => {
    const lab = await startLab(['--parts', allReal ? 'real' : 'auto']);
    const record = JSON.parse(await readFile(path.join(lab.state, 'lab.json'), 'utf8')) as LabRecord;
    process.kill(record.pid, 'SIGKILL');
    expect(await until(async () => (await processesOf(lab.state)).length === 0)).toBe(true);
    const down = await fairlead(['lab', 'down', '--state', lab.state]);
    expect(down.code).toBe(0);
    await expect(readdir(lab.state)).rejects.toThrow(/ENOENT/);
    await lab[Symbol.asyncDispose]();
  });

  test('Ctrl-C while it starts leaves nothing', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-e2e-'));
    const state = path.join(folder, 'lab');
    const ran = await fairlead(['lab', 'up', '--state', state, '--parts', 'built-in'], {
      interrupt: { signal: 'SIGINT', afterMs: 700 },
    });
    expect(ran.code).toBe(130);
    expect(ran.stderr).toContain('Interrupted');
    expect(await until(async () => (await processesOf(state)).length === 0)).toBe(true);
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true, force: true });
  });

  test('where a lab was killed, or did not come up, a new one starts as if nothing had been', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-e2e-'));
    const state = path.join(folder, 'lab');
    const up = ['lab', 'up', '--state', state, '--parts', 'built-in', '--speed', '10'];
    const killed = await fairlead(up, { interrupt: { signal: 'SIGKILL', afterMs: 600 } });
    expect(killed.signal).toBe('SIGKILL');
    expect(await until(async () => (await processesOf(state)).length === 0)).toBe(true);
    expect((await fairlead(up)).code).toBe(4);
    await rm(path.join(state, 'lab.lock'));
    const again = await fairlead(up);
    expect(again.code, again.stderr).toBe(0);
    const record = JSON.parse(await readFile(path.join(state, 'lab.json'), 'utf8')) as LabRecord;
    process.kill(record.pid, 'SIGKILL');
    expect(await until(async () => (await processesOf(state)).length === 0)).toBe(true);
    const third = await fairlead(up);
    expect(third.code, third.stderr).toBe(0);
    expect((await fairlead(['lab', 'down', '--state', state])).code).toBe(0);
    await rm(folder, { recursive: true, force: true });
  });

  test('down where there is no lab says so', async () => {
    const ran = await fairlead(['lab', 'down', '--state', '/nonexistent/lab']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('There is no lab here');
  });

  test('a folder with other files in it is not taken', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-e2e-'));
    await writeFile(path.join(folder, 'precious'), 'x');
    const ran = await fairlead(['lab', 'up', '--state', folder]);
    expect(ran.code).toBe(4);
    expect(await readFile(path.join(folder, 'precious'), 'utf8')).toBe('x');
    await rm(folder, { recursive: true, force: true });
  });

  test("neither lab nor tool touches the user's own kubeconfig and talosconfig", async () => {
    const home = await mkdtemp(path.join(os.tmpdir(), 'fairlead-home-'));
    const canary = 'this is no YAML: [\n';
    const files = ['.kube/config', '.talos/config', 'kube', 'talos'].map((name) => path.join(home, name));
    for (const file of files) {
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, canary);
    }
    const env = {
      HOME: home,
      XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'),
      KUBECONFIG: path.join(home, 'kube'),
      TALOSCONFIG: path.join(home, 'talos'),
    };
    const state = path.join(home, 'lab');
    expect(
      (await fairlead(['lab', 'up', '--state', state, '--parts', 'built-in', '--speed', '10'], { env })).code,
    ).toBe(0);
    const config = path.join(state, 'fairlead.yaml');
    const applied = await fairlead(['apply', '--config', config, '--yes'], { env });
    expect(applied.code, applied.stderr).toBe(0);
    expect((await fairlead(['lab', 'down', '--state', state], { env })).code).toBe(0);
    for (const file of files) expect(await readFile(file, 'utf8')).toBe(canary);
    await rm(home, { recursive: true, force: true });
  });
});
