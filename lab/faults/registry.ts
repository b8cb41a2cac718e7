import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure, textOf } from '../../src/base/failure.ts';
import type { FaultSpec } from './read.ts';
import type { Fault, FaultReport, Parameters, Standing } from './types.ts';

/** The faults of a lab: which are set, how often each may still act, and how each is undone. */
export interface Faults {
  /** Sets a fault; resolves when it is in force. */
  set(spec: FaultSpec): Promise<FaultReport>;
  /** Clears one, or all; resolves when the world is as it was. */
  clear(id?: string): Promise<readonly FaultReport[]>;
  show(): readonly FaultReport[];
  /** The first active fault of a kind that matches, counted as a hit; undefined when none does. */
  take(kind: string, matches: (parameters: Parameters) => boolean): Fault | undefined;
  /** All active faults of a kind, not counted: for what lasts. */
  active(kind: string): readonly Fault[];
  /** All of a kind that stand in the world, also those whose count is used up: what they befell stays befallen. */
  inForce(kind: string): readonly Fault[];
  /** Counts one more hit; false, and none, when its count is used up. */
  spend(fault: Fault): boolean;
  /** Something was hit that `active` had told of. */
  hit(fault: Fault): void;
  /** All of them as they can be kept; plain data. */
  save(): SavedFaults;
  /** Sets again what was kept, in a world that was kept with it; what cannot be is told in its notes. */
  load(saved: SavedFaults): Promise<void>;
  /** Forgets all without undoing anything: the world ends. */
  close(): void;
}

export interface SavedFaults {
  readonly last: number;
  readonly faults: readonly (Pick<
    Entry,
    'id' | 'kind' | 'parameters' | 'setAt' | 'until' | 'state' | 'hits' | 'left' | 'notes'
  > & {
    /** It stands in the world. */
    readonly stands: boolean;
    readonly memory?: unknown;
  })[];
}

interface Entry extends Fault {
  readonly end: AbortController;
  readonly until: number | undefined;
  state: 'active' | 'spent';
  hits: number;
  left: number | undefined;
  standing: Standing | undefined;
  notes: string[];
}

