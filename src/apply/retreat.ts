import type { LoadedConfig } from '../config/loaded.ts';
import { EXIT, Failure } from '../base/failure.ts';
import type { Redacted } from '../base/redacted.ts';
import type { Subject } from '../journal/entries.ts';
import { sealedOriginal } from '../journal/journal.ts';
import { type JournalRun, lastUndertaking, readRuns, retreatCutShort } from '../journal/runs.ts';
import { openSealed } from '../journal/seal.ts';
import type { JournalStore } from '../journal/store.ts';
import { parseMachineConfig } from '../machine-config/read.ts';
import { controlPlanes } from '../model/cluster.ts';
import { parseEndpoint } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { Observation } from '../model/observation.ts';
import type { Systems } from '../observe/systems.ts';
import { retreatPlanner, type Retreat, type RetreatFile } from '../plan/retreat/retreat.ts';
import { journalStore } from './begin.ts';
import { undertake, type UndertakingOptions, type UndertakingResult } from './undertake.ts';

/**
 * Takes the last undertaking back: to the bytes that the journal kept, or, where it is gone, as far as the live facts tell. undefined:
 * the journal says that there is nothing to take back.
 */
export async function undo(
  systems: Systems,
  loaded: LoadedConfig,
  observation: Observation,
  options: UndertakingOptions,
): Promise<UndertakingResult | undefined> {
  const store = journalStore({ systems, loaded }, observation);
  const runs = readRuns(await store.lines());
  const undertaking = lastUndertaking(runs);
  if (undertaking.length === 0 && runs.length > 0 && !retreatCutShort(runs)) return undefined;
  const { configs, files } = await originalsOf(systems, loaded, store, undertaking);
  const endpoint = endpointBefore(observation, configs);
  const retreat: Retreat = { operation: 'undo', endpoint, originals: configs, files, release: undefined };
  return undertake(systems, loaded, { ...options, operation: 'undo', planner: retreatPlanner(retreat) });
}

/** Takes the endpoint out of a cluster for good: to a host that the user chooses. */
export function remove(
  systems: Systems,
  loaded: LoadedConfig,
  to: { readonly endpoint: string; readonly release: string | undefined },
  options: UndertakingOptions,
): Promise<UndertakingResult> {
  const retreat: Retreat = { operation: 'remove', ...to, originals: new Map(), files: [] };
  return undertake(systems, loaded, { ...options, operation: 'remove', planner: retreatPlanner(retreat) });
}

/** What the first run of the undertaking that met a thing found there. */
async function originalsOf(
  systems: Systems,
  loaded: LoadedConfig,
  store: JournalStore,
  undertaking: readonly JournalRun[],
): Promise<{ readonly configs: ReadonlyMap<string, Redacted>; readonly files: readonly RetreatFile[] }> {
  const first = new Map<string, { subject: Subject; sha256: string | null }>();
  for (const { subject, sha256 } of undertaking.flatMap((run) => run.originals)) {
    const key = `${subject.what} ${subject.name}`;
    if (!first.has(key)) first.set(key, { subject, sha256 });
  }
  const written = new Map(
    undertaking.flatMap((run) =>
      run.steps.flatMap(({ change, sha256After }) =>
        sha256After === undefined ? [] : [[change, sha256After] as const],
      ),
    ),
  );
  const configs = new Map<string, Redacted>();
  const files: RetreatFile[] = [];
  for (const { subject, sha256 } of first.values()) {
    const text = sha256 === null ? undefined : await opened(systems, loaded, store, subject, sha256);
    if (subject.what === 'machine-config') {
      if (text !== undefined) configs.set(subject.name, text);
      continue;
    }
    const repository = loaded.consumers.repository;
    if (repository === undefined || !subject.name.startsWith(`${repository}/`)) continue;
    const sha256After = written.get(`repository/${subject.name.slice(repository.length + 1)}`);
    if (sha256After !== undefined) files.push({ file: subject.name, original: text, sha256After });
  }
  return { configs, files };
}

async function opened(
  systems: Systems,
  loaded: LoadedConfig,
  store: JournalStore,
  subject: Subject,
  digest: string,
): Promise<Redacted> {
  const sealed = await sealedOriginal(store, digest);
  if (sealed === undefined) {
    throw new Failure({
      code: 'original-missing',
      exit: EXIT.refused,
      what: `The original of ${subject.name} is not in the journal`,
      why: `${store.place} names ${digest.slice(0, 12)} and does not hold it`,
      state: 'Nothing was changed.',
      next: 'Put the originals/ folder back; without them take the endpoint out with fairlead remove --endpoint https://ADDRESS:6443.',
    });
  }
  return openSealed(systems, { ...loaded.journal, stateDir: loaded.stateDir }, sealed);
}

/** The endpoint that control planes had; without originals, what the pinned issuer remembers of it. */
function endpointBefore(observation: Observation, configs: ReadonlyMap<string, Redacted>): string {
  for (const node of controlPlanes(observation)) {
    const text = configs.get(node.name)?.reveal();
    const endpoint = text === undefined ? undefined : parseMachineConfig(text).endpoint?.value;
    if (endpoint !== undefined) return endpoint;
  }
  for (const node of controlPlanes(observation)) {
    const issuer = valueOf(node.config)?.pinnedIssuer;
    if (issuer !== undefined && parseEndpoint(issuer) !== undefined) return issuer;
  }
  throw new Failure({
    code: 'endpoint-before-unknown',
    exit: EXIT.refused,
    what: 'Nobody knows which endpoint the cluster had before',
    why: 'the journal is gone, and no control plane pins an issuer that would remember it',
    state: 'Nothing was changed.',
    next: 'Choose one: fairlead remove --endpoint https://ADDRESS:6443, the address of a control plane, say.',
  });
}
