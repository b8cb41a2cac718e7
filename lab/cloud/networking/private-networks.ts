import type { PrivateNetworkFacts } from '../../metadata/types.ts';
import type { Project } from '../state.ts';
import { macOf } from '../views.ts';
import { holds, rangeOf } from './addresses.ts';
import { gatewayOf } from './membership.ts';

/** The private networks of a server as its metadata service tells them, in the order it was attached; none for a server that is gone. */
export function privateNetworksOf(project: Project, serverId: number): PrivateNetworkFacts[] {
  const attached = project.servers.get(serverId)?.networks ?? new Map();
  return [...attached].flatMap(([id, { ip, aliasIPs }]) => {
    const network = project.networks.get(id);
    if (network === undefined) return [];
    const subnet = network.subnets.find(({ ipRange }) => {
      const range = rangeOf(ipRange);
      return range !== undefined && holds(range, ip);
    });
    return [
      {
        ip,
        aliasIPs,
        macAddress: macOf(serverId + (id === project.firstNetwork ? 0 : id)),
        networkId: id,
        networkName: network.name,
        network: network.ipRange,
        subnet: subnet?.ipRange ?? network.ipRange,
        gateway: gatewayOf(network),
      },
    ];
  });
}
