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

/** Talos' own figures at speed 1, milliseconds unless named otherwise. */
export interface TalosKnobs {
  readonly bootMs: number;
  readonly kubeletPollMs: number;
  readonly podStatusPollMs: number;
  readonly etcdHealthMs: number;
  readonly joinRetryMs: number;
  readonly promoteRetryMs: number;
  readonly campaignRetryMs: number;
  readonly sessionTtlSeconds: number;
  readonly podGraceMs: number;
  readonly heartbeatMs: number;
  readonly cloudRetryBaseMs: number;
  /** How the kernel of the image names links: `predictable` enp1s0 and enp7s0, `kernel` eth0 and eth1. */
  readonly linkNames: 'predictable' | 'kernel';
}

export const DEFAULT_TALOS_KNOBS: TalosKnobs = {
  // Guess: a Hetzner machine needs 40-120 s to boot; the lab's stands for the part after the kernel.
  bootMs: 6_000,
  kubeletPollMs: 20_000,
  podStatusPollMs: 15_000,
  etcdHealthMs: 20_000,
  joinRetryMs: 3_000,
  // Guess: Talos tries again "constantly"; the unit is not known for sure.
  promoteRetryMs: 2_500,
  campaignRetryMs: 1_000,
  sessionTtlSeconds: 60,
  podGraceMs: 30_000,
  heartbeatMs: 10_000,
  cloudRetryBaseMs: 1_000,
  linkNames: 'predictable',
};

/**
 * The figures at the lab's speed. etcd grants no lease below 2 s, so neither does the session; a stop that was cut
 * shorter than 5 s would kill API servers that only drain.
 */
export function timingsAt(speed: number, knobs: TalosKnobs = DEFAULT_TALOS_KNOBS): Timings {
  const scaled = (ms: number): number => ms / speed;
  return {
    bootMs: scaled(knobs.bootMs),
    kubeletPollMs: scaled(knobs.kubeletPollMs),
    podStatusPollMs: scaled(knobs.podStatusPollMs),
    etcdHealthMs: scaled(knobs.etcdHealthMs),
    joinRetryMs: scaled(knobs.joinRetryMs),
    promoteRetryMs: scaled(knobs.promoteRetryMs),
    campaignRetryMs: scaled(knobs.campaignRetryMs),
    sessionTtlSeconds: Math.max(2, Math.ceil(knobs.sessionTtlSeconds / speed)),
    podGraceMs: Math.max(5_000, scaled(knobs.podGraceMs)),
    heartbeatMs: scaled(knobs.heartbeatMs),
    cloudRetryBaseMs: scaled(knobs.cloudRetryBaseMs),
  };
}
