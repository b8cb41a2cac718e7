import { argumentsAt, isTrue } from '../config/access.ts';
import { minorOf, type Settings } from '../config/settings.ts';
import type { PodVersions } from '../control-plane/kubelet.ts';
import type { Machine } from '../machine.ts';
import { controlPlaneResources } from './control-plane.ts';
import { kubeletImage } from './images.ts';
import type { Resource } from './resource.ts';
import { serviceAddress } from './service-address.ts';
import { settingsOf } from './settings.ts';
import { podStatus, staticPods } from './static-pods.ts';

/** Node name, node IPs, kubelet, static pods, KubePrism, and what a control plane renders. */
export function kubernetesResources(machine: Machine, versions: PodVersions | undefined): Resource[] {
  const { facts, active } = machine;
  const settings = settingsOf(machine);
  if (active === undefined || settings === undefined) return [];
  const { derived } = active;
  const k8s = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'k8s',
    type: `${type}.kubernetes.talos.dev`,
    id,
    owner: `k8s.${owner}`,
    spec,
  });
  const kubelet = machine.services.get('kubelet')?.state === 'Running';
  const endpoints = kubePrismEndpoints(machine, settings);
  return [
    k8s('Nodenames', 'nodename', 'NodenameController', {
      nodename: facts.hostname,
      hostnameVersion: '1',
      skipNodeRegistration: false,
    }),
    k8s('NodeIPs', 'kubelet', 'NodeIPController', { addresses: derived.kubeletNodeIPs }),
    k8s('KubeletSpecs', 'kubelet', 'KubeletSpecController', kubeletSpec(machine, settings)),
    ...(minorOf(machine.ports.version) >= 14 && kubelet
      ? [k8s('KubeletStatuses', 'kubelet', 'KubeletServiceController', { image: kubeletImage(settings) })]
      : []),
    ...[...machine.podStatuses.values()].map((pod) =>
      k8s(
        'StaticPodStatuses',
        `kube-system/${pod.name}-${facts.hostname}`,
        'KubeletStaticPodController',
        podStatus(machine, pod),
      ),
    ),
    ...(versions === undefined
      ? []
      : staticPods(machine, settings, versions).map(([id, spec]) =>
          k8s('StaticPods', id, 'ControlPlaneStaticPodController', spec),
        )),
    ...(derived.kubePrism === undefined
      ? []
      : [
          k8s('KubePrismEndpoints', 'k8s-cluster', 'KubePrismEndpointsController', { endpoints }),
          k8s('KubePrismConfigs', 'k8s-loadbalancer-config', 'KubePrismConfigController', {
            host: '127.0.0.1',
            port: derived.kubePrism.port,
            endpoints,
          }),
          k8s('KubePrismStatuses', 'k8s-loadbalancer', 'KubePrismController', {
            host: `127.0.0.1:${derived.kubePrism.port}`,
            healthy: machine.role === 'worker' || machine.pods.get('kube-apiserver')?.ready === true,
          }),
        ]),
    ...(machine.role === 'worker' ? [] : controlPlaneResources(machine, settings, versions)),
  ];
}

/** The kubelet's command line and configuration, as far as they follow from the config. */
function kubeletSpec(machine: Machine, settings: Settings): object {
  const { hostname } = machine.facts;
  const given = argumentsAt(settings.legacy, 'machine', 'kubelet', 'extraArgs');
  const args: Record<string, readonly string[]> = {
    'bootstrap-kubeconfig': ['/etc/kubernetes/bootstrap-kubeconfig'],
    'cert-dir': ['/var/lib/kubelet/pki'],
    ...(isTrue(settings.legacy, 'cluster', 'externalCloudProvider', 'enabled')
      ? { 'cloud-provider': ['external'] }
      : {}),
    config: ['/etc/kubernetes/kubelet.yaml'],
    'hostname-override': [hostname],
    kubeconfig: ['/etc/kubernetes/kubeconfig-kubelet'],
    'node-ip': [(machine.active?.derived.kubeletNodeIPs ?? []).join(',')],
    ...given,
  };
  const [first = ''] = settings.serviceSubnets;
  return {
    image: kubeletImage(settings),
    args: Object.keys(args)
      .toSorted()
      .flatMap((name) => (args[name] ?? []).map((value) => `--${name}=${value}`)),
    ...(given['hostname-override'] === undefined ? { expectedNodename: hostname } : {}),
    config: {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: '/etc/kubernetes/pki/ca.crt' },
      },
      authorization: { mode: 'Webhook' },
      clusterDNS: [serviceAddress(first, 10)],
      clusterDomain: settings.dnsDomain,
      kind: 'KubeletConfiguration',
      port: 10_250,
      protectKernelDefaults: true,
      rotateCertificates: true,
    },
  };
}

/** Upstreams: the cluster endpoint (port 443 where it names none), this machine, every control plane's addresses. */
/** Where KubePrism sends connections: the cluster endpoint, the machine's own API server, those of its peers. */
export function kubePrismEndpoints(machine: Machine, settings: Settings): { host: string; port: number }[] {
  const url = URL.canParse(settings.endpoint) ? new URL(settings.endpoint) : undefined;
  const first = url === undefined ? [] : [{ host: url.hostname, port: url.port === '' ? 443 : Number(url.port) }];
  const planes = machine.ports.peers().filter((peer) => peer.role === 'control-plane');
  const { port } = settings.apiServer;
  const own = machine.role === 'control-plane' ? [{ host: 'localhost', port }] : [];
  return [
    ...first,
    ...own,
    ...planes.flatMap(({ addresses, apiPort }) => addresses.map((host) => ({ host, port: apiPort }))),
  ];
}
