import { createHash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { KeyValueSchema } from '../generated/etcd/kv_pb.ts';
import { boltFile } from './bolt.ts';
import type { Cluster } from './cluster.ts';
import { bytesOf, messageOf } from './keys.ts';

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  return bytes;
};

/** A revision as etcd's database orders by it; `t` marks a deletion. */
const revisionKey = (main: bigint, sub: number, tombstone: boolean): Buffer =>
  Buffer.concat([uint64(main), Buffer.from('_'), uint64(BigInt(sub)), Buffer.from(tombstone ? 't' : '')]);

function keyBucket(cluster: Cluster): Entry[] {
  let main = 0n;
  let sub = 0;
  return cluster.store.versions().map((version) => {
    sub = version.mod === main ? sub + 1 : 0;
    main = version.mod;
    const dead = version.version === 0n;
    const kv = create(KeyValueSchema, dead ? { key: bytesOf(version.key) } : messageOf(version));
    return { key: revisionKey(main, sub, dead), value: toBinary(KeyValueSchema, kv) };
  });
}

/** A protobuf message of two varints: field 1 and field 2. */
function twoNumbers(one: bigint, two: bigint): Buffer {
  const varint = (value: bigint): number[] => {
    const bytes: number[] = [];
    for (let rest = value; ; rest >>= 7n) {
      if (rest < 128n) return [...bytes, Number(rest)];
      bytes.push(Number(rest & 127n) | 128);
    }
  };
  return Buffer.from([0x08, ...varint(one), 0x10, ...varint(two)]);
}

const hex = (id: bigint): string => id.toString(16);

function buckets(cluster: Cluster): Map<string, Entry[]> {
  const text = (key: string, value: string): Entry => ({ key: Buffer.from(key), value: Buffer.from(value) });
  const compacted = cluster.store.compacted;
  return new Map([
    ['alarm', []],
    ['auth', []],
    ['authRoles', []],
    ['authUsers', []],
    ['cluster', [text('clusterVersion', '3.4.0')]],
    ['key', keyBucket(cluster)],
    [
      'lease',
      cluster.leases.all().map(({ id, ttlSeconds }) => ({ key: uint64(id), value: twoNumbers(id, ttlSeconds) })),
    ],
    [
      'members',
      [...cluster.members.values()].map(({ id, name, peerURLs, clientURLs, isLearner }) =>
        // By hand: the id is a number too big for JSON.stringify.
        text(
          hex(id),
          `{"id":${id},"peerURLs":${JSON.stringify(peerURLs)},${isLearner ? '"isLearner":true,' : ''}` +
            `"name":${JSON.stringify(name)},"clientURLs":${JSON.stringify(clientURLs)}}`,
        ),
      ),
    ],
    ['members_removed', []],
    [
      'meta',
      [
        { key: Buffer.from('consistent_index'), value: uint64(cluster.index) },
        ...(compacted === 0n
          ? []
          : ['scheduledCompactRev', 'finishedCompactRev'].map((key) => ({
              key: Buffer.from(key),
              value: revisionKey(compacted, 0, false),
            }))),
      ],
    ],
  ]);
}

/** A snapshot as etcd streams it: the database file and the SHA-256 of it. */
export function snapshotOf(cluster: Cluster): Buffer {
  const file = boltFile(buckets(cluster));
  return Buffer.concat([file, createHash('sha256').update(file).digest()]);
}
