import { claims, controlPlanes, etcdLeader } from '../model/cluster.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';

/**
 * The order in which control planes are disturbed: followers, the etcd leader, the node that the address leads to. An API server
 * that restarts on the holder is felt through the endpoint, so it comes when all others are done.
 */
export function rollOrder(
  observation: Observation,
  ip: string | undefined,
  assignedTo: number | null,
): readonly NodeObservation[] {
  const leader = etcdLeader(observation);
  const weight = (node: NodeObservation): number => {
    const holds = (ip !== undefined && claims(node, ip)) || (assignedTo !== null && node.server?.id === assignedTo);
    return holds ? 2 : node === leader ? 1 : 0;
  };
  return controlPlanes(observation).toSorted((a, b) => weight(a) - weight(b) || a.name.localeCompare(b.name, 'en'));
}