/** `begin` brings a fault that changes the world into force; undefined for one that only waits to be taken. */
export function createFaults(ports: {
  readonly clock: Clock;
  /** `memory`: what a standing fault told of itself, where its world was kept. */
  readonly begin: (fault: Fault, memory?: unknown) => Promise<Standing | undefined>;
}): Faults {
  const { clock } = ports;
  const entries = new Map<string, Entry>();
  let last = 0;
  let queue: Promise<unknown> = Promise.resolve();

  /** One change of the world at a time. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const run = queue.then(work);
    queue = run.catch(() => {});
    return run;
  };

  const finish = async (entry: Entry): Promise<void> => {
    entry.state = 'spent';
    entry.end.abort();
    const { standing } = entry;
    entry.standing = undefined;
    if (standing === undefined) return;
    try {
      const left = await standing.undo();
      if (left !== undefined) entry.notes.push(left);
    } catch (error) {
      entry.notes.push(`could not be undone: ${textOf(error)}`);
    }
  };

  const reportOf = (entry: Entry): FaultReport => ({
    id: entry.id,
    kind: entry.kind,
    parameters: entry.parameters,
    state: entry.state,
    setAt: entry.setAt.toISOString(),
    hits: entry.hits,
    ...(entry.left === undefined ? {} : { left: entry.left }),
    ...(entry.until === undefined ? {} : { until: new Date(entry.until).toISOString() }),
    notes: entry.notes,
  });

  const count = (entry: Entry): void => {
    entry.hits += 1;
    if (entry.left === undefined) return;
    entry.left -= 1;
    if (entry.left <= 0) entry.state = 'spent';
  };

  const endAfter = (entry: Entry, ms: number): void => {
    clock
      .sleep(ms, entry.signal)
      .then(() => inTurn(() => finish(entry)))
      .catch(() => {});
  };

  const activeOf = (kind: string): Entry[] =>
    [...entries.values()].filter((entry) => entry.kind === kind && entry.state === 'active');

  return {
    set: (spec) =>
      inTurn(async () => {
        last += 1;
        const end = new AbortController();
        const { duration, count: times } = spec.parameters;
        const setAt = clock.wall();
        const entry: Entry = {
          id: `f${last}`,
          kind: spec.kind,
          parameters: spec.parameters,
          setAt,
          end,
          signal: end.signal,
          until: typeof duration === 'number' ? setAt.getTime() + duration : undefined,
          state: 'active',
          hits: 0,
          left: typeof times === 'number' ? times : undefined,
          standing: undefined,
          notes: [],
        };
        // Known before it begins: what it changes may ask who is at it.
        entries.set(entry.id, entry);
        try {
          entry.standing = await ports.begin(entry);
        } catch (error) {
          entries.delete(entry.id);
          throw error;
        }
        if (entry.standing !== undefined) entry.notes.push(entry.standing.note);
        if (entry.standing?.over === true) entry.state = 'spent';
        if (entry.standing?.over === true || entry.standing?.acted === true) entry.hits = 1;
        if (typeof duration === 'number') endAfter(entry, duration);
        return reportOf(entry);
      }),
    clear: (id) =>
      inTurn(async () => {
        const known = id === undefined ? undefined : entries.get(id);
        if (id !== undefined && known === undefined) throw unknown(id, [...entries.keys()]);
        // The last one first: each undoes what it found.
        const wanted = known === undefined ? [...entries.values()].toReversed() : [known];
        for (const entry of wanted) {
          await finish(entry);
          entries.delete(entry.id);
        }
        return wanted.map(reportOf);
      }),
    show: () => [...entries.values()].map(reportOf),
    take(kind, matches) {
      const found = activeOf(kind).find((entry) => matches(entry.parameters));
      if (found !== undefined) count(found);
      return found;
    },
    active: activeOf,
    inForce: (kind) => [...entries.values()].filter((entry) => entry.kind === kind && !entry.signal.aborted),
    spend(fault) {
      const entry = entries.get(fault.id);
      if (entry === undefined || entry.state === 'spent') return false;
      count(entry);
      return true;
    },
    hit(fault) {
      const entry = entries.get(fault.id);
      if (entry !== undefined) count(entry);
    },
    save: () => ({
      last,
      faults: [...entries.values()].map(({ end: _end, signal: _signal, standing, ...kept }) => ({
        ...kept,
        stands: standing !== undefined,
        memory: standing?.memory,
      })),
    }),
    load: (saved) =>
      inTurn(async () => {
        last = saved.last;
        for (const { stands, memory, ...kept } of saved.faults) {
          const end = new AbortController();
          const { until, left } = kept;
          const entry: Entry = {
            ...kept,
            until,
            left,
            end,
            signal: end.signal,
            standing: undefined,
            notes: [...kept.notes],
          };
          entries.set(entry.id, entry);
          if (entry.state === 'spent' && !stands) continue;
          try {
            entry.standing = await ports.begin(entry, memory);
          } catch (error) {
            entry.state = 'spent';
            entry.notes.push(`not set again: ${textOf(error)}`);
          }
          if (until !== undefined) endAfter(entry, Math.max(0, until - clock.wall().getTime()));
        }
      }),
    close() {
      for (const entry of entries.values()) entry.end.abort();
      entries.clear();
    },
  };
}

const unknown = (id: string, known: readonly string[]): Failure =>
  new Failure({
    code: 'lab-fault-unknown',
    exit: EXIT.usage,
    what: `There is no fault ${id}`,
    why: known.length === 0 ? 'no fault is set' : `those that are set: ${known.join(', ')}`,
    state: 'Nothing was changed.',
    next: 'See `fairlead lab fault show`, or clear all with `fairlead lab fault clear --all`.',
  });
