import type { PodVersions } from '../control-plane/kubelet.ts';
import type { VipOperatorSpec } from '../config/types.ts';
import type { Machine } from '../machine.ts';
import { clusterResources } from './cluster.ts';
import { configResources } from './config.ts';
import { hardwareResources } from './hardware.ts';
import { kubernetesResources } from './kubernetes.ts';
import { networkResources } from './network.ts';
import { registryOf } from './definitions.ts';
import { runtimeResources } from './runtime.ts';
import { secretResources } from './secrets.ts';
import type { Projection } from './store.ts';

/** What the resources show beyond the machine's own state. */
export interface Shown {
  readonly operators: () => readonly VipOperatorSpec[];
  readonly podVersions: () => PodVersions | undefined;
}

/** All resources of a machine as they follow from its state now. */
export function projectResources(machine: Machine, shown: Shown): Projection {
  const resources = [
    ...configResources(machine),
    ...runtimeResources(machine),
    ...hardwareResources(machine),
    ...networkResources(machine, shown.operators()),
    ...clusterResources(machine),
    ...secretResources(machine),
    ...kubernetesResources(machine, shown.podVersions()),
  ];
  return { registry: registryOf(machine.ports.version), resources };
}
