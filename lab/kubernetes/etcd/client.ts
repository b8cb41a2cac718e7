import { checkServerIdentity } from 'node:tls';
import { Code, ConnectError, createClient, type CallOptions, type Interceptor } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { systemClock } from '../../../src/base/clock.ts';
import { HeardSessions } from '../../../src/base/sessions.ts';
import { bytes, eventOf, keysOf, keyValueOf, memberOf, rangeRequest, txnRequest } from './convert.ts';
import {
  AlarmRequest_AlarmAction,
  AlarmType,
  Cluster,
  KV,
  Lease,
  Maintenance,
  Watch,
  type WatchRequest,
} from './generated/etcd/rpc_pb.ts';
import { openWatch } from './watch.ts';
import type { EtcdClient, EtcdClientOptions, EtcdKeyValue } from './types.ts';

const DEFAULT_TIMEOUT_MS = 5000;
/** A connection with open streams is asked for a sign of life this often, and given up when none comes for as long. */
const PING_MS = 1500;

/** Made again by the next call, as etcd's own client does with reads: there is a leader once this has been said. */
const LEADER_CHANGED = 'etcdserver: leader changed';

/**
 * A client of one etcd member. Errors are ConnectErrors with etcd's code and text (`rawMessage`: "etcdserver: …");
 * an unreachable member is `Unavailable`, a call that took too long `DeadlineExceeded`. Reads that failed because the leader
 * changed are made again within their deadline; writes never are, as nobody knows whether they happened.
 */
