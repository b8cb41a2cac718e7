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

/** How many other control planes have this VIP in their machine config. */
export const otherVips = (observation: Observation, name: string, ip: string): number =>
  controlPlanes(observation).filter(
    (node) => node.name !== name && valueOf(node.config)?.vips.some((vip) => vip.ip === ip) === true,
  ).length;

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

/**
 * Host names that more than one machine has, each with how it shows. Talos and discovery know a node by its name, so two machines of
 * one name are listed as one node, with the addresses of both; etcd lists two members.
 */
export function sharedNames(observation: Observation): readonly { readonly name: string; readonly why: string }[] {
  const names = observation.nodes.map((node) => node.name);
  const listed = names
    .filter((name, i) => names.indexOf(name) !== i)
    .map((name) => ({ name, why: 'two nodes are listed under it' }));
  const servers = observation.nodes.flatMap((node) => {
    const own = (valueOf(observation.cloud.servers) ?? []).filter(
      (server) => server.publicIPv4 !== undefined && node.ownAddresses.includes(server.publicIPv4),
    );
    return own.length < 2
      ? []
      : [{ name: node.name, why: `it has the addresses of the servers ${own.map((s) => s.name).join(' and ')}` }];
  });
  const members = controlPlanes(observation).flatMap((node) => {
    const hostnames = (node.etcd === undefined ? undefined : valueOf(node.etcd.members))?.map((m) => m.hostname) ?? [];
    return hostnames
      .filter((name, i) => name !== '' && hostnames.indexOf(name) !== i)
      .map((name) => ({ name, why: 'etcd lists two members under it' }));
  });
  return [...new Map([...members, ...servers, ...listed].map((shared) => [shared.name, shared])).values()];
}

/** Addresses and ids in evidence are for people: hexadecimal, as etcdctl prints them. */
export const memberText = (id: bigint): string => id.toString(16);
