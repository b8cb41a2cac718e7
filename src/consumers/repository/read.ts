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
  const [patches, variables] = await Promise.all([
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
  ]);
  return { path: folder, patches, variables };
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
