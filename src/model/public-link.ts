import { bareAddress } from './cluster.ts';
import { valueOf } from './fact.ts';
import type { LinkFacts, NodeObservation } from './observation.ts';

/** The link that carries the server's own public address: names differ between images and machines, the address does not. */
export function publicLink(
  node: NodeObservation,
): { readonly name: string; readonly dhcp: boolean; readonly facts?: LinkFacts['facts'] } | undefined {
  const own = node.server?.publicIPv4;
  const carrier = valueOf(node.links)?.find((entry) => bareAddress(entry.address) === own)?.link;
  if (own === undefined || carrier === undefined) return undefined;
  const facts = valueOf(node.linkFacts)?.find((fact) => fact.name === carrier)?.facts;
  // Hetzner gives every server its public address by DHCP.
  return { name: carrier, dhcp: true, ...(facts === undefined ? {} : { facts }) };
}
