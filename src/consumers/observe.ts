import type { LoadedConfig } from '../config/loaded.ts';
import type { ConsumersObservation } from '../model/observation.ts';
import type { Files } from './files.ts';
import { observeKubeconfig } from './kubeconfig/read.ts';
import { observeRepository } from './repository/read.ts';
import { observeTalosconfig } from './talosconfig/read.ts';

/** What everybody who stores the endpoint has stored. `clusterCa` (PEM) tells this cluster's contexts from others'. */
export async function observeConsumers(
  files: Files,
  loaded: LoadedConfig,
  clusterCa: string,
  at: Date,
): Promise<ConsumersObservation> {
  const time = at.toISOString();
  const { kubeconfig, talosconfig, repository } = loaded.consumers;
  const [kubeconfigs, talosconfigs, folder] = await Promise.all([
    Promise.all(kubeconfig.map((wanted) => observeKubeconfig(files, wanted, clusterCa, time))),
    Promise.all(talosconfig.map((wanted) => observeTalosconfig(files, wanted, time))),
    repository === undefined ? undefined : observeRepository(files, repository, time),
  ]);
  return { kubeconfigs, talosconfigs, repository: folder };
}
