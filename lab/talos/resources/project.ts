import type { PodVersions } from '../control-plane/kubelet.ts';
import type { VipOperatorSpec } from '../config/types.ts';
import type { Machine } from '../machine.ts';
import { clusterResources } from './cluster.ts';
import { configResources } from './config.ts';
import { kubernetesResources } from './kubernetes.ts';
import { networkResources } from './network.ts';
import type { Resource } from './resource.ts';
import { runtimeResources } from './runtime.ts';

/** What the resources show beyond the machine's own state. */
export interface Shown {
  readonly operators: () => readonly VipOperatorSpec[];
  readonly podVersions: () => PodVersions | undefined;
}

/** All resources of a machine as they follow from its state now. */
export function projectResources(machine: Machine, shown: Shown): readonly Resource[] {
  return [
    ...configResources(machine),
    ...runtimeResources(machine),
    ...networkResources(machine, shown.operators()),
    ...clusterResources(machine),
    ...kubernetesResources(machine, shown.podVersions()),
  ];
}