export function createEtcdClient(options: EtcdClientOptions): EtcdClient {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { serverName } = options;
  const session = new HeardSessions(
    options.endpoint,
    { pingIntervalMs: PING_MS, pingTimeoutMs: PING_MS },
    {
      ...options.tls,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(serverName === undefined
        ? {}
        : { checkServerIdentity: (_host: string, cert) => checkServerIdentity(serverName, cert) }),
    },
  );
  let closed = false;
  const closing = (): ConnectError => new ConnectError('the etcd client was closed', Code.Canceled);
  const refuseWhenClosed: Interceptor = (next) => async (request) => {
    if (closed) throw closing();
    return await next(request);
  };
  const transport = createGrpcTransport({
    baseUrl: options.endpoint,
    sessionManager: session,
    interceptors: [refuseWhenClosed],
  });
  const [kv, lease, cluster, maintenance] = [
    createClient(KV, transport),
    createClient(Lease, transport),
    createClient(Cluster, transport),
    createClient(Maintenance, transport),
  ];
  const watchClient = createClient(Watch, transport);
  const unary: CallOptions = { timeoutMs };

  async function read<T>(call: (options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const deadline = systemClock.now() + timeoutMs;
    for (;;) {
      // Whole milliseconds: gRPC knows no others.
      const left = Math.max(1, Math.ceil(deadline - systemClock.now()));
      try {
        return await call({ timeoutMs: left, ...(signal === undefined ? {} : { signal }) });
      } catch (error) {
        if (ConnectError.from(error).rawMessage !== LEADER_CHANGED || systemClock.now() >= deadline) throw error;
      }
    }
  }

  async function* keepAlive(id: bigint, everyMs: number, signal: AbortSignal): AsyncGenerator<number> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    async function* requests() {
      for (;;) {
        yield { ID: id };
        await systemClock.sleep(everyMs, either).catch(() => {});
        if (either.aborted) return;
      }
    }
    try {
      for await (const { TTL } of lease.leaseKeepAlive(requests(), { signal: either })) {
        const left = Number(TTL);
        yield Math.max(0, left);
        if (left <= 0) return;
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      over.abort();
    }
    signal.throwIfAborted();
    throw new ConnectError('the member ended the keep-alive stream', Code.Unavailable);
  }

  return {
    range: async (key, range = {}, signal) => {
      const request = rangeRequest(key, range);
      const answer = await read((call) => kv.range(request, call), signal);
      const revision = answer.header?.revision ?? 0n;
      return { kvs: answer.kvs.map(keyValueOf), revision, more: answer.more, count: answer.count };
    },
    put: async (key, value, { lease: id } = {}) => {
      const answer = await kv.put({ key: bytes(key), value: bytes(value), lease: id ?? 0n }, unary);
      return { revision: answer.header?.revision ?? 0n };
    },
    delete: async (key, { prefix } = {}) => {
      const answer = await kv.deleteRange(keysOf(key, prefix), unary);
      return { deleted: answer.deleted, revision: answer.header?.revision ?? 0n };
    },
    txn: async (txn) => {
      const answer = await kv.txn(txnRequest(txn), unary);
      const gets = answer.responses.flatMap(({ response }): EtcdKeyValue[][] =>
        response.case === 'responseRange' ? [response.value.kvs.map(keyValueOf)] : [],
      );
      return { succeeded: answer.succeeded, revision: answer.header?.revision ?? 0n, gets };
    },
    compact: async (revision) => {
      await kv.compact({ revision }, unary);
    },
    watch: (key, watch, signal) =>
      openWatch(
        (requests: AsyncIterable<WatchRequest>, call) => watchClient.watch(requests, call),
        { ...keysOf(key, watch.prefix), startRevision: watch.fromRevision ?? 0n, prevKv: watch.previous ?? false },
        eventOf,
        signal,
      ),
    leaseGrant: async (ttlSeconds) => {
      const answer = await lease.leaseGrant({ TTL: BigInt(ttlSeconds) }, unary);
      return { id: answer.ID, ttlSeconds: Number(answer.TTL) };
    },
    leaseKeepAlive: keepAlive,
    leaseRevoke: async (id) => {
      await lease.leaseRevoke({ ID: id }, unary);
    },
    members: async ({ linearizable } = {}) => {
      const answer = await read((call) => cluster.memberList({ linearizable: linearizable ?? false }, call));
      return answer.members.map(memberOf);
    },
    memberAdd: async (peerURLs, isLearner) => {
      const answer = await cluster.memberAdd({ peerURLs: [...peerURLs], isLearner }, unary);
      if (answer.member === undefined) throw new ConnectError('etcd added a member and named none', Code.Internal);
      return { member: memberOf(answer.member), members: answer.members.map(memberOf) };
    },
    memberPromote: async (id) => {
      await cluster.memberPromote({ ID: id }, unary);
    },
    memberRemove: async (id) => {
      await cluster.memberRemove({ ID: id }, unary);
    },
    memberUpdate: async (id, peerURLs) => {
      await cluster.memberUpdate({ ID: id, peerURLs: [...peerURLs] }, unary);
    },
    setAlarm: async (memberID, alarm, state) => {
      const action = state === 'raised' ? AlarmRequest_AlarmAction.ACTIVATE : AlarmRequest_AlarmAction.DEACTIVATE;
      await maintenance.alarm({ memberID, alarm: AlarmType[alarm], action }, unary);
    },
    status: async () => {
      const { header, ...status } = await maintenance.status({}, unary);
      return { ...status, memberId: header?.memberId ?? 0n };
    },
    moveLeader: async (target) => {
      await maintenance.moveLeader({ targetID: target }, unary);
    },
    alarms: async () => {
      const answer = await maintenance.alarm({}, unary);
      return answer.alarms.map(({ memberID, alarm }) => ({
        memberId: memberID,
        alarm: alarm === AlarmType.CORRUPT ? 'CORRUPT' : 'NOSPACE',
      }));
    },
    disarm: async () => {
      const answer = await maintenance.alarm({ action: AlarmRequest_AlarmAction.DEACTIVATE }, unary);
      return answer.alarms.map(({ memberID, alarm }) => ({
        memberId: memberID,
        alarm: alarm === AlarmType.CORRUPT ? 'CORRUPT' : 'NOSPACE',
      }));
    },
    defragment: async () => {
      await maintenance.defragment({}, unary);
    },
    snapshot: async function* (signal) {
      const call = signal === undefined ? {} : { signal };
      for await (const { blob } of maintenance.snapshot({}, call)) yield blob;
    },
    close: () => {
      closed = true;
      session.abort(closing());
    },
  };
}
