import { ApiError, invalidInput, notFound } from '../errors.ts';
import type { Attachment, Project, Server } from '../state.ts';
import type { CloudOptions } from '../types.ts';
import { holds, numberOf, rangeOf, textOfNumber } from './addresses.ts';
import type { Network } from './network-state.ts';

const RESERVED = '172.31.1.1';

export const networkById = (project: Project, id: number): Network => {
  const network = project.networks.get(id);
  if (network === undefined) throw notFound('network', id);
  return network;
};

/** The first address of the whole range, for every subnet of the network. */
export const gatewayOf = (network: Network): string => textOfNumber((rangeOf(network.ipRange)?.first ?? 0) + 1);

/** Addresses and aliases of all members. */
export function usedAddresses(project: Project, network: number, except?: Server): Set<string> {
  const used = new Set<string>();
  for (const server of project.servers.values()) {
    const place = server.networks.get(network);
    if (place === undefined) continue;
    if (server !== except) for (const alias of place.aliasIPs) used.add(alias);
    used.add(place.ip);
  }
  for (const { attached } of project.loadBalancers.values()) if (attached?.network === network) used.add(attached.ip);
  return used;
}

export interface Wanted {
  readonly ip?: string | null | undefined;
  readonly alias_ips?: readonly string[] | null | undefined;
  /** Of the subnet to take the address from. */
  readonly ip_range?: string | null | undefined;
}

/**
 * The address a new member gets: the one it asks for, or the first free one of a subnet. In the project's first network,
 * which the lab's fabric carries, it is the fabric's (`own`: the one a machine has had from its first day). Networks made
 * later are known to the API, and no packet reaches an address of theirs.
 */
export function memberAddress(
  project: Project,
  options: Pick<CloudOptions, 'effects'>,
  network: Network,
  wanted: Wanted,
  own?: string,
): string {
  const carried = network.id === project.firstNetwork;
  if (carried && (wanted.ip == null || wanted.ip === own)) return own ?? options.effects.allocate('private');
  const used = usedAddresses(project, network.id);
  const subnets = network.subnets.filter(
    (subnet) => subnet.type !== 'vswitch' && (wanted.ip_range == null || subnet.ipRange === wanted.ip_range),
  );
  if (subnets.length === 0) throw new ApiError(422, 'no_subnet_available', 'no subnet or IP available');
  const gateway = gatewayOf(network);
  if (carried) for (const server of project.servers.values()) used.add(server.privateIPv4);
  for (const { ipRange } of subnets) {
    const range = rangeOf(ipRange);
    if (range === undefined) continue;
    const free = (ip: string): boolean => !used.has(ip) && ip !== gateway && ip !== RESERVED;
    if (wanted.ip != null) {
      if (!holds(range, wanted.ip)) continue;
      const inside = numberOf(wanted.ip) > range.first && numberOf(wanted.ip) < range.last;
      if (inside && free(wanted.ip)) return wanted.ip;
      throw new ApiError(422, 'ip_not_available', 'IP not available');
    }
    for (let n = range.first + 1; n < range.last; n += 1) if (free(textOfNumber(n))) return textOfNumber(n);
  }
  if (wanted.ip != null) throw new ApiError(422, 'ip_not_available', 'IP is in no subnet of the network');
  throw new ApiError(422, 'no_subnet_available', 'no subnet or IP available');
}

/** Puts a server into a network; throws when it is there already or nothing fits. The caller stores it. */
export function place(
  project: Project,
  options: Pick<CloudOptions, 'effects'>,
  server: Pick<Server, 'networks' | 'privateIPv4'>,
  network: Network,
  wanted: Wanted,
): Attachment {
  if (server.networks.has(network.id))
    throw new ApiError(422, 'server_already_attached', 'server is already attached to this network');
  for (const other of server.networks.keys()) {
    const [a, b] = [rangeOf(networkById(project, other).ipRange), rangeOf(network.ipRange)];
    if (a !== undefined && b !== undefined && a.first <= b.last && b.first <= a.last)
      throw new ApiError(422, 'networks_overlap', 'the network overlaps with one the server is attached to');
  }
  return {
    ip: memberAddress(project, options, network, wanted, server.privateIPv4),
    aliasIPs: wanted.alias_ips ?? [],
  };
}

/** An alias may not be anybody's address or alias. That it lies in the network is not asked for: the lab's do not. */
export function freeAliases(project: Project, network: Network, aliases: readonly string[], server: Server): void {
  if (new Set(aliases).size !== aliases.length) throw invalidInput('alias_ips', 'an address is named twice');
  const used = usedAddresses(project, network.id, server);
  for (const alias of aliases)
    if (used.has(alias)) throw new ApiError(422, 'ip_not_available', `${alias} is already in use`);
}
