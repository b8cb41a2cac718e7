import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { baseConfig } from './base-config.ts';
import { readCluster, readPatches, readSecrets } from './folder.ts';
import { parseEnv, resolveReferences } from './references.ts';
import type { Role } from './types.ts';

/**
 * The machine config a new node of this role gets: the generated base, then the patches of `cluster`, then those of the
 * role, each folder sorted by name, references resolved from `env`. Everything is read anew at each call, so a new node
 * boots with what is on disk now. The host name is not in it: it comes from the platform.
 * Throws a Failure for a file that does not parse, a reference that is not set and a patch that does not apply.
 */
export async function renderConfig(dir: string, role: Role): Promise<string> {
  const envFile = path.join(dir, 'env');
  const [secrets, cluster, shared, own, envText] = await Promise.all([
    readSecrets(dir),
    readCluster(dir),
    readPatches(dir, 'cluster'),
    readPatches(dir, role === 'control-plane' ? 'control-planes' : 'workers'),
    readFile(envFile, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
      throw error;
    }),
  ]);
  const env = parseEnv(envText, envFile);
  const patches = [...shared, ...own].map(({ name, text }) => ({
    name,
    text: resolveReferences(text, env, path.join(dir, name), envFile),
  }));
  const base = baseConfig(secrets, cluster, role);
  if (patches.length === 0) return base;
  const { applyPatches } = await import('../../src/machine-config/patch/apply.ts');
  return applyPatches(base, patches, cluster.talosVersion);
}
