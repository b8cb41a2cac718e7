import type { Clock } from '../../../src/base/clock.ts';
import type { EtcdClient, EtcdKeyValue } from '../../kubernetes/etcd/types.ts';

/**
 * The election of etcd's concurrency package, as Talos' shared IP uses it: one key per candidate under a prefix, each
 * held by a lease, and the oldest one leads.
 */
export interface Session {
  readonly lease: bigint;
  /** Resolves when the lease can no longer be counted on: it is gone, or was not renewed for its whole time. */
  readonly lost: Promise<void>;
  /** Ends the keep-alive; with `revoke`, tells etcd too (bounded by the client's deadline). */
  close(revoke: boolean): Promise<void>;
}

/** Opens a lease of `ttlSeconds`, or goes on with one that is there, and renews it three times within its time. */
export async function openSession(
  client: EtcdClient,
  clock: Clock,
  ttlSeconds: number,
  existing?: bigint,
): Promise<Session> {
  const { id, ttlSeconds: granted } =
    existing === undefined ? await client.leaseGrant(ttlSeconds) : { id: existing, ttlSeconds };
  const stop = new AbortController();
  let deadline = clock.now() + granted * 1000;
  const renew = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        for await (const ttl of client.leaseKeepAlive(id, (granted * 1000) / 3, stop.signal)) {
          if (ttl <= 0) return;
          deadline = clock.now() + ttl * 1000;
        }
      } catch {
        // The member is away or sees no leader: the deadline decides how long that may last.
      }
      await pause(clock, Math.min(500, (granted * 1000) / 6), stop.signal);
    }
  };
  const watch = async (): Promise<void> => {
    while (!stop.signal.aborted && clock.now() < deadline) {
      await pause(clock, Math.min(500, Math.max(1, deadline - clock.now())), stop.signal);
    }
  };
  const lost = Promise.race([renew(), watch()]).then(() => stop.abort());
  return {
    lease: id,
    lost,
    async close(revoke) {
      stop.abort();
      if (revoke) await client.leaseRevoke(id).catch(() => {});
    },
  };
}

export const electionPrefix = (ip: string): string => `talos:v1:vip:election:${ip}`;

/** The candidate that leads now: the oldest key. */
export async function currentLeader(client: EtcdClient, prefix: string): Promise<EtcdKeyValue | undefined> {
  const { kvs } = await client.range(`${prefix}/`, { prefix: true, sort: 'create-ascending', limit: 1 });
  return kvs[0];
}

export interface Candidacy {
  readonly key: string;
  readonly revision: bigint;
}

/** Queues up. The key is there when this resolves; `untilElected` waits for the turn. */
export async function standForElection(
  client: EtcdClient,
  session: Session,
  prefix: string,
  value: string,
): Promise<Candidacy> {
  const key = `${prefix}/${session.lease.toString(16)}`;
  const { succeeded, revision, gets } = await client.txn({
    compare: [{ key, createRevision: 0n }],
    success: [{ kind: 'put', key, value, lease: session.lease }],
    failure: [{ kind: 'get', key }],
  });
  return { key, revision: succeeded ? revision : (gets[0]?.[0]?.createRevision ?? revision) };
}

/** Resolves when every older key of the queue is gone. A watch that ends is begun anew. */
export async function untilElected(
  client: EtcdClient,
  clock: Clock,
  prefix: string,
  candidacy: Candidacy,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { kvs, revision } = await client.range(`${prefix}/`, { prefix: true, sort: 'create-ascending' }, signal);
    const before = kvs.findLast((kv) => kv.createRevision < candidacy.revision);
    if (before === undefined) {
      if (kvs.some((kv) => kv.key === candidacy.key)) return;
      throw new Error('election: session expired');
    }
    await untilDeleted(client, before.key, revision + 1n, signal);
    if (!signal.aborted) await pause(clock, 1, signal);
  }
}

async function untilDeleted(client: EtcdClient, key: string, fromRevision: bigint, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  try {
    for await (const { events } of client.watch(key, { fromRevision }, both)) {
      if (events.some((event) => event.type === 'delete')) return;
    }
  } catch (error) {
    if (signal.aborted) throw error;
  } finally {
    stop.abort();
  }
}

/** Resolves with the name of the leader once that is another than `own`; never while nobody leads. */
export async function untilOtherLeader(
  client: EtcdClient,
  clock: Clock,
  prefix: string,
  own: string,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const { kvs, revision } = await client.range(
        `${prefix}/`,
        { prefix: true, sort: 'create-ascending', limit: 1 },
        signal,
      );
      const leader = kvs[0] === undefined ? undefined : new TextDecoder().decode(kvs[0].value);
      if (leader !== undefined && leader !== own) return leader;
      for await (const { events } of client.watch(
        `${prefix}/`,
        { prefix: true, fromRevision: revision + 1n },
        signal,
      )) {
        if (events.length > 0) break;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      await clock.sleep(200, signal);
    }
  }
}

/** Gives the place in the queue up. */
export async function resign(client: EtcdClient, candidacy: Candidacy): Promise<void> {
  await client.txn({
    compare: [{ key: candidacy.key, createRevision: candidacy.revision }],
    success: [{ kind: 'delete', key: candidacy.key }],
    failure: [],
  });
}

const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> => clock.sleep(ms, signal).catch(() => {});
