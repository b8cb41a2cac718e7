import { argumentsAt, at, isTrue, sectionsAt, textAt, type Section } from '../config/access.ts';
import { minorOf, type Settings } from '../config/settings.ts';
import type { PodVersions } from '../control-plane/kubelet.ts';
import type { Machine } from '../machine.ts';
import { shownArgument } from './cluster.ts';
import { imageOf } from './images.ts';
import type { Resource } from './resource.ts';
import { serviceAddress } from './service-address.ts';

/** What a control plane's static pods and first manifests are rendered from. */
export function controlPlaneResources(
  machine: Machine,
  settings: Settings,
  versions: PodVersions | undefined,
): Resource[] {
  const make = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'controlplane',
    type: `${type}.kubernetes.talos.dev`,
    id,
    owner,
    spec,
  });
  const { legacy } = settings;
  const external = isTrue(legacy, 'cluster', 'externalCloudProvider', 'enabled') ? 'external' : '';
  const part = (key: string): object => {
    const section = at(legacy, 'cluster', key);
    return {
      extraArgs: shown(machine, argumentsAt(section, 'extraArgs')),
      extraVolumes: sectionsAt(section, 'extraVolumes').map(volumeOf),
      environmentVariables: plain(at(section, 'env')),
      resources: resourcesOf(at(section, 'resources')),
    };
  };
  const addresses = [
    machine.facts.privateIPv4,
    ...machine.ports.peers().flatMap((peer) => (peer.role === 'control-plane' ? [peer.privateIPv4] : [])),
  ];
  const { extraArgs: _own, ...server } = part('apiServer') as { extraArgs: object };
  return [
    make('APIServerConfigs', 'kube-apiserver', 'k8s.ControlPlaneAPIServerController', {
      image: imageOf(settings, 'apiServer', 'kube-apiserver', 'registry.k8s.io'),
      cloudProvider: external,
      controlPlaneEndpoint: settings.endpoint,
      etcdServers: ['https://127.0.0.1:2379'],
      localPort: settings.apiServer.port,
      serviceCIDR: settings.serviceSubnets,
      extraArgs: shown(machine, settings.apiServer.extraArgs),
      ...server,
      advertisedAddress: '$(POD_IP)',
    }),
    make('ControllerManagerConfigs', 'kube-controller-manager', 'k8s.ControlPlaneControllerManagerController', {
      enabled: !isTrue(legacy, 'machine', 'controlPlane', 'controllerManager', 'disabled'),
      image: imageOf(settings, 'controllerManager', 'kube-controller-manager', 'registry.k8s.io'),
      cloudProvider: external,
      podCIDRs: settings.podSubnets,
      serviceCIDRs: settings.serviceSubnets,
      ...part('controllerManager'),
    }),
    make('SchedulerConfigs', 'kube-scheduler', 'k8s.ControlPlaneSchedulerController', {
      enabled: !isTrue(legacy, 'machine', 'controlPlane', 'scheduler', 'disabled'),
      image: imageOf(settings, 'scheduler', 'kube-scheduler', 'registry.k8s.io'),
      ...part('scheduler'),
      config: plain(at(legacy, 'cluster', 'scheduler', 'config')),
    }),
    make(
      'BootstrapManifestsConfigs',
      'manifests',
      'k8s.ControlPlaneBootstrapManifestsController',
      manifests(machine, settings),
    ),
    make('Endpoints', 'discovery', 'cluster.EndpointController', {
      addresses,
      ...(minorOf(machine.ports.version) >= 12 ? { hosts: [] } : {}),
    }),
    ...(versions === undefined
      ? []
      : [
          make('SecretStatuses', 'static-pods', 'k8s.RenderSecretsStaticPodController', {
            ready: true,
            version: String(versions.secrets),
          }),
          make('ConfigStatuses', 'static-pods', 'k8s.RenderConfigsStaticPodController', { ready: true, version: '1' }),
        ]),
  ];
}

/** `string` is Talos' own name of the key: a slip, which clients know by now. */
function manifests(machine: Machine, settings: Settings): object {
  const { legacy, documents } = settings;
  const { kubePrism } = machine.active?.derived ?? {};
  const [services = ''] = settings.serviceSubnets;
  const cni = textAt(legacy, 'cluster', 'network', 'cni', 'name') ?? 'flannel';
  const off = (key: string, kind: string): boolean =>
    isTrue(legacy, 'cluster', key, 'disabled') ||
    documents.some((document) => document.kind === kind && at(document.value, 'enabled') === false);
  const proxy = !off('proxy', 'KubeProxyConfig');
  const dns = !off('coreDNS', 'KubeCoreDNSConfig');
  return {
    string: kubePrism === undefined ? settings.endpoint : `https://127.0.0.1:${kubePrism.port}`,
    clusterDomain: settings.dnsDomain,
    podCIDRs: settings.podSubnets,
    proxyEnabled: proxy,
    proxyImage:
      textAt(legacy, 'cluster', 'proxy', 'image') ?? `registry.k8s.io/kube-proxy:${settings.kubernetesVersion}`,
    proxyArgs: [
      `--cluster-cidr=${settings.podSubnets.join(',')}`,
      '--conntrack-max-per-core=0',
      '--hostname-override=$(NODE_NAME)',
      '--kubeconfig=/etc/kubernetes/kubeconfig',
      `--proxy-mode=${textAt(legacy, 'cluster', 'proxy', 'mode') ?? 'nftables'}`,
    ],
    coreDNSEnabled: dns,
    coreDNSImage: textAt(legacy, 'cluster', 'coreDNS', 'image') ?? 'registry.k8s.io/coredns/coredns:v1.14.3',
    dnsServiceIP: serviceAddress(services, 10),
    dnsServiceIPv6: '',
    flannelEnabled: cni === 'flannel',
    flannelImage: 'ghcr.io/siderolabs/flannel:v0.28.5',
    flannelExtraArgs: [],
    flannelKubeServiceHost: kubePrism === undefined ? '' : '127.0.0.1',
    flannelKubeServicePort: kubePrism === undefined ? '' : String(kubePrism.port),
    podSecurityPolicyEnabled: false,
    talosAPIServiceEnabled: isTrue(legacy, 'machine', 'features', 'kubernetesTalosAPIAccess', 'enabled'),
    ...(minorOf(machine.ports.version) >= 13 ? { cniName: cni } : {}),
  };
}

const shown = (machine: Machine, args: Readonly<Record<string, readonly string[]>>): object =>
  Object.fromEntries(Object.entries(args).map(([name, values]) => [name, shownArgument(machine, values)]));

const plain = (value: unknown): object => (typeof value === 'object' && value !== null ? value : {});

const volumeOf = (volume: Section): object => ({
  name: textAt(volume, 'name') ?? '',
  hostPath: textAt(volume, 'hostPath') ?? '',
  mountPath: textAt(volume, 'mountPath') ?? '',
  readonly: isTrue(volume, 'readonly'),
});

function resourcesOf(value: unknown): object {
  const { requests = {}, limits = {} } = plain(value) as { requests?: object; limits?: object };
  return { requests: { cpu: '', memory: '', ...requests }, limits };
}
