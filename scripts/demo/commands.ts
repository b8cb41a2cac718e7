import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Where the child's stderr goes line by line while it runs. */
  readonly onProgress?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Another home: kubectl keeps a cache there, and must not touch the user's. */
  readonly home?: string;
}

/** Runs a program with an environment that names none of the user's own cluster credentials. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { KUBECONFIG: _kube, TALOSCONFIG: _talos, ...env } = process.env;
    const child = spawn(program, args, {
      cwd: root,
      env: { ...env, NO_COLOR: '1', ...(options.home === undefined ? {} : { HOME: options.home }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const interrupt = (): void => void child.kill('SIGINT');
    options.signal?.addEventListener('abort', interrupt, { once: true });
    let [stdout, stderr, rest] = ['', '', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onProgress?.(line);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      options.signal?.removeEventListener('abort', interrupt);
      if (rest !== '') options.onProgress?.(rest);
      resolve({ code: code ?? 1, stdout, stderr });
    });
  });
}

/** The public command, from source. */
export const fairlead = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  run(process.execPath, [path.join(root, 'src/cli/main.ts'), ...args], options);

/** A newer kubectl out of the cache of scripts/prepare, else whatever is on PATH; undefined where there is none. */
export async function findKubectl(): Promise<string | undefined> {
  const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'fairlead', 'bin');
  const candidates = [
    path.join(cache, 'kubectl-v1.36.3'),
    ...(process.env['PATH'] ?? '').split(':').map((dir) => path.join(dir, 'kubectl')),
  ];
  for (const candidate of candidates) {
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return undefined;
}
