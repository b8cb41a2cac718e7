import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { MachineConfigError } from '../../src/machine-config/error.ts';
import { applyPatches } from '../../src/machine-config/patch/apply.ts';

/** One case: a base configuration, patches, and what each talosctl made of them. */
const Case = z.object({
  id: z.string(),
  description: z.string().default(''),
  base: z.string(),
  patches: z.array(z.string()).min(1),
  results: z
    .array(z.object({ talosctl: z.string(), exit: z.number(), output: z.string().optional(), stderr: z.string().optional() }))
    .min(1),
});

export type PatchCase = z.infer<typeof Case>;

/** The folder that holds `cases/`: the given one, or the patch folder of a whole set of goldens; undefined when neither does. */
export function patchFolder(directory: string): string | undefined {
  return [directory, path.join(directory, 'patch'), path.join(directory, 'talos', 'patch')].find((folder) =>
    existsSync(path.join(folder, 'cases')),
  );
}

export function readCases(folder: string): PatchCase[] {
  return readdirSync(path.join(folder, 'cases'))
    .filter((id) => existsSync(path.join(folder, 'cases', id, 'case.json')))
    .toSorted()
    .map((id) => Case.parse({ id, ...JSON.parse(readFileSync(path.join(folder, 'cases', id, 'case.json'), 'utf8')) }));
}

/** What a text says: the values of each document, in order. */
export function meaningOf(text: string): unknown[] {
  const documents = parseAllDocuments(text, { logLevel: 'silent' });
  return Array.isArray(documents) ? documents.map((document): unknown => document.toJS()) : [];
}

/** Where two meanings differ, one line each, values cut short. */
function differences(expected: unknown, actual: unknown, at: string): string[] {
  if (isDeepStrictEqual(expected, actual)) return [];
  const both = [expected, actual];
  if (both.every((value) => typeof value === 'object' && value !== null) && Array.isArray(expected) === Array.isArray(actual)) {
    const [left, right] = both.map((value) => new Map(Object.entries(Object(value))));
    const keys = new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])]);
    return [...keys].flatMap((key) => differences(left?.get(key), right?.get(key), `${at}/${key}`));
  }
  const [wanted, got] = both.map((value) => (JSON.stringify(value) ?? 'absent').slice(0, 160));
  return [`${at}: talosctl says ${wanted}, we say ${got}`];
}

/** Runs one case as one talosctl version ran it; a sentence when we mean something else than talosctl did, undefined when not. */
export function disagreement(folder: string, item: PatchCase, result: PatchCase['results'][number]): string | undefined {
  const read = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
  const patches = item.patches.map((name) => ({ name, text: read(path.join('cases', item.id, name)) }));
  let ours: string;
  try {
    ours = applyPatches(read(item.base), patches, result.talosctl);
  } catch (error) {
    if (!(error instanceof MachineConfigError)) throw error;
    return result.exit === 0 ? `talosctl succeeds, we say: ${error.message}` : undefined;
  }
  if (result.exit !== 0 || result.output === undefined) return `talosctl ends with ${result.exit} (${result.stderr ?? ''}), we succeed`;
  const [expected, actual] = [meaningOf(read(path.join('cases', item.id, result.output))), meaningOf(ours)];
  return isDeepStrictEqual(actual, expected) ? undefined : differences(expected, actual, '').slice(0, 10).join('\n');
}
