import { chmod, mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { Failure, textOf } from '../../src/base/failure.ts';
import { writeAtomic } from '../../src/base/files.ts';
import { parseSecrets, secretsText } from './secrets.ts';
import { DEFAULT_KUBERNETES, type ClusterFacts, type Secrets } from './types.ts';

/** Folders of patches below `talos/`, in no order of application: that depends on the role. */
export const SCOPES = ['cluster', 'control-planes', 'workers'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Patch {
  /** Path relative to the provisioner's folder. */
  readonly name: string;
  readonly text: string;
}

export interface ProvisionerContent {
  readonly secrets: Secrets;
  readonly cluster: ClusterFacts;
  readonly patches?: Readonly<Partial<Record<Scope, Readonly<Record<string, string>>>>>;
  readonly env?: Readonly<Record<string, string>>;
}

const FILE_NAME = /^[a-z0-9]+(-[a-z0-9]+)+\.ya?ml$/;
const talosVersions = Object.keys(DEFAULT_KUBERNETES) as (keyof typeof DEFAULT_KUBERNETES)[];
const clusterSchema = z.strictObject({
  name: z.string().min(1),
  endpoint: z.url(),
  talosVersion: z.enum(talosVersions),
  kubernetesVersion: z.string().regex(/^v\d+\.\d+\.\d+(-.+)?$/, 'a version like v1.36.3'),
});

/**
 * Writes the folder that new nodes are provisioned from: `secrets.yaml` and `env` (0600), `cluster.yaml`,
 * `talos/{cluster,control-planes,workers}/<verb>-<purpose>.yaml`. Files that are there already are replaced, others stay.
 */
export async function writeProvisioner(dir: string, content: ProvisionerContent): Promise<void> {
  const patches = SCOPES.flatMap((scope) =>
    Object.entries(content.patches?.[scope] ?? {}).map(([name, text]) => ({ scope, name, text })),
  );
  const misnamed = patches.find(({ name }) => !FILE_NAME.test(name));
  if (misnamed !== undefined) throw new TypeError(`patch ${misnamed.name} is not named <verb>-<purpose>.yaml`);
  await Promise.all(SCOPES.map((scope) => mkdir(path.join(dir, 'talos', scope), { recursive: true })));
  await chmod(dir, 0o700);
  const env = Object.entries(content.env ?? {}).map(([name, value]) => `${name}=${value}\n`);
  await Promise.all([
    writeAtomic(path.join(dir, 'secrets.yaml'), secretsText(content.secrets), 0o600),
    writeAtomic(path.join(dir, 'cluster.yaml'), stringify(content.cluster)),
    writeAtomic(path.join(dir, 'env'), env.join(''), 0o600),
    ...patches.map(({ scope, name, text }) => writeAtomic(path.join(dir, 'talos', scope, name), text)),
  ]);
}

export const readSecrets = (dir: string): Promise<Secrets> => read(path.join(dir, 'secrets.yaml'), parseSecrets);

export const readCluster = (dir: string): Promise<ClusterFacts> =>
  read(path.join(dir, 'cluster.yaml'), (text) => clusterSchema.parse(parse(text)));

/** The patches of one scope, sorted by name; only `.yaml` and `.yml`, no sub-folders; none when the folder is absent. */
export async function readPatches(dir: string, scope: Scope): Promise<readonly Patch[]> {
  const folder = path.join(dir, 'talos', scope);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const names = entries.filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name)).map(({ name }) => name);
  return Promise.all(
    names.toSorted(byBytes).map(async (name) => ({
      name: path.join('talos', scope, name),
      text: await readFile(path.join(folder, name), 'utf8'),
    })),
  );
}

/** As Go sorts strings: by code units, not by a locale. */
const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function read<T>(file: string, parser: (text: string) => T): Promise<T> {
  try {
    return parser(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Failure({
      code: 'provisioner-file',
      what: `the provisioner cannot read ${path.basename(file)}`,
      why: `${file}: ${error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : textOf(error)}`,
      state: 'no machine config was rendered',
      next: `correct ${file}`,
      cause: error,
    });
  }
}
