import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface FoundEtcd {
  readonly path: string;
  /** As the program says it: 3.4.23. */
  readonly version: string;
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    await access(file, constants.X_OK);
    const { stdout } = await run(file, ['--version'], { timeout: 10_000, env: {} });
    return /^etcd Version: (\S+)/m.exec(stdout)?.[1];
  } catch {
    // Not there, not ours to run, or no etcd: the next place may have one.
    return undefined;
  }
}

/**
 * The first etcd that runs and says its version: in KUBEBUILDER_ASSETS, on PATH, in fairlead's cache of prepared binaries
 * (~/.cache/fairlead/bin). undefined when there is none.
 */
export async function findEtcd(env: Readonly<Record<string, string | undefined>>): Promise<FoundEtcd | undefined> {
  const home = env['HOME'] ?? homedir();
  const folders = [
    env['KUBEBUILDER_ASSETS'] ?? '',
    ...(env['PATH'] ?? '').split(path.delimiter),
    path.join(home, '.cache', 'fairlead', 'bin'),
  ];
  for (const folder of new Set(folders.filter((one) => path.isAbsolute(one)))) {
    const file = path.join(folder, 'etcd');
    const version = await versionOf(file);
    if (version !== undefined) return { path: file, version };
  }
  return undefined;
}
