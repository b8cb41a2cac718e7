import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findLab } from '../../lab/world/client.ts';
import type { LabInfo } from '../../lab/world/info.ts';
import { Failure } from '../../src/base/failure.ts';

export const root = path.resolve(import.meta.dirname, '../..');

export interface Ran {
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Sends this signal after so many milliseconds, or when stderr says something. */
  readonly interrupt?: { readonly signal: NodeJS.Signals } & ({ readonly afterMs: number } | { readonly when: RegExp });
}

/** A program as a user runs it, with none of the user's own cluster credentials in its environment. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { KUBECONFIG: _k, TALOSCONFIG: _t, ...inherited } = process.env;
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: { ...inherited, NO_COLOR: '1', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // A child that ends without reading what it was given is no fault of the test.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    if (options.interrupt !== undefined) {
      const { interrupt } = options;
      if ('afterMs' in interrupt) setTimeout(() => child.kill(interrupt.signal), interrupt.afterMs);
      else {
        const look = (): void => {
          if (!interrupt.when.test(stderr)) return;
          child.stderr.off('data', look);
          child.kill(interrupt.signal);
        };
        child.stderr.on('data', look);
      }
    }
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? -1, signal, stdout, stderr }));
  });
}

/** The public command, from source. */
export const fairlead = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  run(process.execPath, [path.join(root, 'src/cli/main.ts'), ...args], options);

/** The same, expected to succeed, its JSON document parsed. */
export async function fairleadJson<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
  const ran = await fairlead([...args, '--output', 'json'], options);
  if (ran.code !== 0)
    throw new Error(`fairlead ${args.join(' ')} ended with ${ran.code}\n${ran.stderr}\n${ran.stdout}`);
  return JSON.parse(ran.stdout) as T;
}

export interface TestLab extends AsyncDisposable {
  readonly state: string;
  readonly info: LabInfo;
  fresh(): Promise<LabInfo>;
  /** `fairlead ARGS --config <the lab's>` */
  tool(args: readonly string[], options?: RunOptions): Promise<Ran>;
}

/** A lab of the test's own, ended when the test is over, however it ends. */
export const startLab = (args: readonly string[] = []): Promise<TestLab> => labOf(['up', '--speed', '10', ...args]);

/** One that goes on from a snapshot: an applied world in the time of a command, where a test needs one of its own. */
export const restoredLab = (snapshot: string): Promise<TestLab> => labOf(['restore', snapshot]);

async function labOf(command: readonly string[]): Promise<TestLab> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-e2e-'));
  const state = path.join(folder, 'lab');
  const end = async (): Promise<void> => {
    await fairlead(['lab', 'down', '--state', state]);
    await rm(folder, { recursive: true, force: true });
  };
  const stop = async (): Promise<void> => {
    // Whatever a test did to its lab, some things hold in every lab; one that a test has ended is not asked.
    let violations: readonly string[] = [];
    try {
      violations = await (await findLab(state)).check();
    } catch (error) {
      if (!(error instanceof Failure && error.code === 'lab-absent')) throw error;
    } finally {
      await end();
    }
    if (violations.length > 0) throw new Error(`the lab is not as it has to be:\n${violations.join('\n')}`);
  };
  let info: LabInfo;
  try {
    info = await fairleadJson<LabInfo>(['lab', ...command, '--state', state]);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    state,
    info,
    fresh: () => fairleadJson<LabInfo>(['lab', 'info', '--state', state]),
    tool: (toolArgs, options) => fairlead([...toolArgs, '--config', info.files.config], options),
    [Symbol.asyncDispose]: stop,
  };
}

const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'fairlead', 'bin');

/** Real programs that `scripts/prepare` made ready; undefined where it could not. */
export const realKubeApiserver = [path.join(cache, 'kube-apiserver-v1.36.3')].find((f) => existsSync(f));
export const realEtcd = ['/usr/bin/etcd', '/usr/local/bin/etcd'].find((f) => existsSync(f));
export const kubectls = ['kubectl-v1.36.3', 'kubectl-1.20']
  .map((name) => path.join(cache, name))
  .filter((f) => existsSync(f));
export const allReal = realKubeApiserver !== undefined && realEtcd !== undefined;
