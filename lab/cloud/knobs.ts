import type { Era } from './types.ts';

/** A time in milliseconds, drawn evenly from [least, most]; divided by the lab's speed. */
export type Delay = readonly [least: number, most: number];

/**
 * What is not known for certain about Hetzner's API, or differs from project to project, gathered in one place.
 * `guess` in a comment means: no document and no client says it; the value is what fits best with what they do say.
 */
export interface CloudKnobs {
  /** How long an action runs before its effect lands. No official figure exists for any of them: guess, from users' reports. */
  readonly delays: {
    readonly assign: Delay;
    readonly unassign: Delay;
    readonly createServer: Delay;
    readonly startServer: Delay;
    readonly deleteServer: Delay;
    readonly power: Delay;
    readonly network: Delay;
    readonly setting: Delay;
    readonly createImage: Delay;
    readonly createLoadBalancer: Delay;
    readonly loadBalancer: Delay;
    readonly firewall: Delay;
    readonly zone: Delay;
    /** How long label selectors take to follow labels: "within seconds". */
    readonly labelSelector: Delay;
  };
  /** Per project; Hetzner raises them on request. */
  readonly quotas: {
    readonly servers: number;
    readonly floatingIPs: number;
    readonly floatingIPsPerServer: number;
    readonly primaryIPs: number;
    readonly networks: number;
    readonly loadBalancers: number;
    readonly firewalls: number;
    readonly firewallsPerServer: number;
    readonly rulesPerFirewall: number;
    readonly placementGroups: number;
    readonly serversPerPlacementGroup: number;
    readonly certificates: number;
    readonly sshKeys: number;
    readonly zones: number;
    readonly recordsPerZone: number;
  };
  /** One bucket per project, shared by all its tokens. Some projects report 7200. */
  readonly rateLimit: { readonly capacity: number; readonly refillPerSecond: number };
  /** Assigning an address to the server that has it already. The documented `floating_ip_assigned` does not say when: guess. */
  readonly assignToHolder: 'ok' | 'floating_ip_assigned';
  /** Whether a running assign locks the server too, or only the address: guess. */
  readonly assignLocksServer: boolean;
  /** Unassigning an address that is nowhere is an error "without a code of its own": status and code are a guess. */
  readonly unassignUnassigned: { readonly status: number; readonly code: string };
  /** Assigning across network zones: status and code are a guess. */
  readonly crossZone: { readonly status: number; readonly code: string };
  /** A floating IP needs a server with a Primary IP of its family; how the refusal reads is a guess. */
  readonly noPrimaryIP: { readonly status: number; readonly code: string };
  /**
   * Targets of type `ip` have to be dedicated servers of the same account. The lab has none: which addresses pass for
   * one ('any' = all that are not the cloud's own) is a guess by nature.
   */
  readonly robotAddresses: 'any' | readonly string[];
  /** Upper bounds of a health check, in seconds and counts; no document names them: guess. */
  readonly healthCheckLimits: { readonly interval: number; readonly timeout: number; readonly retries: number };
  /** A server that a label selector finds but that is not in the balancer's network: guess. */
  readonly selectorSkipsUnattached: boolean;
  /** `add_records` with a TTL other than the record set has: it is said to have to match; how the refusal reads is a guess. */
  readonly addRecordsTTL: 'refuse' | 'keep';
  /**
   * A zone file without an SOA or without Hetzner's name servers, or of another origin. The rules ask for all three;
   * real clients are seen to send less, so here they are added and the origin is the zone's: guess.
   */
  readonly incompleteZonefile: 'complete' | 'refuse';
  /** What a zone says of its delegation; the lab has no registry to ask. */
  readonly delegationStatus: 'valid' | 'partially-valid' | 'invalid' | 'lame' | 'unregistered' | 'unknown';
  /** A write with a read-only token. `token_readonly` (401) gave way to `forbidden`; the status of the new one is a guess. */
  readonly readOnlyWrite: Readonly<Record<Era, { readonly status: number; readonly code: string }>>;
  /** `per_page` above the limit: guess (refused; the other reading would be to cut it). */
  readonly perPageAboveLimit: 'refuse' | 'cut';
  /** A server shows `starting` and `stopping` while such an action runs: guess. */
  readonly transitionalStatus: boolean;
  /** Changing or deleting one of Hetzner's own images: status and code are a guess. */
  readonly changeOfSystemImage: { readonly status: number; readonly code: string };
  /** A backup of a server that has none enabled: status and code are a guess. */
  readonly backupWithoutWindow: { readonly status: number; readonly code: string };
  /** A password is set by an agent in the machine, which Talos has not: whether the action then fails is a guess. */
  readonly resetPassword: 'succeeds' | 'fails';
  /** Switching on what is on, or off what is off; and rebooting what is off: guess. */
  readonly powerThereAlready: 'succeeds' | 'fails';
  /** Whether applying a firewall or taking it off locks the server meanwhile: guess. */
  readonly firewallLocksServer: boolean;
  /** Whether a change of a zone keeps others from it meanwhile; clients change record sets side by side: guess. */
  readonly zoneLocks: boolean;
  /** Deleting a placement group that has servers: guess. */
  readonly placementGroupWithServers: 'leave' | 'refuse';
  /** `timeout_idle` of an http service that names none, in seconds: guess. */
  readonly defaultTimeoutIdle: number;
  /** What a target's health is right after its check was changed: guess. */
  readonly healthAfterCheckChange: 'unknown' | 'kept';
  /** Floating IPs are sorted by name when asked to; not documented, but Hetzner's own CLI asks: guess. */
  readonly sortFloatingIPsByName: boolean;
  /** `k!=v` and `k notin (…)` where there is no `k`; as in Kubernetes: guess. */
  readonly selectorMissingKey: 'matches' | 'fails';
  /** `status` of a member of a network, which came in October 2026: guess. */
  readonly networkMemberStatus: 'attached' | 'ready' | 'active';
  /** Largest request body in bytes: guess. */
  readonly bodyLimit: number;
}

