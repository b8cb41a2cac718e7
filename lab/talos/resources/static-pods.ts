import type { Settings } from '../config/settings.ts';
import type { PodVersions } from '../control-plane/kubelet.ts';
import type { Machine, PodName, StaticPod } from '../machine.ts';
import { imageOf } from './images.ts';

const KEYS: Readonly<Record<PodName, string>> = {
  'kube-apiserver': 'apiServer',
  'kube-controller-manager': 'controllerManager',
  'kube-scheduler': 'scheduler',
};

/** Pods as Talos renders them for its kubelet. Of the two that the lab does not run, the command line is left short. */
export function staticPods(machine: Machine, settings: Settings, versions: PodVersions): [PodName, object][] {
  const args = machine.active?.derived.kubeAPIServerArgs ?? [];
  const names: PodName[] = [
    ...(args.length > 0 ? (['kube-apiserver'] as const) : []),
    'kube-controller-manager',
    'kube-scheduler',
  ];
  return names.map((name) => [
    name,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        annotations: {
          'talos.dev/config-file-version': '1',
          'talos.dev/config-version': String(versions.config[name]),
          'talos.dev/secrets-version': String(versions.secrets),
        },
        labels: {
          'app.kubernetes.io/component': 'control-plane',
          'app.kubernetes.io/managed-by': 'Talos',
          'app.kubernetes.io/name': name,
          'app.kubernetes.io/version': settings.kubernetesVersion,
          component: name,
          'k8s-app': name,
          tier: 'control-plane',
        },
        name,
        namespace: 'kube-system',
      },
      spec: {
        containers: [
          {
            command: [`/usr/local/bin/${name}`, ...(name === 'kube-apiserver' ? args : [])],
            image: imageOf(settings, KEYS[name], name, 'registry.k8s.io'),
            name,
          },
        ],
        hostNetwork: true,
        priority: 2_000_000_000,
        priorityClassName: 'system-cluster-critical',
      },
    },
  ]);
}

/** What the kubelet reports of one. */
export function podStatus(machine: Machine, pod: StaticPod): object {
  const at = pod.startedAt.toISOString();
  const state = pod.ready ? 'True' : 'False';
  const condition = (type: string, status: string): object => ({ lastTransitionTime: at, status, type });
  const nodeIP = machine.active?.derived.kubeletNodeIPs[0] ?? machine.facts.privateIPv4;
  const version = machine.active?.derived.kubernetesVersion ?? '';
  return {
    conditions: [
      condition('Initialized', 'True'),
      condition('Ready', state),
      condition('ContainersReady', state),
      condition('PodScheduled', 'True'),
    ],
    containerStatuses: [
      {
        image: `registry.k8s.io/${pod.name}:${version}`,
        name: pod.name,
        ready: pod.ready,
        restartCount: pod.restarts,
        started: pod.ready,
      },
    ],
    hostIP: nodeIP,
    phase: 'Running',
    podIP: nodeIP,
    qosClass: 'Burstable',
    startTime: at,
  };
}
