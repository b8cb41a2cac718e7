import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { findLab, type LabClient } from '../../lab/world/client.ts';
import type { LabInfo } from '../../lab/world/info.ts';

const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');

/** `fairlead lab …` from source; gives its time. */
export function fairlead(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.execPath, [main, 'lab', ...args, '--quiet'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(performance.now() - began);
      else reject(new Error(`fairlead lab ${args.join(' ')} ended with ${code}\n${said}`));
    });
  });
}

/** A lab of the meter's own, in a folder, for as long as `work` takes. */
export async function withLab<T>(
  state: string,
  flags: readonly string[],
  work: (lab: LabClient, info: LabInfo, upMs: number) => Promise<T>,
): Promise<T> {
  try {
    const upMs = await fairlead(['up', '--state', state, ...flags]);
    const lab = await findLab(state);
    return await work(lab, await lab.info(), upMs);
  } finally {
    await fairlead(['down', '--state', state]).catch(() => {});
    await rm(state, { recursive: true, force: true });
  }
}

/** Replaces nodes one after the other, without a pause; gives the time of each. */
export async function replaces(lab: LabClient, names: readonly string[], times: number): Promise<number[]> {
  const all: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const began = performance.now();
    await lab.operate(names[n % names.length] ?? '', 'replace');
    all.push(performance.now() - began);
  }
  return all;
}

/** Snapshot and restore by command: the second ends the lab and begins it again. */
export async function roundTrip(state: string): Promise<{ snapshot: number; restore: number }> {
  const file = `${state}.tgz`;
  try {
    const snapshot = await fairlead(['snapshot', file, '--state', state]);
    return { snapshot, restore: await fairlead(['restore', file, '--state', state]) };
  } finally {
    await rm(file, { force: true });
  }
}

/** Resident memory of a process in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Open files of a process: sockets and pipes that nobody closed show here. */
export async function openFiles(pid: number): Promise<number> {
  const { readdir } = await import('node:fs/promises');
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** A world in which a replacement takes no longer than it has to. */
const HASTE: readonly string[] = [
  ...['createServer', 'startServer', 'deleteServer', 'network', 'setting'].map((name) => `cloud.delays.${name}=0`),
  'cloud.rateLimit.capacity=1000000',
  'talos.bootMs=30',
  'talos.joinRetryMs=1500',
  'etcd.memberHealthMs=200',
].flatMap((knob) => ['--knob', knob]);

export interface Growth {
  readonly replaces: number;
  readonly seconds: number;
  /** After every tenth part of them. */
  readonly rss: readonly number[];
  readonly files: readonly number[];
}

/** So many replacements, every eighth of a control plane, and what the lab's process holds meanwhile. */
export async function manyReplaces(state: string, count: number): Promise<Growth> {
  const flags = ['--parts', 'built-in', '--speed', '30', '--workers', '1', ...HASTE];
  return withLab(state, flags, async (lab, info) => {
    const workers = info.nodes.filter((n) => n.role === 'worker').map((n) => n.name);
    const planes = info.nodes.filter((n) => n.role === 'control-plane').map((n) => n.name);
    const [rss, files]: [number[], number[]] = [[], []];
    const began = performance.now();
    const part = Math.ceil(count / 10);
    for (let done = 0; done < count; done += part) {
      for (let n = done; n < Math.min(count, done + part); n += 1) {
        const names = n % 8 === 7 ? planes : workers;
        await lab.operate(names[Math.floor(n / 8) % names.length] ?? '', 'replace');
      }
      rss.push(await residentBytes(info.pid));
      files.push(await openFiles(info.pid));
    }
    return { replaces: count, seconds: (performance.now() - began) / 1000, rss, files };
  });
}
