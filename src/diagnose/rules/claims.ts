import { claimants, controlPlanes, nodeOfServer } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

const vipConfigured = (subject: Parameters<Rule>[0]): boolean =>
  controlPlanes(subject.observation).some((node) => valueOf(node.config)?.vips.some((vip) => vip.ip === subject.ip));

/** The cloud routes the address nowhere. */
export const addressUnassigned: Rule = (subject) => {
  const { address, ip } = subject;
  if (address.kind !== 'found' || ip === undefined || address.floatingIP.server !== null) return [];
  const configured = vipConfigured(subject);
  return [
    finding({
      id: 'address-unassigned',
      level: 'error',
      subject: ip,
      message: `The address ${ip} is assigned to no server.`,
      evidence: [`Hetzner: floating IP ${address.floatingIP.id} has no server`],
      remedy: configured
        ? "Talos assigns it when a control plane wins the election: check etcd's quorum and the token on the nodes (dmesg: vip)."
        : APPLY,
      ...(configured ? {} : { causedBy: 'vip-missing' }),
    }),
  ];
};

/** The cloud routes the address to a node that does not have it on a link: what arrives there is thrown away. */
export const assignedButUnclaimed: Rule = (subject) => {
  const { address, ip, observation } = subject;
  if (address.kind !== 'found' || ip === undefined) return [];
  const node = nodeOfServer(observation, address.floatingIP.server);
  if (node === undefined || node.links.kind === 'unknown') return [];
  const { nodes } = claimants(observation, ip);
  if (nodes.includes(node)) return [];
  const elsewhere = nodes.map((n) => n.name);
  return [
    finding({
      id: elsewhere.length === 0 ? 'assigned-but-unclaimed' : 'claimed-elsewhere',
      level: 'error',
      subject: ip,
      message:
        elsewhere.length === 0
          ? `The cloud routes ${ip} to ${node.name}, which does not have it on a link: a black hole.`
          : `The cloud routes ${ip} to ${node.name}, but ${elsewhere.join(' and ')} has it on a link: a black hole.`,
      evidence: [
        `Hetzner: floating IP ${address.floatingIP.id} has server ${address.floatingIP.server} (${node.name})`,
        `Talos AddressStatuses: ${elsewhere.length === 0 ? 'no node' : elsewhere.join(', ')} has ${ip}`,
      ],
      remedy:
        elsewhere.length === 1
          ? `Talos does not look again after it has won: assign the address to ${elsewhere[0]} (fairlead apply does).`
          : APPLY,
      ...(vipConfigured(subject) ? {} : { causedBy: 'vip-missing' }),
    }),
  ];
};

/** Two nodes have the address on a link: two owners, or the same host name twice. */
export const claimedTwice: Rule = ({ observation, ip }) => {
  if (ip === undefined) return [];
  const { nodes } = claimants(observation, ip);
  if (nodes.length < 2) return [];
  return [
    finding({
      id: 'address-claimed-twice',
      level: 'error',
      subject: ip,
      message: `${nodes.map((n) => n.name).join(' and ')} both have ${ip} on a link.`,
      evidence: nodes.map((n) => `Talos AddressStatuses of ${n.name}: ${ip}`),
      remedy:
        'Look for a second owner (keepalived, a floating-IP controller, two VIP entries) or one host name given twice.',
    }),
  ];
};

/** A control plane that cannot take the address over, because nothing tells it to. */
export const vipMissing: Rule = ({ observation, ip, loaded }) => {
  if (loaded.config.mode !== 'talos-vip' || ip === undefined) return [];
  return controlPlanes(observation).flatMap((node) => {
    const config = valueOf(node.config);
    if (config === undefined || config.vips.some((vip) => vip.ip === ip && vip.provider === 'hcloud')) return [];
    return [
      finding({
        id: 'vip-missing',
        level: 'error',
        subject: node.name,
        message: `${node.name} has no VIP entry for ${ip}: it can never take the address over.`,
        evidence: [`VIPs in its machine config: ${config.vips.map((v) => v.ip).join(', ') || 'none'}`],
        remedy: APPLY,
      }),
    ];
  });
};

/** Talos accepts a VIP entry on a worker; it never acts there, but the token lies there. */
export const vipOnWorker: Rule = ({ observation }) =>
  observation.nodes.flatMap((node) => {
    const vips = node.role === 'worker' ? (valueOf(node.config)?.vips ?? []) : [];
    return vips.map((vip) =>
      finding({
        id: 'vip-on-worker',
        level: 'warning',
        subject: node.name,
        message: `The worker ${node.name} has a VIP entry for ${vip.ip}: it never acts, but its token lies there.`,
        remedy: 'Take the entry out of the machine config of the worker.',
      }),
    );
  });
