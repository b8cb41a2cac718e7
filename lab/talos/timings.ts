/** Times of a Talos node, milliseconds unless named otherwise, already divided by the lab's speed. */
export interface Timings {
  readonly bootMs: number;
  /** The kubelet's look at its list of static pods. */
  readonly kubeletPollMs: number;
  /** Talos' look at the kubelet's list of running pods. */
  readonly podStatusPollMs: number;
  readonly etcdHealthMs: number;
  readonly joinRetryMs: number;
  readonly promoteRetryMs: number;
  readonly campaignRetryMs: number;
  readonly sessionTtlSeconds: number;
  /** Bound of an orderly stop of a static pod before it is killed. */
  readonly podGraceMs: number;
  readonly heartbeatMs: number;
  readonly cloudRetryBaseMs: number;
}

/**
 * Talos' own figures at speed 1, with what has to be guessed marked. etcd grants no lease below 2 s, so neither does the
 * session; a stop that was cut shorter than 5 s would kill API servers that only drain.
 */
export function timingsAt(speed: number): Timings {
  const scaled = (ms: number): number => ms / speed;
  return {
    // Guess: a Hetzner machine needs 40-120 s to boot; the lab's stands for the part after the kernel.
    bootMs: scaled(6_000),
    kubeletPollMs: scaled(20_000),
    podStatusPollMs: scaled(15_000),
    etcdHealthMs: scaled(20_000),
    joinRetryMs: scaled(3_000),
    // Guess: Talos tries again "constantly"; the unit is not known for sure.
    promoteRetryMs: scaled(10_000),
    campaignRetryMs: scaled(1_000),
    sessionTtlSeconds: Math.max(2, Math.ceil(60 / speed)),
    podGraceMs: Math.max(5_000, scaled(30_000)),
    heartbeatMs: scaled(10_000),
    cloudRetryBaseMs: scaled(1_000),
  };
}
