import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Machines } from './machines.ts';

/** When a process started (clock ticks since boot); undefined when there is none with this pid. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    return startTimeIn(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

function startTimeIn(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended; nobody has looked yet.
  return fields[0] === 'Z' ? undefined : fields[19];
}

export interface ProcessRecord {
  readonly pid: number;
  readonly startTime: string;
}

/** Whether exactly this process still runs. */
export const isAlive = async (process: ProcessRecord): Promise<boolean> =>
  (await startTimeOf(process.pid)) === process.startTime;

/** Kills exactly this process; one that has ended, or whose pid another process has now, is left alone. */
export async function killRecorded(record: ProcessRecord): Promise<void> {
  if (await isAlive(record)) killQuietly(record.pid);
}

export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the look and the signal.
  }
}

/** The same at once, where nothing else may happen between the look and the signal. False: it was not there any more. */
export function killNow({ pid, startTime }: ProcessRecord): boolean {
  try {
    if (startTimeIn(readFileSync(`/proc/${pid}/stat`, 'utf8')) !== startTime) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** Processes of this lab, so that `up` and `down` end exactly those, should the lab itself be killed. */
export async function writeChildren(state: string, machines: Machines): Promise<void> {
  const pids = machines.all().flatMap((m) => {
    const info = m.node.info();
    return [info.etcd?.pid, info.kubeApiserver?.pid].filter((pid) => pid !== undefined);
  });
  const records = await Promise.all(pids.map(async (pid) => ({ pid, startTime: (await startTimeOf(pid)) ?? '' })));
  await writeFile(path.join(state, 'children.json'), JSON.stringify(records), { mode: 0o600 });
}
