import path from 'node:path';
import type { LoadedConfig } from '../config/loaded.ts';
import { sha256 } from '../base/digest.ts';
import { EXIT, Failure } from '../base/failure.ts';
import type { Redacted } from '../base/redacted.ts';
import type { Operation, Subject } from '../journal/entries.ts';
import { type Journal, openJournal } from '../journal/journal.ts';
import { lastUndertaking } from '../journal/runs.ts';
import { sealFor, type Seal } from '../journal/seal.ts';
import { secretStore } from '../journal/secret-store.ts';
import { folderStore, type JournalStore } from '../journal/store.ts';
import { controlPlanes } from '../model/cluster.ts';
import { goalOf } from '../model/goal.ts';
import { valueOf } from '../model/fact.ts';
import type { Observation } from '../model/observation.ts';
import { type Change, changesOf } from '../model/plan.ts';
import type { Systems } from '../observe/systems.ts';
import { queueChecks } from '../plan/election-queue.ts';
import { contextAt } from './api-server.ts';
import { type Lock, takeLock } from './lock/lock.ts';
import type { Seen } from './look-again.ts';
import type { Reporter } from './reporter.ts';
import { earlierSnapshot, type Snapshot, snapshotMember, type SnapshotWish, takeSnapshot } from './snapshot.ts';
import { anyPlane } from './any-plane.ts';

/** What a person may decide about the safeguards of a run; each refusal of one keeps its reason in the record. */
export interface Safeguards {
  readonly snapshot: SnapshotWish;
  /** Why the lock is left out; undefined takes it. */
  readonly withoutLock: string | undefined;
}

interface Ports {
  readonly systems: Systems;
  readonly loaded: LoadedConfig;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
}

/** Where the journal of this cluster is kept, by the configuration. */
export function journalStore(
  { systems, loaded }: Pick<Ports, 'systems' | 'loaded'>,
  /** Where the control planes are; only a journal in the cluster needs them. */
  observation: Observation | undefined,
): JournalStore {
  if (loaded.stateDir !== undefined) return folderStore(systems.files, loaded.stateDir);
  return secretStore(anyPlane(systems, observation === undefined ? [] : clientsAt(systems, observation)));
}

/** What fits into nobody else's hands: the key for the journal, before anything else. */
function sealOf({ systems, loaded }: Pick<Ports, 'systems' | 'loaded'>, snapshot: SnapshotWish): Promise<Seal> {
  const { recipients, identity } = loaded.journal;
  if (loaded.stateDir === undefined && recipients.length === 0) {
    throw refused(
      'journal-recipient-missing',
      'The journal in the cluster needs a recipient',
      'state: cluster is for machines without a disk of their own, so a key made here would be lost with them',
      'Make a key (age-keygen), keep it safe, and write its public half under journal.recipients.',
    );
  }
  if (loaded.stateDir === undefined && snapshot.kind === 'journal') {
    throw refused(
      'snapshot-nowhere',
      'There is no place for the etcd snapshot',
      'with state: cluster it does not fit into the Secret, and in the cluster it would be lost with it',
      'Say --snapshot FILE, or --no-snapshot REASON: the record keeps the reason.',
    );
  }
  return sealFor(systems, { recipients, identity, stateDir: loaded.stateDir });
}

const clientsAt = (systems: Systems, observation: Observation) =>
  controlPlanes(observation).flatMap((node) =>
    node.address === undefined
      ? []
      : [systems.kubernetes(contextAt(systems.kubeContext, node.address, valueOf(node.config)?.apiServerPort ?? 6443))],
  );

/** Takes the lock unless it is left out. */
export async function lockFor(
  ports: Ports,
  observation: Observation,
  without: string | undefined,
): Promise<Lock | undefined> {
  if (without !== undefined) return undefined;
  const { systems, reporter, signal } = ports;
  const lock = await takeLock({
    clock: systems.clock,
    processes: systems.processes,
    clients: clientsAt(systems, observation),
    signal,
    waiting: (what) => reporter.report({ kind: 'waiting', what }),
  });
  reporter.report({ kind: 'note', text: `The lock of the cluster: ${lock.how}.` });
  return lock;
}

/** What a run has from its beginning on. */
export interface Begun {
  readonly journal: Journal;
  readonly seal: Seal;
  readonly lock: Lock | undefined;
  readonly snapshot: Snapshot | undefined;
}

/** The key for the journal, and the journal's first line: what cannot be written is found before anything else is done. */
export async function begin(
  ports: Ports,
  seen: Seen,
  operation: Operation,
  safeguards: Safeguards,
): Promise<Pick<Begun, 'journal' | 'seal'>> {
  const { systems, loaded } = ports;
  const seal = await sealOf(ports, safeguards.snapshot);
  const store = journalStore(ports, seen.observation);
  const journal = await openJournal(
    { store, seal, clock: systems.clock },
    {
      operation,
      cluster: loaded.config.name,
      ca: sha256(systems.kubeContext.ca.trim()),
      changes: changesOf(seen.plan).map((change) => change.id),
    },
  );
  const { withoutLock } = safeguards;
  if (withoutLock !== undefined) await journal.append({ kind: 'lock-left-out', reason: withoutLock });
  return { journal, seal };
}

