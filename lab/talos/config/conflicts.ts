import { at, isSection, textAt, type Section } from './access.ts';
import type { ConfigDocument } from './documents.ts';

interface Conflict {
  readonly kind: string;
  /** Where the v1alpha1 document says the same. */
  readonly path: readonly string[];
  readonly message: string;
}

const legacyNetwork = (kind: string): Conflict => ({
  kind,
  path: ['cluster', 'network'],
  message: `cluster network config in v1alpha1 config (.machine.cluster.network) can't be used with ${kind} document, please remove it to avoid conflicts`,
});

const alreadySet = (kind: string, what: string, ...path: readonly string[]): Conflict => ({
  kind,
  path,
  message: `${what} is already set in v1alpha1 config (.${path.join('.')})`,
});

/** The first of a kind that holds is told. */
const CONFLICTS: readonly Conflict[] = [
  {
    kind: 'HostnameConfig',
    path: ['machine', 'network', 'hostname'],
    message: 'static hostname is already set in v1alpha1 config',
  },
  {
    kind: 'ResolverConfig',
    path: ['machine', 'network', 'nameservers'],
    message: '.machine.network.nameservers is already set in v1alpha1 config',
  },
  {
    kind: 'UnattendedInstallConfig',
    path: ['machine', 'install'],
    message: 'UnattendedInstallConfig config is incompatible with v1alpha1 config (.machine.install)',
  },
  ...(['clusterName', 'controlPlane.endpoint'] as const).map((key) => ({
    kind: 'KubeClusterConfig',
    path: ['cluster', ...key.split('.')],
    message: `cluster ${key === 'clusterName' ? 'name' : 'endpoint'} is already set in the v1alpha1 config (.cluster.${key}). Please remove it and use only the new KubeClusterConfig document to avoid conflicts`,
  })),
  legacyNetwork('KubeNetworkConfig'),
  legacyNetwork('KubeFlannelCNIConfig'),
  {
    kind: 'KubePrismConfig',
    path: ['machine', 'features', 'kubePrism'],
    message:
      "KubePrism config in v1alpha1 config (.machine.features.kubePrism) can't be used with KubePrismConfig document, please remove it to avoid conflicts",
  },
  {
    kind: 'KubeProxyConfig',
    path: ['cluster', 'proxy'],
    message:
      "cluster proxy config in v1alpha1 config (.machine.cluster.proxy) can't be used with KubeProxyConfig document, please remove it to avoid conflicts",
  },
  alreadySet('KubeletConfig', 'kubelet config', 'machine', 'kubelet'),
  alreadySet('KubeNodeConfig', 'kubelet config', 'machine', 'kubelet'),
  alreadySet('KubeAPIServerConfig', 'kube-apiserver config', 'cluster', 'apiServer'),
  alreadySet('KubeAPIServerConfig', 'kube-apiserver config', 'cluster', 'controlPlane', 'localAPIServerPort'),
  alreadySet('KubeAPIServerCAConfig', 'kube-apiserver CA', 'cluster', 'ca'),
  alreadySet('KubeAggregatorCAConfig', 'aggregator CA', 'cluster', 'aggregatorCA'),
  alreadySet('KubeServiceAccountConfig', 'service account', 'cluster', 'serviceAccount'),
  alreadySet('KubeControllerManagerConfig', 'kube-controller-manager config', 'cluster', 'controllerManager'),
  alreadySet('KubeSchedulerConfig', 'kube-scheduler config', 'cluster', 'scheduler'),
  alreadySet('DiscoveryServiceConfig', 'discovery config', 'cluster', 'discovery'),
];

/** Settings that both a document and the v1alpha1 document make: Talos refuses them, it knows no order of precedence. */
export function conflicts(documents: readonly ConfigDocument[]): readonly string[] {
  const legacy = documents.find(({ kind }) => kind === '')?.value;
  if (legacy === undefined) return [];
  return documents.flatMap((document) => {
    const found = CONFLICTS.find((conflict) => conflict.kind === document.kind && isSet(legacy, conflict, document));
    return found === undefined ? [] : [found.message];
  });
}

function isSet(legacy: Section, { path, kind }: Conflict, document: ConfigDocument): boolean {
  const value = at(legacy, ...path);
  // A HostnameConfig always collides with a static name; a ResolverConfig only when it names servers itself.
  if (kind === 'ResolverConfig' && at(document.value, 'nameservers') === undefined) return false;
  return (
    isSection(value) ||
    (value !== undefined && value !== '' && value !== 0 && !(Array.isArray(value) && value.length === 0))
  );
}

/** Kinds that workers have too; every other `Kube…` kind is for control planes only (1.14's generator draws the line so). */
const FOR_ALL = new Set([
  'KubeClusterConfig',
  'KubeNodeConfig',
  'KubeletConfig',
  'KubeNetworkConfig',
  'KubeAPIServerCAConfig',
  'KubePrismConfig',
  'KubeSpanConfig',
  'KubeSpanEndpoints',
  'KubeCredentialProviderConfig',
  'KubeStaticPodConfig',
]);

/** Refusal of documents that only control planes may have; a config without a v1alpha1 document has no machine type yet. */
export function controlPlaneOnly(documents: readonly ConfigDocument[]): readonly string[] {
  const type = textAt(documents.find(({ kind }) => kind === '')?.value, 'machine', 'type');
  if (type === 'controlplane' || type === 'init') return [];
  const kinds = documents.map(({ kind }) => kind).filter((kind) => kind.startsWith('Kube') && !FOR_ALL.has(kind));
  if (kinds.length === 0) return [];
  return [
    `the following document kinds are only allowed on control plane machines: [${[...new Set(kinds)].toSorted().join(' ')}]`,
  ];
}
