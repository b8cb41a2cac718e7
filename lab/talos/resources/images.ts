import { textAt } from '../config/access.ts';
import type { Settings } from '../config/settings.ts';

/** The image of a part of Kubernetes: as the config names it, in either form, else Talos' own. */
export function imageOf(settings: Settings, key: string, name: string, standard: string): string {
  const kind: Readonly<Record<string, string>> = {
    apiServer: 'KubeAPIServerConfig',
    controllerManager: 'KubeControllerManagerConfig',
    scheduler: 'KubeSchedulerConfig',
  };
  const document = settings.documents.find((candidate) => candidate.kind === kind[key]);
  return (
    textAt(document?.value, 'image') ??
    textAt(settings.legacy, 'cluster', key, 'image') ??
    `${standard}/${name}:${settings.kubernetesVersion}`
  );
}

export const kubeletImage = (settings: Settings): string =>
  textAt(settings.documents.find(({ kind }) => kind === 'KubeletConfig')?.value, 'image') ??
  textAt(settings.legacy, 'machine', 'kubelet', 'image') ??
  `ghcr.io/siderolabs/kubelet:${settings.kubernetesVersion}`;
