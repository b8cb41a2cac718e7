import { valueOf } from '../../model/fact.ts';
import { controlPlanes, sharedNames } from '../../model/cluster.ts';
import { finding, type Rule } from '../rule.ts';

/** A node whose Talos API does not answer. */
export const nodeUnreachable: Rule = ({ observation }) =>
  observation.nodes.flatMap((node) =>
    node.talosVersion.kind === 'known'
      ? []
      : [
          finding({
            id: 'node-unreachable',
            level: 'error',
            subject: node.name,
            message: `The Talos API of ${node.name} does not answer.`,
            evidence: [
              node.talosVersion.why,
              ...(node.server === undefined ? [] : [`Hetzner: server ${node.server.id} is ${node.server.status}`]),
            ],
            remedy: 'Power it on, repair or replace it; the firewall must let port 50000 through from here.',
          }),
        ],
  );

/** A reachable control plane whose API server is not ready on its own address. */
export const apiNotReady: Rule = ({ observation }) =>
  controlPlanes(observation).flatMap((node) => {
    if (node.talosVersion.kind === 'unknown' || node.apiReady?.kind !== 'known') return [];
    const ready = node.apiReady.value;
    if (ready.kind === 'answered' && ready.status === 200) return [];
    return [
      finding({
        id: 'api-not-ready',
        level: 'error',
        subject: node.name,
        message: `The API server of ${node.name} is not ready on its own address.`,
        evidence: [
          ready.kind === 'answered' ? `/readyz answered ${ready.status}` : `${ready.reason}: ${ready.message}`,
        ],
        remedy: `Look at it: talosctl -n ${node.address ?? node.name} logs kube-apiserver -k.`,
      }),
    ];
  });

/** The kubelet took the address that moves for the node's own: the node's identity would move with it. */
export const addressIsNodeIP: Rule = ({ observation, ip }) =>
  (valueOf(observation.kubernetesNodes) ?? []).flatMap((node) => {
    if (!node.addresses.some(({ type, address }) => type === 'InternalIP' && address === ip)) return [];
    return [
      finding({
        id: 'address-is-node-ip',
        level: 'error',
        subject: node.name,
        message: `The kubelet of ${node.name} says that ${ip} is the node's own address, but it moves.`,
        evidence: [`Kubernetes: ${node.addresses.map(({ type, address }) => `${type} ${address}`).join(', ')}`],
        remedy: 'Set machine.kubelet.nodeIP.validSubnets on every control plane to the subnet of its own addresses.',
      }),
    ];
  });

/** A staged or tried config: what runs is not what the node would boot with. */
export const configPending: Rule = ({ observation }) =>
  observation.nodes.flatMap((node) => {
    const active = valueOf(node.config);
    const persistent = valueOf(node.persistentSha256);
    if (active === undefined || persistent === undefined || active.sha256 === persistent) return [];
    return [
      finding({
        id: 'config-pending',
        level: 'error',
        subject: node.name,
        message: `A staged or tried machine config is pending on ${node.name}: what runs is not what it would boot with.`,
        evidence: [`active ${active.sha256.slice(0, 12)}, persistent ${persistent.slice(0, 12)}`],
        remedy: 'Finish it (reboot) or take it back before anything else is changed.',
      }),
    ];
  });

/** Talos' election tells candidates apart by host name. */
export const hostnameTwice: Rule = ({ observation }) =>
  sharedNames(observation).map(({ name, why }) =>
    finding({
      id: 'hostname-twice',
      level: 'error',
      subject: name,
      message: `The host name ${name} is there twice: two control planes of one name would both keep the address.`,
      evidence: [why],
      remedy:
        'Give every node a name of its own; a member that a machine left behind must leave etcd (talosctl etcd remove-member).',
    }),
  );
