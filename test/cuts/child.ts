import { spawn } from 'node:child_process';
import { watch, type FSWatcher } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { RequestRecord } from '../../lab/world/audit.ts';
import type { LabClient } from '../../lab/world/client.ts';
import { startTimeOf } from '../../lab/world/processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts');

/** Where a process is killed: by the lab at a side effect, or by the test at a change of a file that it sees from outside. */
export type CutPoint =
  | {
      readonly kind: 'effect';
      readonly after: number;
      readonly moment: 'before-reply' | 'after-reply';
      readonly except: readonly string[];
    }
  /** `match` is asked for each change; it may remember what it has seen. */
  | { readonly kind: 'file'; readonly match: (file: string) => boolean };

export interface Ended {
  readonly code: number | null;
  readonly killed: { readonly effect: RequestRecord } | { readonly file: string } | 'late' | undefined;
  /** Counted by the lab, up to the kill. */
  readonly sideEffects: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The prober's beats come by the clock; they are no steps of the change. */
export const BEATS = ['/configmaps/fairlead-probe'];
/** Nor is what surrounds the change: the lock, the prober's own object. */
export const SURROUNDINGS = ['/leases', '/configmaps'];

const LONGEST_MS = 240_000;

/** Runs one command of fairlead in a process of its own, and has it killed. */
export async function runCut(
  lab: LabClient,
  folder: string,
  args: readonly string[],
  points: readonly CutPoint[],
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args, '--config', path.join(folder, 'fairlead.yaml'), '--verbose'], {
    env: { PATH: process.env['PATH'], HOME: folder, XDG_CONFIG_HOME: path.join(folder, '.config'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, LONGEST_MS);
  const effect = points.find((point) => point.kind === 'effect');
  const startTime = (await startTimeOf(child.pid ?? -1)) ?? 'gone';
  const { id } = await lab.armCut({
    pid: child.pid ?? -1,
    startTime,
    after: effect?.after ?? 0,
    moment: effect?.moment ?? 'before-reply',
    except: [...(effect?.except ?? BEATS)],
  });
  let file: string | undefined;
  const watchers = await watchFiles(folder, points, (changed) => {
    file = changed;
    child.kill('SIGKILL');
  });
  const code = await exited;
  clearTimeout(limit);
  for (const watcher of watchers) watcher.close();
  const { sideEffects, killed } = await lab.disarmCut(id);
  return {
    code,
    killed: late
      ? 'late'
      : killed !== undefined && code === null
        ? { effect: killed.effect }
        : file !== undefined && code === null
          ? { file }
          : undefined,
    sideEffects,
    stdout,
    stderr,
  };
}

async function watchFiles(
  folder: string,
  points: readonly CutPoint[],
  kill: (file: string) => void,
): Promise<FSWatcher[]> {
  const wanted = points.filter((point) => point.kind === 'file');
  if (wanted.length === 0) return [];
  const talos = path.join(folder, 'provisioner/talos');
  const folders = [
    folder,
    path.join(folder, 'fairlead-state'),
    path.join(folder, 'fairlead-state/originals'),
    path.join(folder, 'fairlead-state/snapshots'),
    ...['cluster', 'control-planes', 'workers'].map((name) => path.join(talos, name)),
  ];
  const watchers: FSWatcher[] = [];
  for (const one of folders) {
    // What is not there yet cannot be watched.
    await mkdir(one, { recursive: true, mode: 0o700 });
    watchers.push(
      watch(one, (_event, name) => {
        const changed = path.relative(folder, path.join(one, name ?? ''));
        if (wanted.some((point) => point.match(changed))) kill(changed);
      }),
    );
  }
  return watchers;
}
