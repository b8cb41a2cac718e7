/**
 * How long an effect may take before it counts as missing, milliseconds. All waits look often and end as soon as the effect is
 * there; these are only their ends. Kubernetes: the kubelet looks for changed static pods every 20 s, the old API server drains up to
 * 30 s, the new one needs up to 20 s. Talos: a VIP campaign starts within a second, after a lost quorum within 62 s.
 */
export const TIMINGS = {
  lookEveryMs: 120,
  cloudEveryMs: 600,
  apiServerMs: 240_000,
  /** The kubelet's poll and slack: no restart within it, with the new certificate served, means that none is coming. */
  noRestartMs: 25_000,
  vipMs: 150_000,
  /** A run that was killed a moment ago may have left an API server restarting. */
  firstLookMs: 45_000,
  gatesMs: 90_000,
  proofMs: 120_000,
  goodInARow: 3,
  applyBusyMs: 20_000,
} as const;
