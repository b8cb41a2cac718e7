import type { ServiceImpl } from '@connectrpc/connect';
import {
  type KV,
  type RangeResponse,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from '../generated/etcd/rpc_pb.ts';
import { refuseWhenAlarmed } from './alarms.ts';
import { answerDelete, answerPut, answerRange, answerTxn, isReadOnly } from './kv.ts';
import { admit, headerOf, stamp, type Served } from './served.ts';

const serializable = (ops: readonly RequestOp[]): boolean =>
  ops.every(({ request }) => {
    if (request.case === 'requestTxn') return isSerializable(request.value);
    return request.case === 'requestRange' && request.value.serializable;
  });

/** A transaction that only reads, and says everywhere that its member's own view will do. */
const isSerializable = (request: TxnRequest): boolean => serializable(request.success) && serializable(request.failure);

const writes = (request: TxnRequest): boolean =>
  [...request.success, ...request.failure].some(
    (op) => op.request.case === 'requestPut' || (op.request.case === 'requestTxn' && writes(op.request.value)),
  );

export function kvService(served: Served): ServiceImpl<typeof KV> {
  const { cluster } = served;
  return {
    range: async (request, context) => {
      const answer = (): RangeResponse => stamp(served, answerRange(cluster, request));
      if (request.serializable) {
        // A member that is cut off answers with what it knew.
        if (cluster.isBehind(served.member) && request.revision === 0n)
          request.revision = cluster.revisionFor(served.member);
        return answer();
      }
      admit(served, context);
      return await cluster.read(served.member, context.signal, answer);
    },
    put: async (request, context) => {
      admit(served, context);
      return await cluster.propose(served.member, context.signal, () => {
        refuseWhenAlarmed(cluster.alarms, 'grows');
        return stamp(served, answerPut(cluster, request));
      });
    },
    deleteRange: async (request, context) => {
      admit(served, context);
      return await cluster.propose(served.member, context.signal, () => {
        refuseWhenAlarmed(cluster.alarms, 'changes');
        return stamp(served, answerDelete(cluster, request));
      });
    },
    txn: async (request, context) => {
      admit(served, context);
      const answer = (): TxnResponse => stamp(served, answerTxn(cluster, request));
      if (isReadOnly(request))
        return isSerializable(request) ? answer() : await cluster.read(served.member, context.signal, answer);
      return await cluster.propose(served.member, context.signal, () => {
        refuseWhenAlarmed(cluster.alarms, writes(request) ? 'grows' : 'changes');
        return answer();
      });
    },
    compact: async (request, context) => {
      admit(served, context);
      return await cluster.propose(served.member, context.signal, () => {
        refuseWhenAlarmed(cluster.alarms, 'changes');
        cluster.store.compact(request.revision);
        return { header: headerOf(served) };
      });
    },
  };
}
