import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServiceImpl } from '@connectrpc/connect';
import type { Cluster as ClusterService, MemberSchema } from '../generated/etcd/rpc_pb.ts';
import { refuse } from './errors.ts';
import { checkPeerURLs, idOf, refusesAdd, refusesPromote, refusesRemove, type MemberRecord } from './membership.ts';
import { admit, headerOf, type Served } from './served.ts';
import { TIMES } from './times.ts';

const messageOf = (member: MemberRecord): MessageInitShape<typeof MemberSchema> => ({
  ID: member.id,
  name: member.name,
  peerURLs: [...member.peerURLs],
  clientURLs: [...member.clientURLs],
  isLearner: member.isLearner,
});

export function membersService(served: Served): ServiceImpl<typeof ClusterService> {
  const { cluster, member: self, clock } = served;
  const list = () => [...cluster.members.values()].map(messageOf);
  const answer = () => ({ members: list(), header: headerOf(served) });
  const decide = <T>(signal: AbortSignal, change: () => T): Promise<T> =>
    cluster.propose(self, signal, change, Infinity);
  const find = (id: bigint): MemberRecord => {
    const found = cluster.members.get(id);
    if (found === undefined) throw refuse('memberNotFound');
    return found;
  };
  return {
    memberList: async (request, context) => {
      admit(served, context);
      return request.linearizable ? await cluster.read(self, context.signal, answer) : answer();
    },
    memberAdd: async ({ peerURLs, isLearner }, context) => {
      admit(served, context);
      checkPeerURLs(peerURLs);
      const check = (): void => {
        const refusal = refusesAdd(cluster.view(self), peerURLs, isLearner);
        if (refusal !== undefined) throw refuse(refusal);
      };
      check();
      return await decide(context.signal, () => {
        check();
        // With a grain of chance, so that a machine that comes back with its old address is another member.
        const id = idOf(peerURLs.toSorted().join(''), String(cluster.id), String(cluster.random.next()));
        const added = cluster.addRecord(id, peerURLs, isLearner);
        cluster.reconsider();
        return { ...answer(), member: messageOf(added) };
      });
    },
    memberRemove: async ({ ID }, context) => {
      admit(served, context);
      const check = (): MemberRecord => {
        const target = find(ID);
        const refusal = refusesRemove(cluster.view(self), target);
        if (refusal !== undefined) throw refuse(refusal);
        return target;
      };
      check();
      return await decide(context.signal, () => {
        const { run } = check();
        cluster.members.delete(ID);
        cluster.reconsider();
        // It still gets to hear that it is no member any more, and answers the call it may have made itself.
        if (run !== undefined) clock.sleep(TIMES.removedEndsMs).then(run.removed, () => {});
        return answer();
      });
    },
    memberUpdate: async ({ ID, peerURLs }, context) => {
      admit(served, context);
      checkPeerURLs(peerURLs);
      return await decide(context.signal, () => {
        const target = find(ID);
        const others = [...cluster.members.values()].filter((member) => member !== target);
        if (others.some((member) => member.peerURLs.some((url) => peerURLs.includes(url))))
          throw refuse('peerUrlExists');
        target.peerURLs = peerURLs;
        return answer();
      });
    },
    memberPromote: async ({ ID }, context) => {
      admit(served, context);
      return await cluster.askLeader(self, context.signal, () => {
        const target = find(ID);
        const refusal = refusesPromote(cluster.view(self), target, TIMES.learnerInSyncMs);
        if (refusal !== undefined) throw refuse(refusal);
        target.isLearner = false;
        cluster.reconsider();
        return answer();
      });
    },
  };
}
