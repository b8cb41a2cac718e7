import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import type { Clock } from '../../../../src/base/clock.ts';
import { ResponseHeaderSchema, type ResponseHeader } from '../generated/etcd/rpc_pb.ts';
import type { Cluster } from './cluster.ts';
import { refuse } from './errors.ts';
import type { MemberRecord, MemberRun } from './membership.ts';

/** What `Status` says. A semantic version, as clients parse it; the pre-release part says whose it is. */
export const VERSION = '3.6.0-built-in';

/** A member as its services see it. */
export interface Served {
  readonly cluster: Cluster;
  readonly member: MemberRecord;
  readonly run: MemberRun;
  readonly clock: Clock;
}

export const headerOf = ({ cluster, member }: Served): ResponseHeader =>
  create(ResponseHeaderSchema, {
    clusterId: cluster.id,
    memberId: member.id,
    revision: cluster.revisionFor(member),
    raftTerm: cluster.term,
  });

/** Puts the header of this moment on an answer. */
export function stamp<T extends { header?: ResponseHeader | undefined }>(served: Served, answer: T): T {
  answer.header = headerOf(served);
  return answer;
}

/** The client wants to be refused rather than to wait when the member knows of no leader. */
export const wantsLeader = (context: HandlerContext): boolean => context.requestHeader.get('hasleader') === 'true';

/** What every call but Status and serializable reads asks first. */
export function admit({ cluster, member }: Served, context: HandlerContext): void {
  if (member.isLearner) throw refuse('learner');
  if (wantsLeader(context) && cluster.leaderFor(member) === 0n) throw refuse('noLeader');
}
