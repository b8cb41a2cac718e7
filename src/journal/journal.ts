import { sha256 } from '../base/digest.ts';
import type { Clock } from '../base/clock.ts';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import type { Redacted } from '../base/redacted.ts';
import type { RunStarted, Entry, Subject } from './entries.ts';
import { type JournalRun, readRuns } from './runs.ts';
import type { Seal } from './seal.ts';
import type { JournalStore } from './store.ts';

/**
 * An append-only record of intents, results and what was there before. Going on after a kill never needs it: it is for people, for
 * undo, and for evidence. In clear stand names, digests and times; the bytes of what was changed are sealed.
 */
export interface Journal {
  /** Where it is kept, for people. */
  readonly place: string;
  /** When this run began: its name. */
  readonly run: string;
  /** The runs before this one. */
  readonly earlier: readonly JournalRun[];
  append(entry: Entry): Promise<void>;
  /** Keeps, sealed, what stands before the first change; undefined where nothing is there. */
  original(subject: Subject, text: Redacted | undefined): Promise<void>;
  /** Writes the evidence document of this run and says where it is. */
  evidence(document: unknown): Promise<string>;
  /** Writes the page of this run beside it and says where it is. */
  page(html: string): Promise<string>;
}

const originalName = (digest: string): string => `originals/${digest}.age`;

/**
 * Opens the journal and writes the first line of a run, so that a full or read-only disk is found before anything is changed.
 * Refuses the journal of another cluster: undo would bring that one's configs here.
 */
export async function openJournal(
  ports: { readonly store: JournalStore; readonly seal: Seal; readonly clock: Clock },
  first: Omit<RunStarted, 'kind'>,
): Promise<Journal> {
  const { store, seal, clock } = ports;
  const started = clock.wall().toISOString();
  const append = (entry: Entry): Promise<void> =>
    store.append(JSON.stringify({ at: clock.wall().toISOString(), run: started, ...entry }));
  const kept = new Set<string>();
  let earlier: readonly JournalRun[];
  try {
    earlier = readRuns(await store.lines());
    const [other] = earlier.filter((run) => run.ca !== undefined && run.ca !== first.ca);
    if (other !== undefined) throw otherCluster(store.place, other.cluster, first.cluster);
    await append({ kind: 'run-started', ...first });
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure({
      code: 'state-unwritable',
      what: 'The journal cannot be written',
      why: textOf(error),
      state: 'Nothing was changed.',
      next: `Make room, or make ${store.place} writable, or set state: in fairlead.yaml to another place.`,
      cause: error,
    });
  }
  const named = (ending: string): string => `evidence-${started.replaceAll(':', '')}.${ending}`;
  return {
    place: store.place,
    run: started,
    earlier,
    append,
    async original(subject, text) {
      const digest = text === undefined ? null : sha256(text.reveal());
      if (text !== undefined && digest !== null && !kept.has(digest)) {
        if ((await store.get(originalName(digest))) === undefined)
          await store.put(originalName(digest), await seal.seal(text));
        kept.add(digest);
      }
      await append({ kind: 'original', subject, sha256: digest });
    },
    evidence: (document) => store.put(named('json'), `${JSON.stringify(document, undefined, 2)}\n`),
    page: (html) => store.put(named('html'), html),
  };
}

/** The sealed bytes of an original; undefined where this journal does not have them. */
export const sealedOriginal = (store: JournalStore, digest: string): Promise<string | undefined> =>
  store.get(originalName(digest));

const otherCluster = (place: string, theirs: string, ours: string): Failure =>
  new Failure({
    code: 'state-of-another-cluster',
    exit: EXIT.refused,
    what: `${place} is the journal of another cluster`,
    why: `it was written for a cluster ${theirs} with another CA, this is ${ours}`,
    state: 'Nothing was changed.',
    next: 'Give each cluster a state: of its own in its fairlead.yaml.',
  });
