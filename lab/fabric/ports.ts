import type { HostCondition } from './types.ts';

/**
 * The ports of a Talos machine: Kubernetes API, apid and trustd, etcd client and peer. They are held on every address from
 * the start, so that an address that is off swallows there; a machine that listens on more has those held once it has.
 */
export const HOST_PORTS: readonly number[] = [6443, 50000, 50001, 2379, 2380];

/** Behind a machine: where the lab answers what a machine reads about itself. No process of a machine listens there. */
export const METADATA_PORT = 8170;

/** Lower ports need root, which a lab does not. */
export const LEAST_PORT = 1024;

/** What the fabric has to know about the machine an address leads to. */
export interface HostFacts {
  readonly hidden: string;
  readonly condition: HostCondition;
  readonly claimed: ReadonlySet<string>;
  readonly open: ReadonlySet<number>;
  /** Ports beyond HOST_PORTS that it has ever listened on. */
  readonly others: ReadonlySet<number>;
}

/** What a port that is not refused does: connects to the process, or accepts and says nothing. */
export type PortState = { readonly kind: 'forward'; readonly hidden: string } | { readonly kind: 'hang' };

/** What an address does. A port that is not in `ports` is refused. */
export type AddressState =
  | { readonly kind: 'silent' }
  | { readonly kind: 'alive'; readonly ports: ReadonlyMap<number, PortState> };

/** What clients of an address see, from the four facts that decide it (see Fabric). */
export function wantedState(address: string, host: HostFacts | undefined): AddressState {
  if (host === undefined || host.condition === 'off' || !host.claimed.has(address)) return { kind: 'silent' };
  const ports = new Map<number, PortState>();
  const held = [...HOST_PORTS, ...host.others];
  if (host.condition === 'hung') for (const port of held) ports.set(port, { kind: 'hang' });
  if (host.condition === 'up')
    for (const port of held) if (host.open.has(port)) ports.set(port, { kind: 'forward', hidden: host.hidden });
  return { kind: 'alive', ports };
}
