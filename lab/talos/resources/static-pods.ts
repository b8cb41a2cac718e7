import { isRecord, kubeTime, type Json, type JsonRecord } from '../../kubernetes/api-server/objects/types.ts';
import type { ShownPod } from '../../kubernetes/stand-ins/mirror-pods.ts';
import type { Settings } from '../config/settings.ts';
import type { PodVersions } from '../control-plane/kubelet.ts';
import type { Machine, PodName, StaticPod } from '../machine.ts';
import { imageOf } from './images.ts';

const KEYS: Readonly<Record<PodName, string>> = {
  'kube-apiserver': 'apiServer',
  'kube-controller-manager': 'controllerManager',
  'kube-scheduler': 'scheduler',
};

/** What Talos asks for each unless the config says otherwise. */
const REQUESTS: Readonly<Record<PodName, { readonly cpu: string; readonly memory: string }>> = {
  'kube-apiserver': { cpu: '200m', memory: '512Mi' },
  'kube-controller-manager': { cpu: '50m', memory: '256Mi' },
  'kube-scheduler': { cpu: '10m', memory: '64Mi' },
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
            resources: { requests: REQUESTS[name] },
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

/** The pods that run now, as the kubelet shows them to the API: of the versions that they were started from. */
export function shownPods(machine: Machine, settings: Settings): readonly ShownPod[] {
  const running = [...machine.pods.values()];
  const config = { 'kube-apiserver': 0, 'kube-controller-manager': 0, 'kube-scheduler': 0 };
  for (const pod of running) config[pod.name] = pod.configVersion;
  const manifests = new Map(staticPods(machine, settings, { secrets: running[0]?.secretsVersion ?? 0, config }));
  return running.flatMap((pod) => {
    const manifest = manifests.get(pod.name);
    if (manifest === undefined) return [];
    const origin = `${pod.secretsVersion} ${pod.configVersion} ${settings.kubernetesVersion}`;
    return [{ name: pod.name, origin, manifest: plainJson(manifest), status: shownStatus(machine, pod) }];
  });
}

/** As the API has it: whole seconds, what runs told container by container; the class is the API server's to say. */
function shownStatus(machine: Machine, pod: StaticPod): JsonRecord {
  const at = kubeTime(pod.startedAt);
  const { qosClass: _class, conditions, containerStatuses, ...status } = plainJson(podStatus(machine, pod));
  const ip = status['podIP'] ?? '';
  return {
    ...status,
    startTime: at,
    hostIPs: [{ ip }],
    podIPs: [{ ip }],
    conditions: listOf(conditions).map((one) => ({ ...one, lastTransitionTime: at })),
    containerStatuses: listOf(containerStatuses).map((one) => ({
      ...one,
      imageID: '',
      lastState: {},
      state: { running: { startedAt: at } },
    })),
  };
}

const listOf = (value: Json | undefined): JsonRecord[] => (Array.isArray(value) ? value.filter(isRecord) : []);

const plainJson = (value: object): JsonRecord => {
  const plain: unknown = JSON.parse(JSON.stringify(value));
  return isRecord(plain) ? plain : {};
};
