import type { Clock } from '../../src/base/clock.ts';
import { balancerLimits, startBalancers } from '../balancer/balancers.ts';
import type { Balancers } from '../balancer/types.ts';
import type { CloudEffects } from '../cloud/types.ts';
import { DNS_LIMITS, startDnsServer } from '../dns/server.ts';
import type { DnsOptions } from '../dns/types.ts';
import type { Fabric } from '../fabric/types.ts';
import type { KnobValues } from '../knobs/knobs.ts';
import { METADATA_LIMITS } from '../metadata/server.ts';
import type { Audit } from './audit.ts';
import { createStrangers, type Strangers } from './strangers.ts';

export interface DataPlanePorts {
  readonly clock: Clock;
  readonly speed: number;
  readonly fabric: Fabric;
  readonly audit: Audit;
  readonly dnsFault?: DnsOptions['fault'];
  readonly knobs?: Pick<KnobValues, 'balancer' | 'dns'>;
  /** The name server's, where it has one already. */
  readonly dnsAddress?: string;
  readonly log: (line: string) => void;
}

/** What serves beside the machines: load balancers, the name server, and those who got addresses we gave back. */
export interface DataPlane {
  readonly dns: { readonly address: string; readonly port: number };
  readonly strangers: Strangers;
  readonly balancers: Pick<Balancers, 'states'>;
  readonly limits: readonly string[];
  /** What successful actions do to balancers and zones. */
  readonly effects: Pick<
    Required<CloudEffects>,
    'loadBalancerChanged' | 'loadBalancerDeleted' | 'zoneChanged' | 'zoneDeleted'
  >;
  close(): Promise<void>;
}

/** 53 needs root, which the lab is only inside namespaces of its own. */
const dnsPort = (fabric: Fabric): number => (fabric.kind === 'netns' ? 53 : 8053);

export async function startDataPlane(ports: DataPlanePorts): Promise<DataPlane> {
  const { clock, speed, fabric, audit, log, knobs } = ports;
  const balancers = startBalancers({ clock, speed, fabric, log, ...(knobs && { knobs: knobs.balancer }) });
  const dns = await startDnsServer({
    address: ports.dnsAddress ?? fabric.allocate('service'),
    port: dnsPort(fabric),
    clock,
    speed,
    audit,
    log,
    ...(knobs && { knobs: knobs.dns }),
    ...(ports.dnsFault === undefined ? {} : { fault: ports.dnsFault }),
  });
  const strangers = createStrangers({ fabric, clock });
  return {
    dns: { address: dns.address, port: dns.port },
    strangers,
    balancers,
    limits: [...balancerLimits(fabric), ...DNS_LIMITS, ...(fabric.kind === 'netns' ? [] : METADATA_LIMITS)],
    effects: {
      loadBalancerChanged: (balancer) => balancers.apply(balancer),
      loadBalancerDeleted: (balancer) => balancers.remove(balancer.id),
      zoneChanged: async (zone) => dns.apply(zone),
      zoneDeleted: async (zone) => dns.remove(zone.id),
    },
    async close() {
      await Promise.all([balancers.close(), dns.close(), strangers.close()]);
    },
  };
}
