import { argValue } from '../control-plane/api-server-args.ts';
import type { PodVersions } from '../control-plane/kubelet.ts';
import type { Machine, StaticPod } from '../machine.ts';
import { specYaml, type Resource } from './resource.ts';

/** Node name, node IPs, static pods, KubePrism, the API server's arguments, certificate names. */
export function kubernetesResources(machine: Machine, versions: PodVersions | undefined): Resource[] {
  const { facts, active } = machine;
  if (active === undefined) return [];
  const { derived } = active;
  const make = (namespace: string, type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace,
    type,
    id,
    owner,
    yaml: specYaml(spec),
  });
  const k8s = (type: string, id: string, owner: string, spec: unknown): Resource =>
    make('k8s', `${type}.kubernetes.talos.dev`, id, `k8s.${owner}`, spec);
  const sans = (id: string, owner: string, names: { dnsNames: readonly string[]; ipAddresses: readonly string[] }) =>
    make('secrets', 'CertSANs.secrets.talos.dev', id, `secrets.${owner}`, {
      ips: names.ipAddresses,
      dnsNames: names.dnsNames,
      fqdn: facts.hostname,
    });
  return [
    k8s('Nodenames', 'nodename', 'NodenameController', {
      nodename: facts.hostname,
      hostnameVersion: '1',
      skipNodeRegistration: false,
    }),
    k8s('NodeIPs', 'kubelet', 'NodeIPController', { addresses: derived.kubeletNodeIPs }),
    ...[...machine.podStatuses.values()].map((pod) => podStatus(machine, pod)),
    ...(derived.kubePrism === undefined
      ? []
      : [
          k8s('KubePrismConfigs', 'k8s-loadbalancer-config', 'KubePrismConfigController', {
            host: '127.0.0.1',
            port: derived.kubePrism.port,
            endpoints: kubePrismEndpoints(machine),
          }),
        ]),
    sans('api', 'APICertSANsController', derived.talosApiCertificate),
    ...(machine.role === 'worker'
      ? []
      : [
          sans('k8s', 'KubernetesCertSANsController', derived.kubernetesApiCertificate),
          make(
            'controlplane',
            'APIServerConfigs.kubernetes.talos.dev',
            'kube-apiserver',
            'k8s.ControlPlaneAPIServerController',
            {
              image: `registry.k8s.io/kube-apiserver:${derived.kubernetesVersion}`,
              controlPlaneEndpoint: derived.endpoint,
              localPort: Number(argValue(derived.kubeAPIServerArgs, '--secure-port') ?? 6443),
              args: derived.kubeAPIServerArgs,
            },
          ),
          ...(versions === undefined
            ? []
            : [
                make(
                  'controlplane',
                  'SecretStatuses.kubernetes.talos.dev',
                  'static-pods',
                  'k8s.RenderSecretsStaticPodController',
                  { ready: true, version: String(versions.secrets) },
                ),
              ]),
        ]),
  ];
}

/** Upstreams: the cluster endpoint (port 443 where it names none), this machine, every control plane's addresses. */
function kubePrismEndpoints(machine: Machine): { host: string; port: number }[] {
  const derived = machine.active?.derived;
  if (derived === undefined) return [];
  const url = URL.canParse(derived.endpoint) ? new URL(derived.endpoint) : undefined;
  const first = url === undefined ? [] : [{ host: url.hostname, port: url.port === '' ? 443 : Number(url.port) }];
  const planes = machine.ports.peers().filter((peer) => peer.role === 'control-plane');
  const own = machine.role === 'control-plane' ? [{ host: 'localhost', port: 6443 }] : [];
  return [...first, ...own, ...planes.flatMap((peer) => peer.addresses.map((host) => ({ host, port: 6443 })))];
}

function podStatus(machine: Machine, pod: StaticPod): Resource {
  const { facts } = machine;
  const at = pod.startedAt.toISOString();
  const state = pod.ready ? 'True' : 'False';
  const condition = (type: string, status: string): object => ({ lastTransitionTime: at, status, type });
  const nodeIP = machine.active?.derived.kubeletNodeIPs[0] ?? facts.privateIPv4;
  const version = machine.active?.derived.kubernetesVersion ?? '';
  return {
    namespace: 'k8s',
    type: 'StaticPodStatuses.kubernetes.talos.dev',
    id: `kube-system/${pod.name}-${facts.hostname}`,
    owner: 'k8s.KubeletStaticPodController',
    yaml: specYaml({
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
    }),
  };
}
