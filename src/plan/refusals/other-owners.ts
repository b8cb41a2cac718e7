import { valueOf } from '../../model/fact.ts';
import type { Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';
import type { Judge } from './judge.ts';

/** Who moves addresses on Hetzner besides Talos, by a part of the image or of the name. */
const MOVERS: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: /hcloud-fip-controller/, what: 'hcloud-fip-controller assigns floating IPs to nodes' },
  { pattern: /hcloud-ip-floater/, what: 'hcloud-ip-floater assigns floating IPs to nodes' },
  { pattern: /keepalived/, what: 'keepalived moves addresses between nodes' },
  { pattern: /kube-vip/, what: 'kube-vip moves the address of control planes' },
  { pattern: /vip-manager/, what: 'vip-manager moves addresses by a lock in etcd' },
];

const moverOf = (texts: readonly string[]): string | undefined =>
  MOVERS.find(({ pattern }) => texts.some((text) => pattern.test(text)))?.what;

interface Owner {
  /** How `owners.harmless` calls it. */
  readonly key: string;
  readonly what: string;
  readonly why: string;
  readonly next: string;
}

/** Everything found that moves floating IPs, or may. What runs elsewhere with a token of the project cannot be seen. */
export function ownersFound({ observation, floatingIP }: Pick<PlanContext, 'observation' | 'floatingIP'>): Owner[] {
  const workloads = (valueOf(observation.workloads ?? NOBODY) ?? []).flatMap((workload): Owner[] => {
    const why = moverOf([workload.name, ...workload.images]);
    const key = `${workload.namespace}/${workload.name}`;
    if (why === undefined) return [];
    return [
      {
        key,
        what: `The ${workload.kind} ${key} moves addresses`,
        why: `${why} (${workload.images.join(', ') || 'by its name'})`,
        next: `Remove it (kubectl -n ${workload.namespace} delete ${workload.kind.toLowerCase()} ${workload.name})`,
      },
    ];
  });
  const services = observation.nodes.flatMap((node) =>
    (valueOf(node.services) ?? []).flatMap(({ id }): Owner[] => {
      const why = moverOf([id]);
      if (why === undefined) return [];
      const what = `The service ${id} on ${node.name} moves addresses`;
      return [{ key: `service ${node.name}/${id}`, what, why, next: `Take its extension out of ${node.name}` }];
    }),
  );
  const { repository } = observation.consumers;
  const files = valueOf(repository?.movers ?? NOBODY) ?? [];
  const inFiles = files.map(({ who, place, what }): Owner => ({
    key: who,
    what: `${who} assigns a floating IP`,
    why: `${place}: ${what}; each run of it may take the address back to a node that does not hold it`,
    next:
      who === 'ksail'
        ? 'Set floatingIPEnabled: false there (the address and its label stay)'
        : 'Take the assignment out of the state and the file (terraform state rm), and let the floating IP ignore server_id',
  }));
  const labelled =
    floatingIP?.labels['ksail.owned'] === 'true' && repository === undefined
      ? [
          {
            key: 'ksail',
            what: `ksail may own ${floatingIP.ip}`,
            why: 'the floating IP has the label ksail.owned=true, and whether its switch is still on cannot be seen without its files',
            next: 'Name the folder of ksail.yaml under consumers.repository.path, with floatingIPEnabled: false in it',
          },
        ]
      : [];
  // A DaemonSet in kube-system shows with its pods: one refusal is enough.
  const sets = workloads.filter(({ what }) => !what.startsWith('The Pod'));
  const pods = workloads.filter(
    ({ key, what }) => what.startsWith('The Pod') && !sets.some((set) => key.startsWith(`${set.key}-`)),
  );
  return [...sets, ...pods, ...services, ...inFiles, ...labelled];
}

const NOBODY = { kind: 'unknown', why: 'nobody asked', source: 'cluster' } as const;

/** Exactly one may move the address: another is a refusal, unless the configuration says that it is harmless. */
export const otherOwners: Judge = (context) => {
  const { harmless } = context.loaded.config.owners;
  return ownersFound(context)
    .filter(({ key }) => !harmless.includes(key))
    .map(({ key, what, why, next }): Refusal => ({
      code: 'another-owner',
      what,
      why,
      next: `${next}, then plan again. If it never touches this address, say so: owners: {harmless: ["${key}"]}.`,
    }));
};
