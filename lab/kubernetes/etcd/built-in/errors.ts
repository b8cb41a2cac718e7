import { Code, ConnectError } from '@connectrpc/connect';

/**
 * etcd's own refusals, with its codes and its texts: clients (kube-apiserver, etcdctl, Talos) match on the texts.
 * As etcd 3.4 to 3.6 send them.
 */
const REFUSALS = {
  emptyKey: [Code.InvalidArgument, 'etcdserver: key is not provided'],
  keyNotFound: [Code.InvalidArgument, 'etcdserver: key not found'],
  valueProvided: [Code.InvalidArgument, 'etcdserver: value is provided'],
  leaseProvided: [Code.InvalidArgument, 'etcdserver: lease is provided'],
  tooManyOps: [Code.InvalidArgument, 'etcdserver: too many operations in txn request'],
  duplicateKey: [Code.InvalidArgument, 'etcdserver: duplicate key given in txn request'],
  compacted: [Code.OutOfRange, 'etcdserver: mvcc: required revision has been compacted'],
  futureRevision: [Code.OutOfRange, 'etcdserver: mvcc: required revision is a future revision'],
  noSpace: [Code.ResourceExhausted, 'etcdserver: mvcc: database space exceeded'],
  corrupt: [Code.DataLoss, 'etcdserver: corrupt cluster'],
  leaseNotFound: [Code.NotFound, 'etcdserver: requested lease not found'],
  leaseExists: [Code.FailedPrecondition, 'etcdserver: lease already exists'],
  leaseTtlTooLarge: [Code.OutOfRange, 'etcdserver: too large lease TTL'],
  peerUrlExists: [Code.FailedPrecondition, 'etcdserver: Peer URLs already exists'],
  badPeerUrls: [Code.InvalidArgument, 'etcdserver: given member URLs are invalid'],
  memberNotFound: [Code.NotFound, 'etcdserver: member not found'],
  notALearner: [Code.FailedPrecondition, 'etcdserver: can only promote a learner member'],
  learnerNotReady: [
    Code.FailedPrecondition,
    'etcdserver: can only promote a learner member which is in sync with leader',
  ],
  tooManyLearners: [Code.FailedPrecondition, 'etcdserver: too many learner members in cluster'],
  notEnoughStarted: [Code.FailedPrecondition, 'etcdserver: re-configuration failed due to not enough started members'],
  unhealthy: [Code.Unavailable, 'etcdserver: unhealthy cluster'],
  noLeader: [Code.Unavailable, 'etcdserver: no leader'],
  notLeader: [Code.FailedPrecondition, 'etcdserver: not leader'],
  leaderChanged: [Code.Unavailable, 'etcdserver: leader changed'],
  badTransferee: [Code.FailedPrecondition, 'etcdserver: bad leader transferee'],
  transferTimedOut: [Code.Unavailable, 'etcdserver: request timed out, leader transfer took too long'],
  timedOut: [Code.Unavailable, 'etcdserver: request timed out'],
  timedOutLeaderFailed: [Code.Unavailable, 'etcdserver: request timed out, possibly due to previous leader failure'],
  stopped: [Code.Unavailable, 'etcdserver: server stopped'],
  learner: [Code.Unavailable, 'etcdserver: rpc not supported for learner'],
} as const satisfies Record<string, readonly [Code, string]>;

export type Refusal = keyof typeof REFUSALS;

export const refuse = (which: Refusal): ConnectError => new ConnectError(REFUSALS[which][1], REFUSALS[which][0]);

/** The bare text, for places that carry it in a message (a cancelled watch). */
export const refusalText = (which: Refusal): string => REFUSALS[which][1];
