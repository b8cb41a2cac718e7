import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import { Redacted } from '../base/redacted.ts';
import type { LoadedConfig } from './loaded.ts';
import { parseConfig } from './parse.ts';

export interface LoadPorts {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const DEFAULT_NAME = 'fairlead.yaml';

/** `--config FILE`, or fairlead.yaml in this folder or the nearest parent that has one. */
export async function findConfig(ports: LoadPorts, given: string | undefined): Promise<string> {
  if (given !== undefined) return path.resolve(ports.cwd, given);
  for (let dir = ports.cwd; ; dir = path.dirname(dir)) {
    const candidate = path.join(dir, DEFAULT_NAME);
    const found = await stat(candidate).then(
      (s) => s.isFile(),
      () => false,
    );
    if (found) return candidate;
    if (dir === path.dirname(dir)) break;
  }
  throw new Failure({
    code: 'config-missing',
    exit: EXIT.usage,
    what: 'There is no configuration',
    why: `neither ${ports.cwd} nor a folder above it holds ${DEFAULT_NAME}`,
    state: 'Nothing was changed.',
    next: 'Write one with `fairlead init`, or name it with --config FILE.',
  });
}

/** Reads the file, resolves every reference, makes every path absolute. Throws a Failure (exit 2) naming what is wrong. */
export async function loadConfig(ports: LoadPorts, given: string | undefined): Promise<LoadedConfig> {
  const file = await findConfig(ports, given);
  const text = await readText(file, 'config-unreadable', 'The configuration cannot be read');
  const shown = path.relative(ports.cwd, file) || file;
  const config = parseConfig(text, shown.startsWith('..') ? file : shown);
  const dir = path.dirname(file);
  const absolute = (name: string): string => path.resolve(dir, name);
  const resolve = (key: string, reference: string) => resolveReference(ports, dir, key, reference);

  const token = await resolve('hetzner.token', config.hetzner.token);
  const vip = config.talosVip === undefined ? undefined : await resolve('talosVip.token', config.talosVip.token);
  const talosconfig = await resolve('talos.config', config.talos.config);
  const kubeconfig = await kubeconfigOf(config.kubernetes.kubeconfig, dir, resolve);
  const { identity: key } = config.journal;
  return {
    file,
    config,
    hetznerToken: new Redacted(token.text.trim()),
    vipToken: vip === undefined ? undefined : new Redacted(vip.text.trim()),
    talosconfig: { text: new Redacted(talosconfig.text), source: talosconfig.source },
    kubeconfig,
    stateDir: config.state === 'cluster' ? undefined : absolute(config.state),
    journal: {
      recipients: config.journal.recipients,
      identity: key === undefined ? undefined : async () => new Redacted((await resolve('journal.identity', key)).text),
    },
    consumers: {
      kubeconfig: config.consumers.kubeconfig.map((c) => ({ file: absolute(c.file), context: c.context })),
      talosconfig: config.consumers.talosconfig.map((c) => ({ file: absolute(c.file), context: c.context })),
      repository: config.consumers.repository === undefined ? undefined : absolute(config.consumers.repository.path),
    },
  };
}

/** A kubeconfig may be gone (a new machine, an incident); one that is there and cannot be read is a mistake to be told. */
async function kubeconfigOf(
  reference: string | undefined,
  dir: string,
  resolve: (key: string, reference: string) => Promise<{ text: string; source: string }>,
): Promise<LoadedConfig['kubeconfig']> {
  if (reference === undefined) return { missing: 'kubernetes.kubeconfig is not set' };
  if (reference.startsWith('file:')) {
    const file = path.resolve(dir, reference.slice('file:'.length));
    const gone = await stat(file).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (gone) return { missing: `${file} (kubernetes.kubeconfig) is not there` };
  }
  const { text, source } = await resolve('kubernetes.kubeconfig', reference);
  return { text: new Redacted(text), source };
}

async function resolveReference(
  ports: LoadPorts,
  dir: string,
  key: string,
  reference: string,
): Promise<{ text: string; source: string }> {
  const [kind, rest] = [reference.slice(0, reference.indexOf(':')), reference.slice(reference.indexOf(':') + 1)];
  if (kind === 'file') {
    const file = path.resolve(dir, rest);
    const text = await readText(file, 'reference-unreadable', `${key} cannot be read`);
    if (text.trim() === '') throw emptyReference(key, `file ${file} is empty`);
    return { text, source: file };
  }
  const value = ports.env[rest];
  if (value === undefined || value.trim() === '')
    throw emptyReference(key, `the environment variable ${rest} is not set`);
  return { text: value, source: `env:${rest}` };
}

const emptyReference = (key: string, why: string): Failure =>
  new Failure({
    code: 'reference-empty',
    exit: EXIT.usage,
    what: `${key} has no value`,
    why,
    state: 'Nothing was changed.',
    next: 'Set it, or point the reference elsewhere (env:NAME or file:PATH).',
  });

async function readText(file: string, code: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure({
      code,
      exit: EXIT.usage,
      what,
      why: textOf(error),
      state: 'Nothing was changed.',
      next: `Check the path ${file} and its permissions.`,
      cause: error,
    });
  }
}
