import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Event_EventType, type Event, type KeyValue } from './generated/etcd/kv_pb.ts';
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  RangeRequestSchema,
  RangeRequest_SortOrder as Order,
  RangeRequest_SortTarget as SortBy,
  type Member,
  type RangeRequest,
  type RequestOpSchema,
  type TxnRequestSchema,
} from './generated/etcd/rpc_pb.ts';
import type { EtcdKeyValue, EtcdMemberInfo, EtcdOp, EtcdTxn, EtcdWatchEvent, RangeOptions } from './types.ts';

const FROM_KEY = new Uint8Array([0]);

export const bytes = (value: Uint8Array | string): Uint8Array =>
  typeof value === 'string' ? Buffer.from(value) : value;

const text = (value: Uint8Array): string => Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();

/** The first key after all that begin with `prefix`. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const last = prefix.findLastIndex((byte) => byte < 0xff);
  if (last === -1) return FROM_KEY;
  const end = Uint8Array.from(prefix.subarray(0, last + 1));
  end[last] = (end[last] ?? 0) + 1;
  return end;
}

/** Key and range end of a request; an empty prefix is every key. */
export function keysOf(key: string, prefix = false): { key: Uint8Array; rangeEnd: Uint8Array } {
  const start = bytes(key);
  if (!prefix) return { key: start, rangeEnd: new Uint8Array() };
  return { key: start.length === 0 ? FROM_KEY : start, rangeEnd: prefixEnd(start) };
}

export function rangeRequest(key: string, options: RangeOptions): RangeRequest {
  const keys = keysOf(key, options.prefix);
  const sorted = options.sort !== undefined;
  return create(RangeRequestSchema, {
    ...keys,
    ...(options.after === undefined ? {} : { key: bytes(`${options.after}\0`) }),
    revision: options.revision ?? 0n,
    limit: BigInt(options.limit ?? 0),
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    maxCreateRevision: options.maxCreateRevision ?? 0n,
    sortOrder: sorted ? Order.ASCEND : Order.NONE,
    sortTarget: options.sort === 'create-ascending' ? SortBy.CREATE : SortBy.KEY,
  });
}

const rangeEndOf = (op: { readonly rangeEnd?: string }): Uint8Array => bytes(op.rangeEnd ?? '');

function opOf(op: EtcdOp): MessageInitShape<typeof RequestOpSchema> {
  const key = bytes(op.key);
  switch (op.kind) {
    case 'put':
      return { request: { case: 'requestPut', value: { key, value: bytes(op.value), lease: op.lease ?? 0n } } };
    case 'delete':
      return { request: { case: 'requestDeleteRange', value: { key, rangeEnd: rangeEndOf(op) } } };
    case 'get':
      return { request: { case: 'requestRange', value: { key, rangeEnd: rangeEndOf(op) } } };
  }
}

export function txnRequest(txn: EtcdTxn): MessageInitShape<typeof TxnRequestSchema> {
  const compare = txn.compare.flatMap(({ key, createRevision, modRevision }) => [
    ...(createRevision === undefined
      ? []
      : [{ target: Target.CREATE, targetUnion: { case: 'createRevision' as const, value: createRevision }, key }]),
    ...(modRevision === undefined
      ? []
      : [{ target: Target.MOD, targetUnion: { case: 'modRevision' as const, value: modRevision }, key }]),
  ]);
  return {
    compare: compare.map((one) => ({ ...one, key: bytes(one.key), result: Result.EQUAL })),
    success: txn.success.map(opOf),
    failure: txn.failure.map(opOf),
  };
}

export const keyValueOf = (kv: KeyValue): EtcdKeyValue => ({
  key: text(kv.key),
  value: kv.value,
  createRevision: kv.createRevision,
  modRevision: kv.modRevision,
  version: kv.version,
  lease: kv.lease,
});

export function eventOf(event: Event): EtcdWatchEvent | undefined {
  if (event.kv === undefined) return undefined;
  return {
    type: event.type === Event_EventType.DELETE ? 'delete' : 'put',
    kv: keyValueOf(event.kv),
    ...(event.prevKv === undefined ? {} : { previous: keyValueOf(event.prevKv) }),
  };
}

export const memberOf = (member: Member): EtcdMemberInfo => ({
  id: member.ID,
  name: member.name,
  peerURLs: member.peerURLs,
  clientURLs: member.clientURLs,
  isLearner: member.isLearner,
});
