/** Times of etcd with its defaults (heartbeat 100 ms, election 1000 ms), milliseconds. */
export const TIMES = {
  /** A follower that has not heard of its leader for one to two of these stands for election. */
  electionMs: 1000,
  /** After this a request is given up: 5 s and two elections. */
  requestMs: 7000,
  /** How often leases are looked at. */
  leaseCheckMs: 500,
  /** Without a leader for this long, streams that asked for one are ended. */
  leaderlessStreamMs: 3000,
  /** From a learner's start until it is "in sync with leader" in a small cluster. A guess, near what etcd 3.4 shows. */
  learnerInSyncMs: 700,
  /** A removed member's server ends this much later. */
  removedEndsMs: 1000,
} as const;
