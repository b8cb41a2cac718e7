import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { EXIT, Failure, textOf } from '../../../src/base/failure.ts';
import { writeAtomic } from '../../../src/base/files.ts';
import { VERSION } from '../../../src/base/version.ts';
import type { LabOptions } from '../info.ts';
import { fromPlain, type Plain, toPlain } from './plain.ts';
import { type Entry, packTar, unpackTar } from './tar.ts';

/** Grows with every change of what stands in a snapshot. */
const FORMAT = 1;
const MANIFEST = 'snapshot.json';
const WORLD = 'world.json';
const FILES = 'files/';

/** What a snapshot says of itself, before anything else is read. */
export interface Manifest {
  readonly apiVersion: 'fairlead/v1alpha1';
  readonly kind: 'LabSnapshot';
  readonly format: number;
  /** Of the fairlead that took it. */
  readonly fairlead: string;
  readonly takenAt: string;
  /** The lab's name. */
  readonly name: string;
  readonly options: LabOptions;
  readonly parts: { readonly etcd: string; readonly kubeApiserver: string };
  /** Second octet of a loopback lab's range. */
  readonly base?: number;
}

/** A file of the lab's folder; long ones that end in nothing but zeros (etcd's log) carry only what is before those. */
export interface KeptFile {
  readonly name: string;
  readonly mode: number;
  readonly content: Uint8Array;
  readonly size: number;
}

export interface Snapshot {
  readonly manifest: Manifest;
  /** Plain data that the world wrote of itself. */
  readonly world: unknown;
  readonly files: readonly KeptFile[];
}

/** Writes one archive (tar, gzip), for its owner alone: it holds the keys of the lab. */
export async function writeSnapshot(
  file: string,
  snapshot: Omit<Snapshot, 'manifest'> & {
    readonly manifest: Omit<Manifest, 'apiVersion' | 'kind' | 'format' | 'fairlead'>;
  },
): Promise<void> {
  const { manifest, world, files } = snapshot;
  const own = { apiVersion: 'fairlead/v1alpha1', kind: 'LabSnapshot', format: FORMAT, fairlead: VERSION, ...manifest };
  const longer = files.filter(({ content, size }) => size > content.byteLength);
  const text = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value, undefined, 1)}\n`);
  const entries: Entry[] = [
    { name: MANIFEST, mode: 0o600, content: text(own) },
    {
      name: WORLD,
      mode: 0o600,
      content: text({ world: toPlain(world), sizes: longer.map(({ name, size }) => [name, size]) }),
    },
    ...files.map(({ name, mode, content }) => ({ name: FILES + name, mode, content })),
  ];
  const packed = packTar(entries, new Date(manifest.takenAt));
  await writeAtomic(file, await promisify(gzip)(packed, { level: constants.Z_BEST_SPEED }), 0o600);
}

/** Reads a snapshot; throws a Failure for whatever is none of this version. Nothing is written. */
export async function readSnapshot(file: string): Promise<Snapshot> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw unusable(file, textOf(error));
  });
  let entries: Entry[];
  try {
    entries = unpackTar(await promisify(gunzip)(bytes));
  } catch (error) {
    throw unusable(file, `it is no whole archive (${textOf(error)})`);
  }
  const find = (name: string): unknown => {
    const entry = entries.find((each) => each.name === name);
    if (entry === undefined) throw unusable(file, `there is no ${name} in it: it is not a lab's`);
    try {
      return JSON.parse(Buffer.from(entry.content).toString('utf8'));
    } catch (error) {
      throw unusable(file, `${name} in it is damaged (${textOf(error)})`);
    }
  };
  const manifest = find(MANIFEST) as Partial<Manifest>;
  if (manifest.kind !== 'LabSnapshot' || manifest.options === undefined)
    throw unusable(file, `its ${MANIFEST} does not say that it is a lab's`);
  if (manifest.format !== FORMAT || manifest.fairlead !== VERSION)
    throw unusable(
      file,
      `fairlead ${manifest.fairlead ?? 'of no version'} wrote it, in form ${manifest.format ?? 'unknown'}; this is ${VERSION}, form ${FORMAT}`,
      'Restore it with the fairlead that took it, or take a new one.',
    );
  const { world, sizes } = find(WORLD) as { world: Plain; sizes: readonly (readonly [string, number])[] };
  const long = new Map(sizes);
  const files = entries
    .filter(({ name }) => name.startsWith(FILES))
    .map(({ name, mode, content }): KeptFile => {
      const own = name.slice(FILES.length);
      // What leads out of the lab's folder was not written by a lab.
      if (own.split('/').some((part) => part === '' || part === '.' || part === '..'))
        throw unusable(file, `it holds a file that lies outside of a lab's folder (${own})`);
      return { name: own, mode, content, size: long.get(own) ?? content.byteLength };
    });
  return { manifest: manifest as Manifest, world: fromPlain(world), files };
}

/** A file as it is kept: without the zeros at its end, where there are many. */
export function keepFile(name: string, path: string, mode: number): KeptFile {
  const whole = readFileSync(path);
  return { name, mode, content: whole.subarray(0, lastByte(whole)), size: whole.length };
}

const CHUNK = 65_536;
const ZEROS = Buffer.alloc(CHUNK);

/** Where the last chunk ends that is not all zeros. */
function lastByte(bytes: Buffer): number {
  let end = bytes.length;
  while (end >= CHUNK && bytes.subarray(end - CHUNK, end).equals(ZEROS)) end -= CHUNK;
  return end;
}

const unusable = (file: string, why: string, next = 'Name a file that `fairlead lab snapshot` wrote.'): Failure =>
  new Failure({
    code: 'lab-snapshot-unusable',
    exit: EXIT.refused,
    what: `${file} cannot be restored`,
    why,
    state: 'Nothing was changed.',
    next,
  });
