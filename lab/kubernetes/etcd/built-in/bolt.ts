/**
 * Writes a bolt database file, the format etcd keeps its data in: two meta pages, an empty free list, and for each bucket a
 * B+ tree of leaf and branch pages. Written once, whole, so there is nothing free and no history.
 */
const PAGE = 4096;
const HEADER = 16;
const ELEMENT = 16;
const FLAGS = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
const MAGIC = 0xed0cdaed;
const FORMAT = 2;
const META_SIZE = 64;
const BUCKET_ELEMENT = 1;

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface LeafEntry extends Entry {
  readonly flags: number;
}

/** A page that has been written, as its parent refers to it. */
interface Child {
  readonly page: number;
  readonly firstKey: Uint8Array;
}

function fnv64a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** Splits items into groups whose sizes fit a page; an item that does not fit any has a group of its own. */
function group<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const groups: T[][] = [];
  let current: T[] = [];
  let room = PAGE - HEADER;
  for (const item of items) {
    const size = sizeOf(item);
    if (current.length > 0 && size > room) {
      groups.push(current);
      current = [];
      room = PAGE - HEADER;
    }
    current.push(item);
    room -= size;
  }
  groups.push(current);
  return groups;
}

class Pages {
  readonly #pages: Buffer[] = [];
  #count: number;

  constructor(reserved: number) {
    this.#count = reserved;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pages);
  }

  /** Writes one page (with what it needs of overflow pages after it) and says its number. */
  write(flags: number, elements: readonly { head: (at: Buffer, data: number) => void; data: Uint8Array }[]): number {
    const heads = HEADER + ELEMENT * elements.length;
    const size = elements.reduce((sum, element) => sum + element.data.length, heads);
    const pages = Math.max(1, Math.ceil(size / PAGE));
    const page = Buffer.alloc(pages * PAGE);
    const number = this.#count;
    writeHeader(page, number, flags, elements.length, pages - 1);
    let data = heads;
    elements.forEach((element, n) => {
      const at = HEADER + n * ELEMENT;
      // Positions count from the element itself.
      element.head(page.subarray(at, at + ELEMENT), data - at);
      page.set(element.data, data);
      data += element.data.length;
    });
    this.#pages.push(page);
    this.#count += pages;
    return number;
  }
}

function writeHeader(page: Buffer, number: number, flags: number, count: number, overflow: number): void {
  page.writeBigUInt64LE(BigInt(number), 0);
  page.writeUInt16LE(flags, 8);
  page.writeUInt16LE(count, 10);
  page.writeUInt32LE(overflow, 12);
}

const leaf = (pages: Pages, entries: readonly LeafEntry[]): Child => ({
  firstKey: entries[0]?.key ?? new Uint8Array(),
  page: pages.write(
    FLAGS.leaf,
    entries.map(({ flags, key, value }) => ({
      data: Buffer.concat([key, value]),
      head: (at, data) => {
        at.writeUInt32LE(flags, 0);
        at.writeUInt32LE(data, 4);
        at.writeUInt32LE(key.length, 8);
        at.writeUInt32LE(value.length, 12);
      },
    })),
  ),
});

const branch = (pages: Pages, children: readonly Child[]): Child => ({
  firstKey: children[0]?.firstKey ?? new Uint8Array(),
  page: pages.write(
    FLAGS.branch,
    children.map(({ firstKey, page }) => ({
      data: firstKey,
      head: (at, data) => {
        at.writeUInt32LE(data, 0);
        at.writeUInt32LE(firstKey.length, 4);
        at.writeBigUInt64LE(BigInt(page), 8);
      },
    })),
  ),
});

/** Writes a tree and says the page of its root. Entries must be sorted by key, as bytes. */
function tree(pages: Pages, entries: readonly LeafEntry[]): number {
  let level = group(entries, (entry) => ELEMENT + entry.key.length + entry.value.length).map((some) =>
    leaf(pages, some),
  );
  while (level.length > 1) {
    level = group(level, (child) => ELEMENT + child.firstKey.length).map((some) => branch(pages, some));
  }
  return level[0]?.page ?? 0;
}

function meta(number: number, root: number, freelist: number, count: number): Buffer {
  const page = Buffer.alloc(PAGE);
  writeHeader(page, number, FLAGS.meta, 0, 0);
  const body = page.subarray(HEADER, HEADER + META_SIZE);
  body.writeUInt32LE(MAGIC, 0);
  body.writeUInt32LE(FORMAT, 4);
  body.writeUInt32LE(PAGE, 8);
  body.writeBigUInt64LE(BigInt(root), 16);
  body.writeBigUInt64LE(BigInt(freelist), 32);
  body.writeBigUInt64LE(BigInt(count), 40);
  // Transaction numbers of the two must differ; readers take the newer one that is whole.
  body.writeBigUInt64LE(BigInt(number), 48);
  body.writeBigUInt64LE(fnv64a(body.subarray(0, META_SIZE - 8)), META_SIZE - 8);
  return page;
}

/** The whole file. Bucket names and the keys inside come in any order. */
export function boltFile(buckets: ReadonlyMap<string, readonly Entry[]>): Buffer {
  const FREELIST = 2;
  const pages = new Pages(FREELIST + 1);
  const sorted = (entries: readonly LeafEntry[]): LeafEntry[] =>
    entries.toSorted((a, b) => Buffer.compare(a.key, b.key));
  const roots = [...buckets].map(([name, entries]): LeafEntry => {
    const value = Buffer.alloc(16);
    value.writeBigUInt64LE(BigInt(tree(pages, sorted(entries.map((entry) => ({ ...entry, flags: 0 }))))));
    return { key: Buffer.from(name), value, flags: BUCKET_ELEMENT };
  });
  const root = tree(pages, sorted(roots));
  const freelist = Buffer.alloc(PAGE);
  writeHeader(freelist, FREELIST, FLAGS.freelist, 0, 0);
  const metas = [0, 1].map((number) => meta(number, root, FREELIST, pages.count));
  return Buffer.concat([...metas, freelist, pages.bytes]);
}
