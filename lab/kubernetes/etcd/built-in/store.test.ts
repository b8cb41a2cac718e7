import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { FROM_KEY, Store, type Key, type StoreEvent } from './store.ts';

const text = (value: Uint8Array): string => Buffer.from(value).toString();
const bytes = (value: string): Uint8Array => Buffer.from(value);

const key = fc.constantFrom('', 'a', 'ab', 'b', 'ba', 'c', '\xff');
const put = fc.record({ kind: fc.constant('put' as const), key, value: fc.string({ maxLength: 3 }) });
const remove = fc.record({ kind: fc.constant('delete' as const), start: key, end: fc.option(key, { nil: undefined }) });

/** A transaction changes no key twice: a deletion, or puts of different keys. */
const transaction = fc.oneof(
  remove.map((one) => [one]),
  fc.uniqueArray(put, { selector: (one) => one.key, maxLength: 3 }),
);

type Transaction = typeof transaction extends fc.Arbitrary<infer T> ? T : never;

function run(store: Store, changes: Transaction): StoreEvent[] {
  return store.write((writer) =>
    changes.flatMap((change) =>
      change.kind === 'put'
        ? [writer.put(change.key, bytes(change.value), 0n)]
        : writer.delete({ start: change.start, end: change.end }),
    ),
  );
}

const everything = (store: Store, at?: bigint): Record<Key, string> =>
  Object.fromEntries(store.range({ start: '', end: FROM_KEY }, at).map((kv) => [kv.key, text(kv.value)]));

describe('the store', () => {
  test.prop([fc.array(transaction, { maxLength: 20 })])(
    'shows at every revision what a plain map held after that many changing transactions',
    (transactions) => {
      const store = new Store();
      const states = new Map<bigint, Record<Key, string>>([[1n, {}]]);
      let model: Record<Key, string> = {};
      for (const changes of transactions) {
        model = { ...model };
        for (const change of changes) {
          if (change.kind === 'put') model[change.key] = change.value;
          else
            for (const name of Object.keys(model)) {
              const { start, end } = change;
              if (end === undefined ? name === start : name >= start && name < end) delete model[name];
            }
        }
        run(store, changes);
        states.set(store.revision, model);
      }
      for (const [revision, state] of states) expect(everything(store, revision)).toEqual(state);
    },
  );

  test.prop([fc.array(transaction, { minLength: 1, maxLength: 20 }), fc.nat()])(
    'keeps after a compaction everything that can be seen from it on, and forgets the rest',
    (transactions, seed) => {
      const store = new Store();
      for (const changes of transactions) run(store, changes);
      if (store.revision < 2n) return;
      const at = 1n + BigInt(seed % Number(store.revision));
      const later = Array.from({ length: Number(store.revision - at) + 1 }, (_, n) => at + BigInt(n));
      const before = later.map((revision) => everything(store, revision));
      const events = store.since(at);
      store.compact(at);
      expect(later.map((revision) => everything(store, revision))).toEqual(before);
      expect(store.since(at)).toEqual(events);
      if (at > 1n) expect(() => everything(store, at - 1n)).toThrow('compacted');
      const kept = store.versions().filter((version) => version.mod <= at);
      expect(new Set(kept.map((version) => version.key)).size).toBe(kept.length);
      expect(store.bytes).toBe(store.versions().reduce((sum, kv) => sum + kv.key.length + kv.value.length, 0));
    },
  );

  it('undoes a transaction that throws, and tells nobody', () => {
    const store = new Store();
    run(store, [{ kind: 'put', key: 'a', value: '1' }]);
    const heard: bigint[] = [];
    store.subscribe((change) => heard.push(change.revision));
    expect(() =>
      store.write((writer) => {
        writer.put('a', bytes('2'), 0n);
        writer.put('b', bytes('2'), 0n);
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(everything(store)).toEqual({ a: '1' });
    expect(store.revision).toBe(2n);
    expect(heard).toEqual([]);
  });
});
