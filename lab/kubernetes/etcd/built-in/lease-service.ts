import type { ServiceImpl } from '@connectrpc/connect';
import { type Lease } from '../generated/etcd/rpc_pb.ts';
import { refuseWhenAlarmed } from './alarms.ts';
import { bytesOf } from './keys.ts';
import { admit, headerOf, type Served } from './served.ts';

/** Positive, and small enough for a signed 64-bit number, as etcd's are. */
const newId = (random: () => number): bigint =>
  (BigInt(Math.floor(random() * 2 ** 31)) << 32n) | BigInt(1 + Math.floor(random() * (2 ** 32 - 1)));

export function leaseService(served: Served): ServiceImpl<typeof Lease> {
  const { cluster } = served;
  const header = () => headerOf(served);
  return {
    leaseGrant: async (request, context) => {
      admit(served, context);
      return await cluster.propose(served.member, context.signal, () => {
        refuseWhenAlarmed(cluster.alarms, 'grows');
        const ID = request.ID === 0n ? newId(() => cluster.random.next()) : request.ID;
        const TTL = cluster.leases.grant(ID, request.TTL, cluster.now);
        cluster.leaseGranted();
        return { ID, TTL, header: header() };
      });
    },
    leaseRevoke: async (request, context) => {
      admit(served, context);
      return await cluster.propose(served.member, context.signal, () => {
        refuseWhenAlarmed(cluster.alarms, 'changes');
        cluster.removeKeysOfLease(request.ID);
        return { header: header() };
      });
    },
    async *leaseKeepAlive(requests, context) {
      admit(served, context);
      for await (const { ID } of requests) {
        const TTL = await cluster.askLeader(served.member, context.signal, () => ({
          ttl: cluster.leases.renew(ID, cluster.now),
        }));
        yield { ID, TTL: TTL.ttl ?? 0n, header: header() };
      }
    },
    leaseTimeToLive: async (request, context) => {
      admit(served, context);
      const { ID } = request;
      const { found } = await cluster.askLeader(served.member, context.signal, () => ({
        found: cluster.leases.look(ID, cluster.now),
      }));
      if (found === undefined) return { ID, TTL: -1n, header: header() };
      const keys = request.keys ? found.keys.map(bytesOf) : [];
      return { ID, TTL: found.leftSeconds, grantedTTL: found.grantedSeconds, keys, header: header() };
    },
    leaseLeases: async (_request, context) => {
      admit(served, context);
      return await Promise.resolve({ leases: cluster.leases.all().map(({ id }) => ({ ID: id })), header: header() });
    },
  };
}
