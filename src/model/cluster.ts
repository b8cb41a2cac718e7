import { valueOf } from './fact.ts';
import type { NodeObservation, Observation } from './observation.ts';

/** Pure readings of an observation that several rooms need. */

export const controlPlanes = (observation: Observation): readonly NodeObservation[] =>
  observation.nodes.filter((node) => node.role === 'control-plane');

export const workers = (observation: Observation): readonly NodeObservation[] =>
  observation.nodes.filter((node) => node.role === 'worker');

/** The address without its prefix length. */
export const bareAddress = (cidr: string): string => cidr.split('/')[0] ?? cidr;

export const claims = (node: NodeObservation, ip: string): boolean =>
  (valueOf(node.links) ?? []).some((link) => bareAddress(link.address) === ip);

/** Nodes that have the address on a link, and whether every node could be asked. */
export function claimants(
  observation: Observation,
  ip: string,
): { readonly nodes: readonly NodeObservation[]; readonly unasked: readonly NodeObservation[] } {
  return {
    nodes: observation.nodes.filter((node) => claims(node, ip)),
    unasked: observation.nodes.filter((node) => node.links.kind === 'unknown'),
  };
}

export const nodeOfServer = (observation: Observation, serverId: number | null): NodeObservation | undefined =>
  serverId === null ? undefined : observation.nodes.find((node) => node.server?.id === serverId);

/** The node whose own address this is. */
export const nodeOfAddress = (observation: Observation, host: string): NodeObservation | undefined =>
  observation.nodes.find((node) => node.ownAddresses.includes(host));

/** Endpoint strings that nodes have now, in the order in which they were met, each once. */
export const configuredEndpoints = (observation: Pick<Observation, 'nodes'>): readonly string[] => [
  ...new Set(
    observation.nodes.flatMap((node) => {
      const endpoint = valueOf(node.config)?.endpoint;
      return endpoint === undefined ? [] : [endpoint];
    }),
  ),
];

/** The etcd member that most control planes name as leader; undefined when none is known or they disagree. */
export function etcdLeader(observation: Observation): NodeObservation | undefined {
  const statuses = controlPlanes(observation).flatMap((node) => {
    const status = node.etcd === undefined ? undefined : valueOf(node.etcd.status);
    return status === undefined ? [] : [{ node, status }];
  });
  const leaders = new Set(statuses.map(({ status }) => status.leader).filter((id) => id !== 0n));
  if (leaders.size !== 1) return undefined;
  const [leader] = leaders;
  return statuses.find(({ status }) => status.memberId === leader)?.node;
}

/** Addresses and ids in evidence are for people: hexadecimal, as etcdctl prints them. */
export const memberText = (id: bigint): string => id.toString(16);
