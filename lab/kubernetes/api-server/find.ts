import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface FoundApiServer {
  readonly path: string;
  /** As the program says it: v1.36.3. */
  readonly version: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Where `scripts/prepare` puts the programs it builds. */
export function preparedPrograms(env: Env): string {
  const cache = env['XDG_CACHE_HOME'];
  const root = cache !== undefined && path.isAbsolute(cache) ? cache : path.join(env['HOME'] ?? homedir(), '.cache');
  return path.join(root, 'fairlead', 'bin');
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    await access(file, constants.X_OK);
    const { stdout } = await run(file, ['--version'], { timeout: 10_000, env: {} });
    return /^Kubernetes (v\S+)/m.exec(stdout)?.[1];
  } catch {
    // Not there, not ours to run, or something else: the next place may have one.
    return undefined;
  }
}

/** The newest first, so that what was built last is used. */
const byVersion = (a: string, b: string): number => b.localeCompare(a, 'en', { numeric: true });

/**
 * The first kube-apiserver that runs and says its version: in KUBEBUILDER_ASSETS, on PATH, among the programs that
 * `scripts/prepare` built (the newest). undefined when there is none.
 */
export async function findApiServer(env: Env): Promise<FoundApiServer | undefined> {
  const prepared = preparedPrograms(env);
  const built = await readdir(prepared).catch(() => []);
  const files = [
    ...[env['KUBEBUILDER_ASSETS'] ?? '', ...(env['PATH'] ?? '').split(path.delimiter)]
      .filter((folder) => path.isAbsolute(folder))
      .map((folder) => path.join(folder, 'kube-apiserver')),
    ...built
      .filter((name) => /^kube-apiserver(-v\d+\.\d+\.\d+)?$/.test(name))
      .toSorted(byVersion)
      .map((name) => path.join(prepared, name)),
  ];
  for (const file of new Set(files)) {
    const version = await versionOf(file);
    if (version !== undefined) return { path: file, version };
  }
  return undefined;
}
