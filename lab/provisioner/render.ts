import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '../../src/base/failure.ts';
import { MachineConfigError } from '../../src/machine-config/error.ts';
import { applyPatches } from '../../src/machine-config/patch/apply.ts';
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
  try {
    return applyPatches(base, patches, cluster.talosVersion);
  } catch (error) {
    if (!(error instanceof MachineConfigError)) throw error;
    throw new Failure({
      code: 'provisioner-patch',
      what: `the provisioner cannot render the config of a ${role}`,
      why: error.message,
      state: 'no machine config was rendered, no node was created',
      next: `correct the patch below ${path.join(dir, 'talos')}`,
      cause: error,
    });
  }
}
