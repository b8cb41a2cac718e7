import { nodeOfServer } from '../../model/cluster.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** The address that the configuration means is not there, there more than once, or not ours. */
export const addressNotThere: Rule = ({ address, loaded }) => {
  switch (address.kind) {
    case 'missing':
      return [
        finding({
          id: 'address-missing',
          level: 'error',
          subject: address.what,
          message: `The project of hetzner.token has no floating IP with ${address.what}.`,
          evidence: address.seen.length === 0 ? ['the project has no floating IP at all'] : address.seen,
          remedy: 'Check that hetzner.token belongs to the project of the cluster, and address.adopt in fairlead.yaml.',
        }),
      ];
    case 'ambiguous':
      return [
        finding({
          id: 'address-ambiguous',
          level: 'error',
          subject: address.what,
          message: `${address.candidates.length} floating IPs have ${address.what}.`,
          evidence: address.candidates.map((f) => `id ${f.id}: ${f.ip}`),
          remedy: 'Name the one that is meant by its id: address: {adopt: {id: N}}.',
        }),
      ];
    case 'foreign':
      return [
        finding({
          id: 'address-foreign',
          level: 'error',
          subject: address.floatingIP.ip,
          message: `A floating IP with ${address.what} exists, but fairlead did not reserve it for ${loaded.config.name}.`,
          evidence: [`id ${address.floatingIP.id}, ${address.floatingIP.ip}`],
          remedy: 'If it is meant, adopt it: address: {adopt: {id: N}}; otherwise choose another name.',
        }),
      ];
    case 'to-create':
      return [
        finding({
          id: 'address-not-reserved',
          level: 'error',
          subject: address.name,
          message: `The address ${address.name} is not reserved yet.`,
          remedy: APPLY,
        }),
      ];
    case 'found':
    case 'unknown':
      return [];
  }
};

/** An address that anybody can delete by accident; once deleted it is gone for good. */
export const addressUnprotected: Rule = ({ address }) =>
  address.kind !== 'found' || address.floatingIP.protected
    ? []
    : [
        finding({
          id: 'address-unprotected',
          level: 'warning',
          subject: address.floatingIP.ip,
          message: `The floating IP ${address.floatingIP.ip} has no delete protection.`,
          remedy: APPLY,
        }),
      ];

/** The cloud routes the address to a server that is no control plane of this cluster. */
export const addressHeldByStranger: Rule = ({ address, observation }) => {
  if (address.kind !== 'found' || address.floatingIP.server === null) return [];
  const { ip, server } = address.floatingIP;
  const node = nodeOfServer(observation, server);
  if (node?.role === 'control-plane') return [];
  if (node === undefined && observation.membership.kind === 'unknown') return [];
  const holder =
    node === undefined ? `server ${server}, which is no node of this cluster` : `the ${node.role} ${node.name}`;
  return [
    finding({
      id: node === undefined ? 'address-foreign' : 'address-on-worker',
      level: 'error',
      subject: ip,
      message: `The address ${ip} is assigned to ${holder}.`,
      evidence: [`Hetzner: floating IP ${address.floatingIP.id} has server ${server}`],
      remedy:
        'Find out who uses it there. If nobody does, unassign it in the Hetzner console and run fairlead verify again.',
    }),
  ];
};
