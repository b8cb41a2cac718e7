import path from 'node:path';
import { textOf } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import { type Fact, known, unknown } from '../../model/fact.ts';
import type { PatchScope, RepositoryObservation } from '../../model/observation.ts';
import type { Files } from '../files.ts';

/** In the order in which a provisioner applies them: cluster first, then the scope of the node's role. */
export const SCOPES: readonly PatchScope[] = ['cluster', 'control-planes', 'workers'];

/** The patches that new nodes get, sorted by name within a scope, and the names (never the values) that `env` sets. */
export async function observeRepository(files: Files, folder: string, at: string): Promise<RepositoryObservation> {
  const [patches, variables, movers] = await Promise.all([
    guard(`${folder}/talos`, async () => {
      const found = await Promise.all(SCOPES.map((scope) => scopePatches(files, folder, scope)));
      if (found.every((scope) => scope === undefined)) {
        throw new Error(`it has none of talos/{${SCOPES.join(',')}}`);
      }
      return known(
        found.flatMap((scope) => scope ?? []),
        `${folder}/talos`,
        at,
      );
    }),
    guard(`${folder}/env`, async () => {
      const text = await files.read(path.join(folder, 'env'));
      return known(text === undefined ? [] : variableNames(text), `${folder}/env`, at);
    }),
    guard(folder, async () => known(await moversIn(files, folder), folder, at)),
  ]);
  return { path: folder, patches, variables, movers };
}

async function guard<T>(source: string, read: () => Promise<Fact<T>>): Promise<Fact<T>> {
  try {
    return await read();
  } catch (error) {
    return unknown(textOf(error), source);
  }
}

async function scopePatches(files: Files, folder: string, scope: PatchScope) {
  const place = path.join(folder, 'talos', scope);
  const names = await files.list(place);
  if (names === undefined) return undefined;
  const patches = names.filter((name) => /\.ya?ml$/.test(name));
  return Promise.all(
    patches.map(async (name) => {
      const text = await files.read(path.join(place, name));
      return { scope, file: path.join(place, name), text: new Redacted(text ?? '') };
    }),
  );
}

/** Names that a line `NAME=value` or `export NAME=value` sets to something. */
export function variableNames(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line);
    const value = match?.[2]?.trim().replace(/^(['"])(.*)\1$/, '$2') ?? '';
    return match?.[1] === undefined || value === '' ? [] : [match[1]];
  });
}

/** What assigns floating IPs when it is run from this folder: ksail with its switch on, Terraform with an assignment. */
async function moversIn(
  files: Files,
  folder: string,
): Promise<{ who: 'ksail' | 'terraform'; place: string; what: string }[]> {
  const names = (await files.list(folder)) ?? [];
  const wanted = names.filter((name) => /^ksail(\..+)?\.ya?ml$/.test(name) || name.endsWith('.tf'));
  const found = await Promise.all(
    wanted.map(async (name) => {
      const lines = ((await files.read(path.join(folder, name))) ?? '').split('\n');
      const [pattern, who, what] = name.endsWith('.tf')
        ? ([/^\s*resource\s+"hcloud_floating_ip_assignment"/, 'terraform', 'an hcloud_floating_ip_assignment'] as const)
        : ([/^\s*floatingIPEnabled:\s*true\b/, 'ksail', 'floatingIPEnabled: true'] as const);
      return lines.flatMap((line, i) =>
        pattern.test(line) ? [{ who, place: `${path.join(folder, name)}:${i + 1}`, what }] : [],
      );
    }),
  );
  return found.flat();
}
