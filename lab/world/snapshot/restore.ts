import path from 'node:path';
import { EXIT, Failure } from '../../../src/base/failure.ts';
import type { Cloud } from '../../cloud/types.ts';
import type { Parts, PartsChoice } from '../../kubernetes/types.ts';
import type { Machines } from '../machines.ts';
import type { Manifest } from './archive.ts';
import type { WorldState } from './state.ts';

/** A world to go on with, whose files lie in the lab's folder already. */
export interface Restored {
  readonly manifest: Manifest;
  readonly world: WorldState;
}

/** Which parts to look for: what ran when the snapshot was taken. */
export const partsChoiceOf = ({ parts }: Manifest): PartsChoice =>
  parts.etcd === 'built-in' ? 'built-in' : parts.kubeApiserver === 'built-in' ? 'auto' : 'real';

/** Data of one kind of etcd or API server is not another's. Throws a Failure where the parts are not those of the snapshot. */
export function checkParts({ parts: before }: Manifest, parts: Parts): void {
  // The third number of a version changes no format.
  const kind = (backing: string): string => backing.split('.').slice(0, 2).join('.');
  for (const part of ['etcd', 'kubeApiserver'] as const) {
    const now = parts[part].backing;
    if (kind(now) === kind(before[part])) continue;
    throw new Failure({
      code: 'lab-snapshot-parts',
      exit: EXIT.refused,
      what: 'The snapshot cannot be restored here',
      why: `its ${part === 'etcd' ? 'etcd' : 'kube-apiserver'} was ${before[part]}; here it is ${now}`,
      state: 'Nothing of it is left running.',
      next: 'Run scripts/prepare, or restore it where it was taken.',
    });
  }
}

/** Puts the machines of a kept world into this one and lets each go on from where it was. */
export async function resumeMachines(
  { world }: Restored,
  ports: { readonly state: string; readonly parts: Parts; readonly machines: Machines; readonly cloud: Cloud },
): Promise<void> {
  const { machines, cloud, parts, state } = ports;
  parts.etcd.load?.(world.etcd, (dir) => path.join(state, path.relative(world.state, dir)));
  for (const [name, gone] of world.gone) machines.gone.set(name, gone);
  // One after the other, so that the list of machines has their order; they go on side by side.
  const added = [];
  for (const { server, node } of world.machines) added.push({ machine: await machines.add(server), node });
  await cloud.tellAll();
  await Promise.all(added.map(({ machine, node }) => machine.node.resume(node)));
}
