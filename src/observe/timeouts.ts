/** How long each kind of question may take, milliseconds. A dead node costs its first one only. */
export interface Timeouts {
  readonly cloudMs: number;
  readonly talosFirstMs: number;
  readonly talosMs: number;
  readonly kubernetesMs: number;
  /** Less than that of the call around it. */
  readonly workloadsMs: number;
  readonly probeMs: number;
  readonly dnsMs: number;
}

export const TIMEOUTS: Timeouts = {
  cloudMs: 15_000,
  talosFirstMs: 3_000,
  talosMs: 5_000,
  kubernetesMs: 3_000,
  workloadsMs: 2_000,
  probeMs: 3_000,
  dnsMs: 3_000,
};
