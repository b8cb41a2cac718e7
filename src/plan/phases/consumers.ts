import { controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Change } from '../../model/plan.ts';
import { kubeconfigStanding } from '../../consumers/kubeconfig/desired.ts';
import { desiredTalosconfig } from '../../consumers/talosconfig/desired.ts';
import { type PlanContext, shown } from '../context.ts';

/** Phase 6: the files of this machine that store the endpoint. Only those that are not right already. */
export function consumerChanges(context: PlanContext): Change[] {
  return [...kubeconfigs(context), ...talosconfigs(context)];
}

function kubeconfigs(context: PlanContext): Change[] {
  const at = new Date(context.observation.at);
  return context.observation.consumers.kubeconfigs.flatMap(({ file, context: name, content }): Change[] => {
    if (content.kind === 'unknown') return [];
    const standing = kubeconfigStanding(content.value?.entry, context.wanted.url, at);
    if (standing.kind === 'right') return [];
    return [
      {
        id: `kubeconfig/${file}`,
        what: shown(context, `Kubeconfig ${file}: server ${context.wanted.url}`),
        where: { system: 'file', subject: file },
        why: standing.why,
        before:
          content.value?.entry?.server ?? (content.value === undefined ? 'no file' : 'no context of this cluster'),
        after: shown(context, context.wanted.url),
        precondition:
          'the endpoint right on every node; the new kubeconfig names it, carries the same CA and reaches /readyz through it',
        effect: 'the file leads to the endpoint; foreign contexts are as they were',
        undo: 'Fetch a kubeconfig again after the endpoint was changed back.',
        disruption: 'none',
        action: { kind: 'kubeconfig', file, context: name, url: context.wanted.url },
      },
    ];
  });
}

function talosconfigs(context: PlanContext): Change[] {
  const { observation } = context;
  const planes = controlPlanes(observation).flatMap((node) => (node.address === undefined ? [] : [node.address]));
  const own = new Set(observation.nodes.flatMap((node) => node.ownAddresses));
  return observation.consumers.talosconfigs.flatMap(({ file, content }): Change[] => {
    const value = valueOf(content);
    if (value?.entry === undefined) return [];
    const wanted = desiredTalosconfig(value.entry, planes, own);
    if (wanted === undefined) return [];
    return [
      {
        id: `talosconfig/${file}`,
        what: `Talosconfig ${file}: endpoints ${wanted.endpoints.join(', ')}`,
        where: { system: 'file', subject: file },
        why: 'talosctl must reach each control plane at its own address, never through the endpoint.',
        before: `endpoints ${value.entry.endpoints.join(', ') || 'none'}; nodes ${value.entry.nodes.join(', ') || 'none'}`,
        after: `endpoints ${wanted.endpoints.join(', ')}; nodes ${wanted.nodes.join(', ')}`,
        precondition: 'the file unchanged since the plan',
        effect: 'the file lists the control planes; foreign contexts are as they were',
        undo: 'Write the former lists back.',
        disruption: 'none',
        action: {
          kind: 'talosconfig',
          file,
          context: value.entry.context,
          endpoints: wanted.endpoints,
          nodes: wanted.nodes,
          sha256Before: value.sha256,
        },
      },
    ];
  });
}
