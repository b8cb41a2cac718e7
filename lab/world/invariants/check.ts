import type { Clock } from '../../../src/base/clock.ts';
import type { FaultReport } from '../../faults/types.ts';
import type { Secrets } from '../../provisioner/types.ts';
import type { LabInfo } from '../info.ts';
import type { Machine } from '../machines.ts';
import { certificateViolations } from './certificates.ts';
import { listenViolations } from './listening.ts';
import { memberViolations } from './members.ts';
import { secretViolations } from './secrets.ts';

export interface InvariantPorts {
  readonly clock: Clock;
  readonly info: () => LabInfo;
  readonly machines: () => readonly Machine[];
  readonly faults: () => readonly FaultReport[];
  readonly secrets: Secrets;
  readonly tokens: Readonly<Record<'own' | 'node' | 'readOnly', string>>;
  /** Control planes it was founded with. */
  readonly controlPlanes: number;
}

/** How long what is on its way may take to arrive, milliseconds. */
const SETTLES_MS = 5_000;

/**
 * What is not as it has to be in any lab, a sentence each: at most one machine gets an address' packets and answers to them;
 * secrets stand in no log; nothing listens outside the lab's own range. And where no fault is set and all control planes
 * are ready: at most one machine has a floating IP on a link, etcd's members are the control planes, and certificates are
 * signed by the cluster's authorities.
 */
export async function checkInvariants(ports: InvariantPorts): Promise<readonly string[]> {
  const lasting = [
    ...effectiveViolations(ports),
    ...(await secretViolations(ports)),
    ...(await listenViolations(ports)),
  ];
  const deadline = ports.clock.now() + SETTLES_MS;
  for (;;) {
    const quiet = isQuiet(ports);
    const found = quiet
      ? [...claimViolations(ports), ...(await memberViolations(ports)), ...(await certificateViolations(ports))]
      : [];
    // Something came or went while it was looked at: then it was not quiet.
    if (found.length === 0 || !isQuiet(ports)) return lasting;
    if (ports.clock.now() >= deadline) return [...lasting, ...found];
    await ports.clock.sleep(250);
  }
}

/** No fault is set, and as many control planes as there were at first are there and ready. */
function isQuiet({ faults, machines, controlPlanes }: InvariantPorts): boolean {
  const planes = machines().filter(({ node }) => node.role === 'control-plane');
  return (
    faults().length === 0 && planes.length === controlPlanes && planes.every(({ node }) => node.info().ready === true)
  );
}

function effectiveViolations({ info, machines }: InvariantPorts): string[] {
  return info().floatingIPs.flatMap(({ ip, routedTo }) => {
    const answering = machines().filter(
      ({ host, server }) => host.condition === 'up' && host.claimed.includes(ip) && server.name === routedTo,
    );
    return answering.length > 1 ? [`${ip} leads to ${answering.map(({ server }) => server.name).join(' and ')}`] : [];
  });
}

const claimViolations = ({ info }: InvariantPorts): string[] =>
  info().floatingIPs.flatMap(({ ip, claimedBy }) =>
    claimedBy.length > 1 ? [`${ip} is on a link of ${claimedBy.join(' and ')}, and no fault is set`] : [],
  );