export const DEFAULT_KNOBS: CloudKnobs = {
  delays: {
    assign: [1_000, 3_000],
    unassign: [1_000, 3_000],
    createServer: [10_000, 30_000],
    startServer: [1_000, 2_000],
    deleteServer: [2_000, 5_000],
    power: [1_000, 3_000],
    network: [1_000, 3_000],
    setting: [200, 600],
    createImage: [10_000, 60_000],
    createLoadBalancer: [5_000, 10_000],
    loadBalancer: [1_000, 3_000],
    firewall: [500, 1_500],
    zone: [200, 600],
    labelSelector: [1_000, 5_000],
  },
  // Documented: servers, floating IPs, balancers, firewalls, groups, zones and records. The others are a guess.
  quotas: {
    servers: 10,
    floatingIPs: 10,
    floatingIPsPerServer: 20,
    primaryIPs: 40,
    networks: 50,
    loadBalancers: 20,
    firewalls: 50,
    firewallsPerServer: 5,
    rulesPerFirewall: 50,
    placementGroups: 50,
    serversPerPlacementGroup: 10,
    certificates: 100,
    sshKeys: 100,
    zones: 25,
    recordsPerZone: 500,
  },
  rateLimit: { capacity: 3_600, refillPerSecond: 1 },
  assignToHolder: 'ok',
  assignLocksServer: true,
  unassignUnassigned: { status: 422, code: 'service_error' },
  crossZone: { status: 422, code: 'invalid_input' },
  noPrimaryIP: { status: 422, code: 'invalid_input' },
  robotAddresses: 'any',
  healthCheckLimits: { interval: 60, timeout: 60, retries: 5 },
  selectorSkipsUnattached: true,
  addRecordsTTL: 'refuse',
  incompleteZonefile: 'complete',
  delegationStatus: 'valid',
  readOnlyWrite: {
    '2025': { status: 401, code: 'token_readonly' },
    'until-2026-09': { status: 401, code: 'token_readonly' },
    'from-2026-10': { status: 403, code: 'forbidden' },
  },
  perPageAboveLimit: 'refuse',
  transitionalStatus: true,
  changeOfSystemImage: { status: 422, code: 'invalid_input' },
  backupWithoutWindow: { status: 422, code: 'invalid_input' },
  resetPassword: 'succeeds',
  powerThereAlready: 'succeeds',
  firewallLocksServer: false,
  zoneLocks: false,
  placementGroupWithServers: 'leave',
  defaultTimeoutIdle: 60,
  healthAfterCheckChange: 'unknown',
  sortFloatingIPsByName: true,
  selectorMissingKey: 'matches',
  networkMemberStatus: 'attached',
  bodyLimit: 1_048_576,
};
