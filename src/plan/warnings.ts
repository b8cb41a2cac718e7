import { isAtLeast } from '../machine-config/version.ts';
import { controlPlanes } from '../model/cluster.ts';
import { endpointUrl, leadsTo } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { NodeObservation } from '../model/observation.ts';
import type { Change } from '../model/plan.ts';
import { type PlanContext, shown } from './context.ts';

const named = (nodes: readonly NodeObservation[]): string => nodes.map((node) => node.name).join(', ');

/** What a person must know of Talos' VIP before the first control plane gets it: how fast it moves, when it does not, what it needs. */
export function vipWarnings(context: PlanContext, vip: readonly Change[]): string[] {
  if (vip.length === 0) return [];
  const planes = controlPlanes(context.observation);
  const talos = (judge: (version: string) => boolean): NodeObservation[] =>
    planes.filter((node) => {
      const version = valueOf(node.talosVersion);
      return version !== undefined && judge(version);
    });
  const own = planes.flatMap((node) =>
    node.address === undefined ? [] : [endpointUrl(node.address, valueOf(node.config)?.apiServerPort ?? 6443)],
  );
  const warnings = [
    'When the node that holds the address loses its power, the address moves after 45 to 63 s (etcd gives its claim up no sooner); at an orderly shutdown it moves at once.',
    `Without etcd quorum, while an API server hangs, or while the cloud takes requests and does not answer, the address does not move: the API servers are then at ${own.join(', ')}, which their certificates keep naming.`,
  ];
  const slow = talos(
    (version) => !isAtLeast(version, 13, 8) && (isAtLeast(version, 13, 0) || !isAtLeast(version, 12, 11)),
  );
  if (slow.length > 0) {
    warnings.push(`${named(slow)}: this Talos takes longer to move the address than 1.12.11 or 1.13.8 and later do.`);
  }
  const plain = talos((version) => !isAtLeast(version, 13, 3));
  if (plain.length > 0) {
    warnings.push(
      `${named(plain)}: Talos before 1.13.3 shows the token in machine configs that it calls redacted; take it out of what you hand on (support bundles, talosctl get machineconfig).`,
    );
  }
  const open = planes.filter((node) => {
    const subnets = valueOf(node.config)?.subnets;
    return subnets !== undefined && !(subnets.etcd && subnets.kubelet);
  });
  if (open.length > 0) {
    warnings.push(
      `${named(open)}: cluster.etcd.advertisedSubnets or machine.kubelet.nodeIP.validSubnets is not set. Talos leaves its own VIP out, but while a VIP is changed or taken away the address can become the node's: set both before that (the first needs a reboot, the second restarts the kubelet).`,
    );
  }
  const { workloads } = context.observation;
  const unseen =
    workloads?.kind === 'unknown' ? ` What runs in the cluster could not be listed (${workloads.why}).` : '';
  warnings.push(
    shown(
      context,
      `From now on Talos alone assigns ${context.ip}. Looked for: VIPs of other control planes, known controllers in the cluster, ksail and Terraform files in consumers.repository.${unseen} What runs elsewhere with a token of the project (Terraform, ksail, a script) cannot be seen: let it leave the assignment alone.`,
    ),
  );
  const { harmless } = context.loaded.config.owners;
  if (harmless.length > 0)
    warnings.push(`By owners.harmless taken to leave the address alone: ${harmless.join(', ')}.`);
  return warnings;
}

/** An endpoint with a name: it must lead to the address before the address counts as proven, and nodes must resolve it when they boot. */
export function nameWarnings({ observation, ip, provisional }: PlanContext): string[] {
  const { endpointName } = observation;
  if (endpointName === undefined) return [];
  const { name, addresses } = endpointName;
  const until = 'no node and no file gets the endpoint before it leads to the address alone';
  if (addresses.kind === 'unknown') {
    return [
      `The name ${name} cannot be resolved from here (${addresses.why}): ${until}, and nodes must resolve it when they boot.`,
    ];
  }
  if (provisional) return [`The name ${name} leads to ${addresses.value.join(', ')}: ${until}.`];
  return leadsTo(addresses.value, ip)
    ? []
    : [`The name ${name} leads to ${addresses.value.join(', ')}, not to ${ip} alone: ${until}.`];
}
