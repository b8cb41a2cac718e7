/**
 * Reads etcd's own database file, as a snapshot brings it: bbolt pages (two meta pages, a B+ tree, buckets) and in the bucket `key`
 * every revision of every key. Talos' API gives no other way to what etcd holds. Only what is asked for is kept.
 */

/** The newest revision of a key that is not deleted. */
export interface EtcdEntry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: bigint;
}

const MAGIC = 0xed0cdaed;
const PAGE_HEADER = 16;
const ELEMENT = 16;
const BRANCH = 0x01;
const LEAF = 0x02;
const IS_BUCKET = 0x01;

/** Entries whose key begins with one of the prefixes, by the revision that made them. Throws an Error where it is no such database. */
export function readEntries(database: Uint8Array, prefixes: readonly string[]): readonly EtcdEntry[] {
  const view = new DataView(database.buffer, database.byteOffset, database.byteLength);
  const meta = newestMeta(view);
  const entries = new Map<string, EtcdEntry>();
  const text = new TextDecoder();
  const wanted = prefixes.map((prefix) => new TextEncoder().encode(prefix));
  for (const bucket of elements(view, meta.pageSize, meta.root)) {
    if ((bucket.flags & IS_BUCKET) === 0 || text.decode(slice(view, bucket.key)) !== 'key') continue;
    for (const element of inBucket(view, meta.pageSize, bucket.value)) {
      const pair = keyValue(slice(view, element.value));
      if (!wanted.some((prefix) => begins(pair.key, prefix))) continue;
      const key = text.decode(pair.key);
      // A revision's name ends with `t` where it deletes.
      if (element.key.length === 18) entries.delete(key);
      else entries.set(key, { key, value: text.decode(pair.value), createRevision: pair.createRevision });
    }
  }
  return [...entries.values()].toSorted((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
}

interface Span {
  readonly at: number;
  readonly length: number;
}

interface Element {
  readonly flags: number;
  readonly key: Span;
  readonly value: Span;
}

const slice = (view: DataView, { at, length }: Span): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + at, length);

function newestMeta(view: DataView): { readonly pageSize: number; readonly root: number } {
  const at = (offset: number): { pageSize: number; root: number; txid: bigint } | undefined => {
    const meta = offset + PAGE_HEADER;
    if (meta + 64 > view.byteLength || view.getUint32(meta, true) !== MAGIC) return undefined;
    const pageSize = view.getUint32(meta + 8, true);
    return { pageSize, root: Number(view.getBigUint64(meta + 16, true)), txid: view.getBigUint64(meta + 48, true) };
  };
  const first = at(0);
  const second = at(first?.pageSize ?? 4096);
  const newest = first !== undefined && second !== undefined && second.txid > first.txid ? second : (first ?? second);
  if (newest === undefined || newest.pageSize < 512) throw new Error('this is no bbolt database');
  return newest;
}

/** All elements of a tree, in the order of their keys. */
function* elements(view: DataView, pageSize: number, page: number): Generator<Element> {
  yield* onPage(view, pageSize, page * pageSize);
}

function* onPage(view: DataView, pageSize: number, at: number): Generator<Element> {
  if (at < 0 || at + PAGE_HEADER > view.byteLength) throw new Error('a page of the database is missing');
  const flags = view.getUint16(at + 8, true);
  const count = view.getUint16(at + 10, true);
  for (let n = 0; n < count; n += 1) {
    const element = at + PAGE_HEADER + n * ELEMENT;
    if ((flags & BRANCH) !== 0) {
      yield* elements(view, pageSize, Number(view.getBigUint64(element + 8, true)));
    } else if ((flags & LEAF) !== 0) {
      const key = { at: element + view.getUint32(element + 4, true), length: view.getUint32(element + 8, true) };
      const value = { at: key.at + key.length, length: view.getUint32(element + 12, true) };
      yield { flags: view.getUint32(element, true), key, value };
    } else {
      throw new Error('a page of the database is of no known kind');
    }
  }
}

/** A bucket's value is its root page, or, where that is 0, the page itself behind the header. */
function* inBucket(view: DataView, pageSize: number, value: Span): Generator<Element> {
  const root = Number(view.getBigUint64(value.at, true));
  yield* root === 0 ? onPage(view, pageSize, value.at + 16) : elements(view, pageSize, root);
}

const begins = (bytes: Uint8Array, prefix: Uint8Array): boolean =>
  bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte);

/** etcd's KeyValue message: 1 key, 2 create_revision, 5 value; the others are passed over. */
function keyValue(bytes: Uint8Array): { key: Uint8Array; value: Uint8Array; createRevision: bigint } {
  let key: Uint8Array = new Uint8Array();
  let value: Uint8Array = new Uint8Array();
  let createRevision = 0n;
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error('a record of the database is cut off');
      at += 1;
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) {
      const number = varint();
      if (tag >> 3 === 2) createRevision = number;
    } else if ((tag & 7) === 2) {
      const length = Number(varint());
      const part = bytes.subarray(at, at + length);
      at += length;
      if (tag >> 3 === 1) key = part;
      if (tag >> 3 === 5) value = part;
    } else {
      throw new Error('a record of the database is of no known form');
    }
  }
  return { key, value, createRevision };
}
