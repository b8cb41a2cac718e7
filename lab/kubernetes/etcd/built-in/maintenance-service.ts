import { crc32 } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  AlarmMemberSchema,
  AlarmRequest_AlarmAction as Action,
  AlarmType,
  type AlarmMember,
  type Maintenance,
} from '../generated/etcd/rpc_pb.ts';
import { refuse } from './errors.ts';
import { admit, headerOf, VERSION, type Served } from './served.ts';
import { snapshotOf } from './snapshot.ts';

/** Pages of an empty database, roughly: a size of 0 would read as broken. */
const EMPTY_DATABASE = 20_480;
const CHUNK = 32 * 1024;

export function maintenanceService(served: Served): ServiceImpl<typeof Maintenance> {
  const { cluster, member: self } = served;
  const header = () => headerOf(served);
  const size = (): bigint => BigInt(EMPTY_DATABASE + cluster.store.bytes);
  return {
    status: () => ({
      header: header(),
      version: VERSION,
      dbSize: size(),
      dbSizeInUse: size(),
      leader: cluster.leaderFor(self),
      raftIndex: cluster.index,
      raftTerm: cluster.term,
      raftAppliedIndex: cluster.index,
      isLearner: self.isLearner,
      storageVersion: '3.6.0',
      errors: [
        ...(cluster.leaderFor(self) === 0n ? ['etcdserver: no leader'] : []),
        ...cluster.alarms.map(
          ({ memberID, alarm }) => `memberID:${memberID} alarm:${alarm === AlarmType.NOSPACE ? 'NOSPACE' : 'CORRUPT'} `,
        ),
      ],
    }),
    alarm: async (request, context) => {
      admit(served, context);
      const { memberID, alarm } = request;
      const matches = (one: AlarmMember): boolean =>
        (memberID === 0n || one.memberID === memberID) && (alarm === AlarmType.NONE || one.alarm === alarm);
      return await cluster.propose(self, context.signal, () => {
        const found = cluster.alarms.filter(matches);
        if (request.action === Action.ACTIVATE && alarm !== AlarmType.NONE && found.length === 0) {
          const raised = create(AlarmMemberSchema, { memberID: memberID === 0n ? self.id : memberID, alarm });
          cluster.alarms.push(raised);
          return { alarms: [raised], header: header() };
        }
        if (request.action === Action.DEACTIVATE) {
          for (const one of found) cluster.alarms.splice(cluster.alarms.indexOf(one), 1);
        }
        return { alarms: found, header: header() };
      });
    },
    // There is no file to tidy up; etcd answers with no more than this too.
    defragment: (_request, context) => {
      admit(served, context);
      return { header: header() };
    },
    /** Equal on all members with equal data, as etcd's; the number itself is not the one that etcd would compute. */
    hashKV: (request, context) => {
      admit(served, context);
      const { store } = cluster;
      const upTo = request.revision > 0n ? request.revision : store.revision;
      if (upTo > store.revision) throw refuse('futureRevision');
      if (upTo < store.compacted) throw refuse('compacted');
      let hash = crc32('key');
      for (const version of store.versions()) {
        if (version.mod > upTo) continue;
        hash = crc32(
          version.value,
          crc32(`${version.key}\0${version.mod}\0${version.version}\0${version.lease}`, hash),
        );
      }
      return { hash, compactRevision: store.compacted, header: header() };
    },
    async *snapshot(_request, context) {
      admit(served, context);
      const file = snapshotOf(cluster);
      for (let sent = 0; sent < file.length; sent += CHUNK) {
        const blob = file.subarray(sent, sent + CHUNK);
        yield { blob, remainingBytes: BigInt(file.length - sent - blob.length), header: header() };
      }
    },
    moveLeader: async ({ targetID }, context) => {
      admit(served, context);
      if (cluster.leaderFor(self) !== self.id) throw refuse('notLeader');
      const target = cluster.members.get(targetID);
      if (target === undefined || target.isLearner) throw refuse('badTransferee');
      if (target.run === undefined) {
        await served.clock.sleep(1000, context.signal);
        throw refuse('transferTimedOut');
      }
      cluster.moveTo(target);
      return { header: header() };
    },
  };
}
