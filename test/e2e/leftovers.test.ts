import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { unshared } from '../../lab/fabric/netns/unshared.ts';
import type { LabInfo } from '../../lab/world/info.ts';
import { fairlead, fairleadJson, root, run } from './harness.ts';

const how = unshared(process.env);
const fabrics = ['loopback', 'netns'] as const;

/** What a file under /proc says; nothing when the process has ended or is somebody else's. */
const proc = (pid: string, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
};

/** Processes whose command, environment or mounts speak of this folder; the test's own are left out. */
function speakingOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => ['cmdline', 'environ', 'mountinfo'].some((file) => proc(pid, file).includes(folder)))
    .filter((pid) => !/\) Z /.test(proc(pid, 'stat')))
    .map((pid) => `${pid} ${proc(pid, 'cmdline').replaceAll('\0', ' ')}`);
}

/** Listeners on these addresses in this network namespace. */
function listenersOn(addresses: readonly string[]): string[] {
  const hex = (address: string): string =>
    address
      .split('.')
      .toReversed()
      .map((octet) => Number(octet).toString(16).toUpperCase().padStart(2, '0'))
      .join('');
  const wanted = new Set(addresses.map(hex));
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === '0A' && wanted.has((columns[1] ?? '').split(':')[0] ?? ''))
    .map((columns) => columns[1] ?? '');
}

const printed = async (program: string, ...args: string[]): Promise<string> => {
  const ran = await run(program, args).catch((error: unknown) => ({ stdout: String(error) }));
  return ran.stdout;
};

/** The parts of this computer's network that a lab could have touched. */
async function network(): Promise<Record<string, unknown>> {
  const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => ['(no such folder)']);
  return {
    links: readdirSync('/sys/class/net').toSorted(),
    routes: readFileSync('/proc/net/route', 'utf8'),
    rules: await printed('/usr/sbin/nft', 'list', 'ruleset'),
    etcNetns: await names('/etc/netns'),
    runNetns: await names('/run/netns'),
    forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').includes('fairlead-lab'),
    resolver: readFileSync('/etc/resolv.conf', 'utf8'),
  };
}

const addressesOf = (info: LabInfo): string[] => [
  ...info.nodes.flatMap((node) => [node.publicIPv4, node.privateIPv4]),
  new URL(info.hetzner.endpoint).hostname,
];

describe.each(fabrics)('after a lab on %s', (fabric) => {
  const reason = fabric === 'netns' && typeof how === 'string' ? how : '';
  describe.skipIf(reason !== '')(reason === '' ? 'is gone' : `is gone (skipped: ${reason})`, () => {
    let folder = '';
    let state = '';
    let before: Record<string, unknown> = {};
    beforeEach(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-leftovers-'));
      state = path.join(folder, 'lab');
      before = await network();
    });
    afterEach(async () => {
      await fairlead(['lab', 'down', '--state', state]);
      await rm(folder, { recursive: true, force: true });
    });
    const up = (): Promise<LabInfo> =>
      fairleadJson<LabInfo>([
        'lab',
        'up',
        '--state',
        state,
        '--fabric',
        fabric,
        '--parts',
        'built-in',
        '--speed',
        '10',
        '--control-planes',
        '1',
      ]);
    const nothingLeft = async (labs: readonly LabInfo[]): Promise<void> => {
      // A killed process is not gone in the same moment.
      for (let i = 0; i < 50 && speakingOf(folder).length > 0; i += 1) await sleep(100);
      expect(speakingOf(folder)).toEqual([]);
      expect(await network()).toEqual(before);
      expect(listenersOn(labs.flatMap(addressesOf))).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
    };

    test('its processes, namespaces, rules, listeners and files are what they were before: after down', async () => {
      const lab = await up();
      const running = speakingOf(folder);
      expect(running.length).toBeGreaterThan(0);
      expect((await fairlead(['lab', 'exec', '--state', state, '--', 'true'])).code).toBe(0);
      expect((await fairlead(['lab', 'down', '--state', state])).code).toBe(0);
      await nothingLeft([lab]);
    });

    test('… and after SIGKILL of the lab while a command runs in it, another up, and down', async () => {
      const first = await up();
      const inside = spawn(
        process.execPath,
        [path.join(root, 'src/cli/main.ts'), 'lab', 'exec', '--state', state, '--', 'sleep', '600'],
        { stdio: 'ignore' },
      );
      for (let i = 0; i < 50 && !speakingOf(state).some((line) => /sleep 600/.test(line)); i += 1) await sleep(100);
      process.kill(first.pid, 'SIGKILL');
      await sleep(300);
      const second = await up();
      expect(second.pid).not.toBe(first.pid);
      expect((await fairlead(['lab', 'down', '--state', state])).code).toBe(0);
      await nothingLeft([first, second]);
      inside.kill();
    });

    test('… and after SIGKILL and down alone', async () => {
      const lab = await up();
      process.kill(lab.pid, 'SIGKILL');
      await sleep(300);
      const down = await fairleadJson<{ wasRunning: boolean }>(['lab', 'down', '--state', state]);
      expect(down.wasRunning).toBe(false);
      await nothingLeft([lab]);
    });
  });
});
