import { claimants, controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Change } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';

/** Phase 1: the address exists and cannot be deleted by accident. It is the product: once released it is gone for good. */
export function addressChanges({ address, loaded }: PlanContext): Change[] {
  if (address.kind === 'to-create') {
    const { name, location } = address;
    return [
      {
        id: `address/reserve/${name}`,
        what: `Reserve a floating IPv4 ${name} in ${location}, with delete protection`,
        where: { system: 'hetzner', subject: name },
        why: 'The endpoint needs an address that belongs to no node.',
        before: 'no address of that name',
        after: `floating IP ${name}, label fairlead.dev/cluster=${loaded.config.name}, delete protection on`,
        precondition: 'no floating IP of that name in the project',
        effect: 'the cloud lists the address, protected',
        undo: 'The address is kept (it costs money while it exists); release it by name when nothing uses it.',
        disruption: 'none',
        action: { kind: 'reserve-address', name, location },
      },
    ];
  }
  if (address.kind !== 'found' || address.floatingIP.protected) return [];
  const { id, ip } = address.floatingIP;
  return [
    {
      id: `address/protect/${id}`,
      what: `Turn on delete protection of ${ip}`,
      where: { system: 'hetzner', subject: ip },
      why: 'The address is what every client stores; a deleted floating IP cannot be had back.',
      before: 'delete protection off',
      after: 'delete protection on',
      precondition: `floating IP ${id} exists`,
      effect: 'the cloud lists it as protected',
      undo: 'Delete protection stays; it can be turned off in the console.',
      disruption: 'none',
      action: { kind: 'protect-address', id, ip },
    },
  ];
}

/**
 * Phase 4: where Talos has settled on one control plane but the cloud routes elsewhere, the route is led to the claim. Talos
 * assigns only at the moment it wins its election and never looks again, so nothing else would mend it.
 */
export function assignmentChanges({ observation, floatingIP, ip }: PlanContext): Change[] {
  if (floatingIP === undefined) return [];
  const { nodes, unasked } = claimants(observation, ip);
  const [holder, second] = nodes;
  if (holder?.server === undefined || holder.role !== 'control-plane') return [];
  if (second !== undefined || unasked.some((node) => node.role !== 'worker')) return [];
  if (floatingIP.server === holder.server.id) return [];
  const everywhere = controlPlanes(observation).every((node) =>
    valueOf(node.config)?.vips.some((vip) => vip.ip === ip),
  );
  if (!everywhere) return [];
  return [
    {
      id: `address/assign/${floatingIP.id}/${holder.server.id}`,
      what: `Assign ${ip} to ${holder.name}, which has it on a link`,
      where: { system: 'hetzner', subject: ip },
      why: 'Talos has put the address on that node, but the cloud leads it elsewhere: what arrives is thrown away.',
      before: floatingIP.server === null ? 'assigned to no server' : `assigned to server ${floatingIP.server}`,
      after: `assigned to server ${holder.server.id} (${holder.name})`,
      precondition: 'exactly one control plane has the address on a link',
      effect: 'assignment and claim agree, and a probe through the address succeeds',
      undo: 'None: the former route led nowhere.',
      disruption: 'address-moves',
      action: { kind: 'assign-address', id: floatingIP.id, ip, server: holder.server.id },
    },
  ];
}