/** Keeps the bytes of everything that will be changed, and a snapshot of etcd where a control plane will be. */
export async function keepBefore(
  ports: Ports,
  seen: Seen,
  { journal, seal }: Pick<Begun, 'journal' | 'seal'>,
  safeguards: Safeguards,
): Promise<Snapshot | undefined> {
  for (const { subject, text } of originalsOf(seen.observation, changesOf(seen.plan)))
    await journal.original(subject, text);
  return snapshotFor(ports, seen, journal, { seal, wish: safeguards.snapshot });
}

const touchesControlPlanes = (changes: readonly Change[]): boolean =>
  changes.some(({ action }) => action.kind === 'node-config' && action.role === 'control-plane');

async function snapshotFor(
  { systems, loaded, reporter, signal }: Ports,
  { observation, plan }: Seen,
  journal: Journal,
  given: { readonly seal: Seal; readonly wish: SnapshotWish },
): Promise<Snapshot | undefined> {
  const { wish } = given;
  if (!touchesControlPlanes(changesOf(plan))) return undefined;
  if (wish.kind === 'none') {
    await journal.append({ kind: 'snapshot-left-out', reason: wish.reason });
    return undefined;
  }
  const earlier =
    wish.kind === 'journal' ? await earlierSnapshot(systems, lastUndertaking(journal.earlier)) : undefined;
  const member = snapshotMember(observation);
  if (earlier !== undefined) {
    const { place, sha256: digest, bytes, member: from } = earlier;
    reporter.report({ kind: 'note', text: `The etcd snapshot of this undertaking is there already: ${place}.` });
    return { place, sha256: digest, bytes, member: from };
  }
  if (member === undefined) {
    throw refused(
      'etcd-snapshot-failed',
      'No snapshot of etcd could be taken',
      'no control plane told the state of its etcd',
      'Look at etcd: talosctl etcd status.',
    );
  }
  const file =
    wish.kind === 'file'
      ? wish.file
      : path.join(loaded.stateDir ?? '.', 'snapshots', `etcd-${journal.run.replaceAll(':', '')}.db.age`);
  reporter.report({ kind: 'waiting', what: `a snapshot of etcd from ${member.name}` });
  const { entries, ...snapshot } = await takeSnapshot({ ...systems, seal: given.seal }, member, file, signal);
  await journal.append({ kind: 'snapshot', ...snapshot });
  reporter.report({
    kind: 'note',
    text: `etcd snapshot: ${snapshot.bytes} bytes from ${snapshot.member}, sealed in ${snapshot.place}.`,
  });
  const { ip } = goalOf(observation, loaded);
  const shut = queueChecks(observation, ip, entries).filter((check) => check.verdict !== 'open');
  if (shut.length > 0) {
    throw refused(
      'gate-closed',
      'etcd is not at rest',
      shut.map((check) => `${check.name}: ${check.verdict}, ${check.evidence}`).join('\n'),
      'An entry of a dead node ends by itself within a minute or two: run fairlead apply again then.',
    );
  }
  return snapshot;
}

/** The bytes of everything that the plan will touch, as the observation read them. */
function originalsOf(
  observation: Observation,
  changes: readonly Change[],
): { subject: Subject; text: Redacted | undefined }[] {
  const nodes = new Set(changes.flatMap(({ action }) => (action.kind === 'node-config' ? [action.node] : [])));
  const files = new Set(
    changes.flatMap(({ action }) =>
      action.kind === 'kubeconfig' || action.kind === 'talosconfig' || action.kind === 'repository-file'
        ? [action.file]
        : [],
    ),
  );
  const { kubeconfigs, talosconfigs, repository } = observation.consumers;
  const named = (file: string, text: Redacted | undefined): [string, Redacted][] =>
    text === undefined ? [] : [[file, text]];
  const texts = new Map<string, Redacted>([
    ...kubeconfigs.flatMap(({ file, content }) => named(file, valueOf(content)?.text)),
    ...talosconfigs.flatMap(({ file, content }) => named(file, valueOf(content)?.text)),
    ...(repository === undefined ? [] : (valueOf(repository.patches) ?? [])).map(
      ({ file, text }) => [file, text] as const,
    ),
  ]);
  return [
    ...observation.nodes.flatMap((node) => {
      const text = valueOf(node.config)?.text;
      return text === undefined || !nodes.has(node.name)
        ? []
        : [{ subject: { what: 'machine-config', name: node.name } as const, text }];
    }),
    ...[...files].map((name) => ({ subject: { what: 'file', name } as const, text: texts.get(name) })),
  ];
}

const refused = (code: string, what: string, why: string, next: string): Failure =>
  new Failure({ code, exit: EXIT.refused, what, why, state: 'No machine config, address or file was changed.', next });
