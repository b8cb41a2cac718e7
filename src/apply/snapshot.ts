import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import type { Files } from '../consumers/files.ts';
import type { JournalRun } from '../journal/runs.ts';
import type { Seal } from '../journal/seal.ts';
import { controlPlanes, etcdLeader } from '../model/cluster.ts';
import { valueOf } from '../model/fact.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';
import { type EtcdEntry, readEntries } from '../systems/etcd/database.ts';
import type { TalosClient } from '../systems/talos/types.ts';

/** What is done about the etcd snapshot that stands before the first change of a control plane. */
export type SnapshotWish =
  | { readonly kind: 'journal' }
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'none'; readonly reason: string };

export interface Snapshot {
  readonly place: string;
  /** Of the database before it was sealed. */
  readonly sha256: string;
  readonly bytes: number;
  readonly member: string;
}

/** A snapshot just taken, and what of Talos' own it holds. */
export interface FreshSnapshot extends Snapshot {
  /** undefined where the database was too large to be looked through. */
  readonly entries: readonly EtcdEntry[] | undefined;
}

/** Talos: where control planes stand in a queue for a shared IP (`talos:v1:vip:election:<IP>/<lease>`), and its lock of upgrades. */
const TALOS_KEYS = ['talos:v1:'];
/** What is looked through is held in memory. etcd's own quota is 2 GiB, its usual size a few per cent of that. */
const LOOKED_THROUGH_BYTES = 1024 ** 3;

/** A snapshot of the same undertaking is not taken again: what it must bring back is the state before the first change. */
const FRESH_MS = 3_600_000;

interface Ports {
  readonly clock: Clock;
  readonly files: Files;
  readonly seal: Seal;
  talos(address: string): TalosClient;
}

/** The snapshot that an earlier, cut-off run of this undertaking took, where it is young and still there. */
export async function earlierSnapshot(
  { clock, files }: Pick<Ports, 'clock' | 'files'>,
  undertaking: readonly JournalRun[],
): Promise<JournalRun['snapshot']> {
  const now = clock.wall().getTime();
  const taken = undertaking.flatMap((run) =>
    run.snapshot === undefined || run.outcome === 'done' ? [] : [run.snapshot],
  );
  for (const snapshot of taken) {
    const age = now - Date.parse(snapshot.at);
    if (age >= 0 && age < FRESH_MS && (await files.exists(snapshot.place))) return snapshot;
  }
  return undefined;
}

/** The follower that is furthest on: the leader has enough to do. */
export function snapshotMember(observation: Observation): NodeObservation | undefined {
  const leader = etcdLeader(observation);
  const applied = (node: NodeObservation): bigint =>
    (node.etcd === undefined ? undefined : valueOf(node.etcd.status))?.raftAppliedIndex ?? -1n;
  const able = controlPlanes(observation).filter((node) => node.address !== undefined && applied(node) >= 0n);
  const rank = (node: NodeObservation): bigint => applied(node) * 2n - (node === leader ? 2_000n : 0n);
  return able.toSorted((a, b) => (rank(a) < rank(b) ? 1 : rank(a) > rank(b) ? -1 : 0))[0];
}

/**
 * Takes a snapshot of etcd through Talos, sealed as it comes: in clear it holds every Secret of the cluster. It counts only when it came
 * whole: etcd puts the SHA-256 of the database behind it.
 */
export async function takeSnapshot(
  ports: Ports,
  member: NodeObservation,
  file: string,
  signal: AbortSignal | undefined,
): Promise<FreshSnapshot> {
  const whole = new Trailer();
  const kept: Uint8Array[] = [];
  try {
    if (member.address === undefined) throw new Error(`${member.name} has no address of its own`);
    const stream = ports.talos(member.address).etcdSnapshot(signal);
    const sealed = await ports.seal.sealStream(keeping(whole.watch(stream), kept));
    await ports.files.writeStream(path.resolve(file), sealed, 0o600);
    const digest = whole.digest();
    const held = kept.reduce((sum, chunk) => sum + chunk.length, 0) === digest.bytes + SHA256_BYTES;
    const entries = held ? readEntries(Buffer.concat(kept).subarray(0, digest.bytes), TALOS_KEYS) : undefined;
    return { place: path.resolve(file), ...digest, member: member.name, entries };
  } catch (error) {
    signal?.throwIfAborted();
    throw new Failure({
      code: 'etcd-snapshot-failed',
      exit: EXIT.refused,
      what: 'No snapshot of etcd could be taken',
      why: `${member.name}: ${textOf(error)}`,
      state: 'No machine config was changed.',
      next: 'Look at etcd (talosctl etcd status), make room where --snapshot or state: points; or say --no-snapshot REASON, which the record keeps.',
      cause: error,
    });
  }
}

async function* keeping(stream: AsyncIterable<Uint8Array>, kept: Uint8Array[]): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes <= LOOKED_THROUGH_BYTES) kept.push(chunk);
    yield chunk;
  }
}

const SHA256_BYTES = 32;
const BOLT_PAGE = 512;

/** Watches a snapshot go by: the last 32 bytes are the SHA-256 of all before them, and the database is a whole number of pages. */
class Trailer {
  #hash = createHash('sha256');
  #tail: Buffer = Buffer.alloc(0);
  #bytes = 0;

  async *watch(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      this.#bytes += chunk.length;
      const all = Buffer.concat([this.#tail, chunk]);
      const cut = Math.max(0, all.length - SHA256_BYTES);
      this.#hash.update(all.subarray(0, cut));
      this.#tail = Buffer.from(all.subarray(cut));
      yield chunk;
    }
    // Judged before the last byte is passed on: a file that is there is a whole one.
    if (this.#bytes % BOLT_PAGE !== SHA256_BYTES) throw new Error(`it ended early, after ${this.#bytes} bytes`);
    if (!this.#hash.copy().digest().equals(this.#tail))
      throw new Error('its checksum does not fit: it was damaged on the way');
  }

  digest(): { sha256: string; bytes: number } {
    return { sha256: this.#hash.copy().digest('hex'), bytes: this.#bytes - SHA256_BYTES };
  }
}
