import { refuse } from './errors.ts';

/** Keys are byte strings: one character per byte (latin1), so that they sort and compare as bytes do. */
export type Key = string;

/** [start, end): one key without `end`; everything from `start` on with FROM_KEY. */
export interface KeyRange {
  readonly start: Key;
  readonly end?: Key | undefined;
}

export const FROM_KEY: Key = '\0';

/** One version of a key. */
export interface Version {
  readonly key: Key;
  readonly mod: bigint;
  readonly create: bigint;
  /** 0 = the key was deleted at `mod`. */
  readonly version: bigint;
  readonly value: Uint8Array;
  readonly lease: bigint;
}

export interface StoreEvent {
  readonly kv: Version;
  readonly previous: Version | undefined;
}

/** What one transaction changed: all of it at one revision. */
export interface Change {
  readonly revision: bigint;
  readonly events: readonly StoreEvent[];
}

export interface Writer {
  put(key: Key, value: Uint8Array, lease: bigint): StoreEvent;
  /** Deletes what lives in the range now; the events are in key order. */
  delete(range: KeyRange): StoreEvent[];
  readonly revision: bigint;
}

const NO_VALUE = new Uint8Array();

export function inRange(key: Key, range: KeyRange): boolean {
  if (range.end === undefined) return key === range.start;
  return key >= range.start && (range.end === FROM_KEY || key < range.end);
}

/** Multi-version store with etcd's revisions: it starts at 1, and each transaction that changes something adds one. */
export class Store {
  #revision = 1n;
  #compacted = 0n;
  /** Every key with a history, sorted. */
  #keys: Key[] = [];
  readonly #histories = new Map<Key, Version[]>();
  /** Changes still watchable, oldest first. */
  #log: Change[] = [];
  readonly #listeners = new Set<(change: Change) => void>();
  #bytes = 0;

  get revision(): bigint {
    return this.#revision;
  }

  get compacted(): bigint {
    return this.#compacted;
  }

  /** Bytes of keys and values kept, history included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The newest version of a key, if it lives. */
  get(key: Key): Version | undefined {
    const last = this.#histories.get(key)?.at(-1);
    return last === undefined || last.version === 0n ? undefined : last;
  }

  /** What lived in the range at a revision (now, by default), in key order. Throws etcd's compacted and future errors. */
  range(range: KeyRange, at: bigint = this.#revision): Version[] {
    if (at > this.#revision) throw refuse('futureRevision');
    if (at < this.#compacted) throw refuse('compacted');
    return this.#collect(range, at);
  }

  /** As `range`, inside a transaction: without a revision it sees what the transaction has written so far. */
  rangeWithin(writer: Writer, range: KeyRange, at: bigint): Version[] {
    return at > 0n ? this.range(range, at) : this.#collect(range, writer.revision);
  }

  /** Every version kept, in the order of revisions: what a database file holds. */
  versions(): Version[] {
    return [...this.#histories.values()].flat().toSorted((a, b) => (a.mod < b.mod ? -1 : a.mod > b.mod ? 1 : 0));
  }

  /** What another store kept, in place of what this new one holds; all of `versions`, in the order of revisions. */
  load(saved: { readonly revision: bigint; readonly compacted: bigint; readonly versions: readonly Version[] }): void {
    this.#revision = saved.revision;
    this.#compacted = saved.compacted;
    const changes = new Map<bigint, StoreEvent[]>();
    for (const kv of saved.versions) {
      const previous = this.get(kv.key);
      this.#append(kv);
      if (kv.mod < saved.compacted) continue;
      const events = changes.get(kv.mod) ?? [];
      events.push({ kv, previous });
      changes.set(kv.mod, events);
    }
    this.#log = [...changes].map(([revision, events]) => ({ revision, events }));
  }

  /** Changes at `from` and later. The caller has compared `from` with `compacted`. */
  since(from: bigint): Change[] {
    const first = this.#log.findIndex((change) => change.revision >= from);
    return first === -1 ? [] : this.#log.slice(first);
  }

  /** Called after each change, in order, until the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Runs one transaction: all its changes at the next revision, or none when it throws. */
  write<T>(transaction: (writer: Writer) => T): T {
    const revision = this.#revision + 1n;
    const events: StoreEvent[] = [];
    const record = (kv: Version, previous: Version | undefined): StoreEvent => {
      this.#append(kv);
      const event = { kv, previous };
      events.push(event);
      return event;
    };
    let result: T;
    try {
      result = transaction({
        revision,
        put: (key, value, lease) => {
          const old = this.get(key);
          const create = old?.create ?? revision;
          return record({ key, mod: revision, create, version: (old?.version ?? 0n) + 1n, value, lease }, old);
        },
        delete: (range) =>
          this.#collect(range, revision).map((old) =>
            record({ key: old.key, mod: revision, create: 0n, version: 0n, value: NO_VALUE, lease: 0n }, old),
          ),
      });
    } catch (error) {
      for (const event of events.toReversed()) this.#drop(event.kv);
      throw error;
    }
    if (events.length > 0) {
      this.#revision = revision;
      const change = { revision, events };
      this.#log.push(change);
      for (const listener of this.#listeners) listener(change);
    }
    return result;
  }

  /** Forgets what no reader at `revision` or later can see. */
  compact(revision: bigint): void {
    if (revision <= this.#compacted) throw refuse('compacted');
    if (revision > this.#revision) throw refuse('futureRevision');
    this.#compacted = revision;
    this.#log = this.#log.filter((change) => change.revision >= revision);
    let bytes = 0;
    for (const [key, history] of this.#histories) {
      const current = history.findLastIndex((version) => version.mod <= revision);
      const dead = history[current]?.version === 0n;
      const left = history.slice(Math.max(0, dead ? current + 1 : current));
      for (const version of left) bytes += key.length + version.value.length;
      if (left.length > 0) this.#histories.set(key, left);
      else this.#histories.delete(key);
    }
    this.#bytes = bytes;
    this.#keys = this.#keys.filter((key) => this.#histories.has(key));
  }

  #collect(range: KeyRange, at: bigint): Version[] {
    const found: Version[] = [];
    const visit = (key: Key): void => {
      const version = this.#histories.get(key)?.findLast((candidate) => candidate.mod <= at);
      if (version !== undefined && version.version > 0n) found.push(version);
    };
    if (range.end === undefined) {
      visit(range.start);
      return found;
    }
    for (let n = this.#position(range.start); n < this.#keys.length; n += 1) {
      const key = this.#keys[n];
      if (key === undefined || !inRange(key, range)) break;
      visit(key);
    }
    return found;
  }

  /** Index of the first key that is not less than `key`. */
  #position(key: Key): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #append(version: Version): void {
    const history = this.#histories.get(version.key);
    if (history === undefined) {
      this.#histories.set(version.key, [version]);
      this.#keys.splice(this.#position(version.key), 0, version.key);
    } else {
      history.push(version);
    }
    this.#bytes += version.key.length + version.value.length;
  }

  #drop(version: Version): void {
    const history = this.#histories.get(version.key) ?? [];
    const left = history.filter((candidate) => candidate !== version);
    this.#bytes -= version.key.length + version.value.length;
    if (left.length > 0) {
      this.#histories.set(version.key, left);
      return;
    }
    this.#histories.delete(version.key);
    this.#keys.splice(this.#position(version.key), 1);
  }
}
