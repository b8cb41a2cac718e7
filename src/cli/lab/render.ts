import type { LabInfo } from '../../../lab/world/info.ts';
import { table } from '../output.ts';

/** A lab as a person reads it, with every limit when they are asked for, else with where to find them. */
export function renderLab(info: LabInfo, limits: 'limits' | 'brief'): string {
  const nodes = table([
    ['NODE', 'ROLE', 'SERVER', 'PUBLIC', 'PRIVATE', 'POWER', 'STAGE', 'ETCD', 'KUBE-APISERVER'],
    ...info.nodes.map((n) => [
      n.name,
      n.role,
      String(n.serverId),
      n.publicIPv4,
      n.privateIPv4,
      n.power,
      n.ready ? n.stage : `${n.stage} (not ready)`,
      n.etcd?.backing ?? '-',
      n.kubeApiserver?.backing ?? '-',
    ]),
  ]);
  const addresses =
    info.floatingIPs.length === 0
      ? 'none'
      : info.floatingIPs
          .map(
            (f) =>
              `${f.ip} (id ${f.id}) assigned to ${f.assignedTo ?? 'nobody'}, claimed by ${f.claimedBy.join(', ') || 'nobody'}`,
          )
          .join('\n              ');
  // In namespaces of its own, its addresses are reachable from within.
  const inside = info.fabric === 'netns' ? `fairlead lab exec --state ${info.state} -- ` : '';
  return [
    `Lab ${info.name} (${info.fabric}, speed ${info.speed}), process ${info.pid}`,
    '',
    `endpoint      ${info.endpoint}`,
    `floating IPs  ${addresses}`,
    ...info.loadBalancers.map(balancerLine),
    `cloud API     ${info.hetzner.endpoint} (era ${info.hetzner.era})`,
    `name server   ${info.dns.address} port ${info.dns.port}`,
    `state         ${info.state}`,
    '',
    nodes,
    '',
    ...(limits === 'brief'
      ? [`What it bends or leaves out, in ${info.limits.length} points: fairlead lab info --state ${info.state}`]
      : ['Limits:', ...info.limits.map((limit) => `  - ${limit}`)]),
    '',
    `Try:  ${inside}kubectl --kubeconfig ${info.files.kubeconfig} get nodes`,
    `      ${inside}fairlead plan --config ${info.files.config}`,
  ].join('\n');
}

function balancerLine({ name, addresses, services }: LabInfo['loadBalancers'][number]): string {
  const ports = services.map(({ port, targets }) => {
    const healthy = targets.filter((target) => target.health === 'healthy').length;
    return `${port} (${healthy} of ${targets.length} healthy)`;
  });
  return `balancer      ${name} at ${addresses.join(', ') || 'no address'}: ${ports.join(', ') || 'no service'}`;
}
