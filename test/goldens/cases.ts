import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { textOf } from '../../src/base/failure.ts';
import { systemRandom } from '../../src/base/random.ts';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { readFields } from './hetzner-fields.ts';
import { readRecordings } from './hetzner-recordings.ts';
import { chains, replay } from './hetzner-replay.ts';
import { derivedTroubles, diffTroubles, generatedTroubles, patchTroubles, redactTroubles, validateTroubles } from './config-cases.ts';
import { findObserved } from './talos-vip/observed.ts';
import { playAll } from './talos-vip/situations.ts';
import { startStage } from './talos-vip/stage.ts';
import { replayAll } from './talosctl/children.ts';

export type CaseKind = 'patch' | 'validate' | 'derived' | 'redact' | 'diff' | 'gen' | 'talos-vip' | 'talosctl' | 'hetzner';

export interface CaseResult {
  readonly id: string;
  readonly kind: CaseKind;
  readonly compared: readonly string[];
  readonly result: 'passed' | 'failed';
  readonly message?: string;
}

const SPEED = 30;

const resultOf = (id: string, kind: CaseKind, compared: readonly string[], troubles: readonly string[]): CaseResult => ({
  id,
  kind,
  compared,
  result: troubles.length === 0 ? 'passed' : 'failed',
  ...(troubles.length === 0 ? {} : { message: troubles.join('\n') }),
});

/** Judges every case below a folder. Cases are told by what they hold, never by their names or where they lie. */
export async function judgeFolder(folder: string, tell: (result: CaseResult) => void): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  const add = (result: CaseResult): void => {
    results.push(result);
    tell(result);
  };
  for (const directory of directoriesBelow(folder)) for (const result of configCases(directory, folder)) add(result);
  for (const { file, observed } of findObserved(folder)) {
    const stage = await startStage(builtInEtcd({ clock: systemClock, random: systemRandom }), SPEED);
    try {
      await playAll(stage, observed, ({ id, compared, troubles }) =>
        add(resultOf(`${path.relative(folder, file)}/${id}`, 'talos-vip', compared, troubles)),
      );
    } finally {
      await stage.close();
    }
  }
  const fields = readFields();
  for (const directory of directoriesBelow(folder)) {
    for (const chain of chains(readRecordings(directory))) {
      for (const { recording, troubles } of await replay(chain, fields)) {
        add(resultOf(`${recording.client} ${recording.version}/${recording.id}`, 'hetzner', ['answers', 'fields the client needs'], troubles));
      }
    }
  }
  await replayAll(folder, ({ id, compared, troubles }) => add(resultOf(id, 'talosctl', compared, troubles)));
  return results;
}

function directoriesBelow(folder: string): string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return [
    folder,
    ...readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => directoriesBelow(path.join(folder, entry.name))),
  ].toSorted();
}

/** The cases about machine configs that this very folder is; none where it is something else. */
function configCases(directory: string, root: string): CaseResult[] {
  const files = new Set(readdirSync(directory));
  const id = path.relative(root, directory) || path.basename(directory);
  const judged = (kind: CaseKind, compared: readonly string[], judge: () => readonly string[]): CaseResult => {
    try {
      return resultOf(id, kind, compared, judge());
    } catch (error) {
      return resultOf(id, kind, compared, [textOf(error)]);
    }
  };
  const described = files.has('case.json') ? jsonIn(directory, 'case.json') : {};
  if ('patches' in described && 'results' in described) {
    return [judged('patch', ['exit', 'meaning'], () => patchTroubles(directory))];
  }
  if ('marker' in described && files.has('config.yaml')) {
    return [judged('redact', ['secrets hidden', 'text outside them'], () => redactTroubles(directory))];
  }
  if (files.has('verdict.json') && files.has('config.yaml')) {
    return [judged('validate', ['exit', 'text'], () => validateTroubles(directory))];
  }
  if (files.has('node.json') && files.has('config.yaml') && [...files].some((name) => name.startsWith('derived-'))) {
    return [judged('derived', ['every field'], () => derivedTroubles(directory))];
  }
  if (files.has('before.yaml') && files.has('after.yaml') && files.has('expected.diff')) {
    return [judged('diff', ['text'], () => diffTroubles(directory))];
  }
  if (files.has('talosconfig') && (files.has('controlplane.yaml') || files.has('worker.yaml'))) {
    return ['controlplane.yaml', 'worker.yaml']
      .filter((name) => files.has(name))
      .map((name) => {
        const result = judged('gen', ['loads', 'derives', 'bytes'], () => generatedTroubles(path.join(directory, name)));
        return { ...result, id: `${id}/${name}` };
      });
  }
  return [];
}

function jsonIn(directory: string, name: string): object {
  const value: unknown = JSON.parse(readFileSync(path.join(directory, name), 'utf8'));
  return typeof value === 'object' && value !== null ? value : {};
}
