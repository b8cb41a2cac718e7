import { readFile, readlink } from 'node:fs/promises';
import os from 'node:os';

/** A process as the whole world may know it, so that its death can be proven where it can be looked at. */
export interface ProcessIdentity {
  readonly user: string;
  readonly host: string;
  readonly pid: number;
  /**
   * This boot of this machine and this space of process ids; empty where that cannot be told (no /proc). Only within it does a pid
   * mean anything.
   */
  readonly space: string;
  /** When the process started, in the kernel's ticks since boot: tells it from a later one with the same pid. */
  readonly started: string;
}

/** What this machine can say about processes. */
export interface ProcessTable {
  self(): Promise<ProcessIdentity>;
  /** When the process with this pid started, in the same ticks; undefined where there is none. */
  started(pid: number): Promise<string | undefined>;
}

/** The 22nd field of /proc/PID/stat; the command's name before it may hold spaces and brackets. */
const startOf = (stat: string): string | undefined => stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];

const read = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );

export const systemProcesses: ProcessTable = {
  async self() {
    const [boot, namespace, started] = await Promise.all([
      read('/proc/sys/kernel/random/boot_id'),
      readlink('/proc/self/ns/pid').catch(() => undefined),
      systemProcesses.started(process.pid),
    ]);
    const inode = /\d+/.exec(namespace ?? '')?.[0];
    return {
      user: userName(),
      host: os.hostname(),
      pid: process.pid,
      space: boot === undefined || inode === undefined || started === undefined ? '' : `${boot}.${inode}`,
      started: started ?? '',
    };
  },
  async started(pid) {
    const stat = await read(`/proc/${pid}/stat`);
    // A zombie does nothing any more.
    return stat === undefined || /\) Z /.test(stat) ? undefined : startOf(stat);
  },
};

function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    // A container may run as a number that no file names.
    return String(process.getuid?.() ?? 'unknown');
  }
}
