import { create } from '@bufbuild/protobuf';
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  RangeRequest_SortOrder as Order,
  RangeRequest_SortTarget as SortBy,
  DeleteRangeResponseSchema,
  PutResponseSchema,
  RangeResponseSchema,
  ResponseOpSchema,
  TxnResponseSchema,
  type Compare,
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type ResponseOp,
  type TxnRequest,
  type TxnResponse,
} from '../generated/etcd/rpc_pb.ts';
import { refuse } from './errors.ts';
import { keyOf, messageOf, rangeOf } from './keys.ts';
import type { Leases } from './leases.ts';
import { inRange, type Store, type Version, type Writer } from './store.ts';

/** What KV requests work on. */
export interface Keyspace {
  readonly store: Store;
  readonly leases: Leases;
}

/** etcd's default for operations in one transaction. */
const MAX_OPS = 128;

const compareValues = <T extends bigint | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

function sortKey(target: SortBy): (a: Version, b: Version) => number {
  switch (target) {
    case SortBy.VERSION:
      return (a, b) => compareValues(a.version, b.version);
    case SortBy.CREATE:
      return (a, b) => compareValues(a.create, b.create);
    case SortBy.MOD:
      return (a, b) => compareValues(a.mod, b.mod);
    case SortBy.VALUE:
      return (a, b) => Buffer.compare(a.value, b.value);
    case SortBy.KEY:
    default:
      return (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  }
}

/** `writer`: inside a transaction, where "now" includes what the transaction has written. */
export function answerRange({ store }: Keyspace, request: RangeRequest, writer?: Writer): RangeResponse {
  if (request.key.length === 0) throw refuse('emptyKey');
  if (request.revision > store.revision) throw refuse('futureRevision');
  const range = rangeOf(request);
  const found =
    writer === undefined
      ? store.range(range, request.revision > 0n ? request.revision : undefined)
      : store.rangeWithin(writer, range, request.revision);
  const count = BigInt(found.length);
  if (request.countOnly) return create(RangeResponseSchema, { count });
  const within = (value: bigint, low: bigint, high: bigint): boolean =>
    (low === 0n || value >= low) && (high === 0n || value <= high);
  let kvs = found.filter(
    (kv) =>
      within(kv.mod, request.minModRevision, request.maxModRevision) &&
      within(kv.create, request.minCreateRevision, request.maxCreateRevision),
  );
  // Without an order, a target other than the key means ascending.
  if (request.sortOrder !== Order.NONE || request.sortTarget !== SortBy.KEY) {
    const compare = sortKey(request.sortTarget);
    kvs = kvs.toSorted(request.sortOrder === Order.DESCEND ? (a, b) => compare(b, a) : compare);
  }
  const limit = Number(request.limit);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  return create(RangeResponseSchema, { count, more, kvs: kvs.map((kv) => messageOf(kv, request.keysOnly)) });
}

function checkPut({ store, leases }: Keyspace, request: PutRequest): void {
  if (request.key.length === 0) throw refuse('emptyKey');
  if (request.ignoreValue && request.value.length > 0) throw refuse('valueProvided');
  if (request.ignoreLease && request.lease !== 0n) throw refuse('leaseProvided');
  if (request.lease !== 0n && !leases.has(request.lease)) throw refuse('leaseNotFound');
  if ((request.ignoreValue || request.ignoreLease) && store.get(keyOf(request.key)) === undefined)
    throw refuse('keyNotFound');
}

function doPut({ store, leases }: Keyspace, request: PutRequest, writer: Writer): PutResponse {
  const key = keyOf(request.key);
  const old = store.get(key);
  const lease = request.ignoreLease ? (old?.lease ?? 0n) : request.lease;
  writer.put(key, request.ignoreValue ? (old?.value ?? request.value) : request.value, lease);
  leases.move(key, old?.lease ?? 0n, lease);
  return create(PutResponseSchema, request.prevKv && old !== undefined ? { prevKv: messageOf(old) } : {});
}

function doDelete({ leases }: Keyspace, request: DeleteRangeRequest, writer: Writer): DeleteRangeResponse {
  const gone = writer.delete(rangeOf(request)).flatMap((event) => event.previous ?? []);
  for (const kv of gone) leases.move(kv.key, kv.lease, 0n);
  const prevKvs = request.prevKv ? gone.map((kv) => messageOf(kv)) : [];
  return create(DeleteRangeResponseSchema, { deleted: BigInt(gone.length), prevKvs });
}

export function answerPut(keyspace: Keyspace, request: PutRequest): PutResponse {
  checkPut(keyspace, request);
  return keyspace.store.write((writer) => doPut(keyspace, request, writer));
}

export function answerDelete(keyspace: Keyspace, request: DeleteRangeRequest): DeleteRangeResponse {
  if (request.key.length === 0) throw refuse('emptyKey');
  return keyspace.store.write((writer) => doDelete(keyspace, request, writer));
}

function holds(result: Result, order: number): boolean {
  switch (result) {
    case Result.GREATER:
      return order > 0;
    case Result.LESS:
      return order < 0;
    case Result.NOT_EQUAL:
      return order !== 0;
    case Result.EQUAL:
    default:
      return order === 0;
  }
}

function compareOne(compare: Compare, kv: Version | undefined): boolean {
  const wanted = compare.targetUnion;
  const number = wanted.case === undefined || wanted.case === 'value' ? 0n : wanted.value;
  switch (compare.target) {
    case Target.VALUE: {
      // A key that is absent equals no value, and is neither less nor greater.
      if (kv === undefined) return false;
      return holds(compare.result, Buffer.compare(kv.value, wanted.case === 'value' ? wanted.value : Buffer.alloc(0)));
    }
    case Target.CREATE:
      return holds(compare.result, compareValues(kv?.create ?? 0n, number));
    case Target.MOD:
      return holds(compare.result, compareValues(kv?.mod ?? 0n, number));
    case Target.LEASE:
      return holds(compare.result, compareValues(kv?.lease ?? 0n, number));
    case Target.VERSION:
    default:
      return holds(compare.result, compareValues(kv?.version ?? 0n, number));
  }
}

function compareAll({ store }: Keyspace, compares: readonly Compare[]): boolean {
  return compares.every((compare) => {
    if (compare.key.length === 0) throw refuse('emptyKey');
    if (compare.rangeEnd.length === 0) return compareOne(compare, store.get(keyOf(compare.key)));
    const found = store.range(rangeOf(compare));
    // A range without keys compares as one absent key, but for values.
    if (found.length === 0) return compare.target !== Target.VALUE && compareOne(compare, undefined);
    return found.every((kv) => compareOne(compare, kv));
  });
}

/** Shape of a transaction, whichever branch will run: not too many operations, no key changed twice. */
function checkShape(request: TxnRequest): void {
  for (const ops of [request.success, request.failure]) {
    if (Math.max(ops.length, request.compare.length) > MAX_OPS) throw refuse('tooManyOps');
    const puts = new Set<string>();
    const nestedPuts = (op: RequestOp): string[] => {
      if (op.request.case === 'requestPut') return [keyOf(op.request.value.key)];
      if (op.request.case !== 'requestTxn') return [];
      checkShape(op.request.value);
      const { success, failure } = op.request.value;
      // Only one branch will run: a key may stand in both.
      return [...new Set([...success.flatMap(nestedPuts), ...failure.flatMap(nestedPuts)])];
    };
    for (const key of ops.flatMap(nestedPuts)) {
      if (puts.has(key)) throw refuse('duplicateKey');
      puts.add(key);
    }
    const deletes = ops.flatMap((op) => (op.request.case === 'requestDeleteRange' ? [rangeOf(op.request.value)] : []));
    if (deletes.some((range) => [...puts].some((key) => inRange(key, range)))) throw refuse('duplicateKey');
  }
}

function chosen(keyspace: Keyspace, request: TxnRequest): { succeeded: boolean; ops: readonly RequestOp[] } {
  const succeeded = compareAll(keyspace, request.compare);
  return { succeeded, ops: succeeded ? request.success : request.failure };
}

/** Everything that could refuse, before anything is written: comparisons see the state before the transaction. */
function checkOps(keyspace: Keyspace, request: TxnRequest): void {
  for (const { request: op } of chosen(keyspace, request).ops) {
    if (op.case === 'requestPut') checkPut(keyspace, op.value);
    if (op.case === 'requestRange' && op.value.revision > 0n) answerRange(keyspace, op.value);
    if ((op.case === 'requestRange' || op.case === 'requestDeleteRange') && op.value.key.length === 0)
      throw refuse('emptyKey');
    if (op.case === 'requestTxn') checkOps(keyspace, op.value);
  }
}

function runOp(keyspace: Keyspace, { op, nested }: Branch['ops'][number], writer: Writer): ResponseOp['response'] {
  switch (op.case) {
    case 'requestRange':
      return { case: 'responseRange', value: answerRange(keyspace, op.value, writer) };
    case 'requestPut':
      return { case: 'responsePut', value: doPut(keyspace, op.value, writer) };
    case 'requestDeleteRange':
      return { case: 'responseDeleteRange', value: doDelete(keyspace, op.value, writer) };
    case 'requestTxn':
    case undefined:
      return nested === undefined
        ? { case: undefined }
        : { case: 'responseTxn', value: runBranch(keyspace, nested, writer) };
  }
}

const runBranch = (keyspace: Keyspace, branch: Branch, writer: Writer): TxnResponse =>
  create(TxnResponseSchema, {
    succeeded: branch.succeeded,
    responses: branch.ops.map((op) => create(ResponseOpSchema, { response: runOp(keyspace, op, writer) })),
  });

interface Branch {
  readonly succeeded: boolean;
  readonly ops: readonly { readonly op: RequestOp['request']; readonly nested: Branch | undefined }[];
}

/** Decides every comparison, nested ones included, against the state before the transaction: as etcd does. */
function plan(keyspace: Keyspace, request: TxnRequest): Branch {
  const { succeeded, ops } = chosen(keyspace, request);
  return {
    succeeded,
    ops: ops.map(({ request: op }) => ({
      op,
      nested: op.case === 'requestTxn' ? plan(keyspace, op.value) : undefined,
    })),
  };
}

export function answerTxn(keyspace: Keyspace, request: TxnRequest): TxnResponse {
  checkShape(request);
  checkOps(keyspace, request);
  const branch = plan(keyspace, request);
  return keyspace.store.write((writer) => runBranch(keyspace, branch, writer));
}

/** Whether a transaction only reads: etcd answers such a one as a read, on the member itself where it may. */
export const isReadOnly = (request: TxnRequest): boolean =>
  [...request.success, ...request.failure].every(
    (op) => op.request.case === 'requestRange' || (op.request.case === 'requestTxn' && isReadOnly(op.request.value)),
  );
