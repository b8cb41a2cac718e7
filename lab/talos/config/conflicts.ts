import { at, isSection, isTrue, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import type { ConfigDocument } from './documents.ts';
import { parseIp } from './ip.ts';

type Conflict = (legacy: Section, document: Section) => string | false | undefined;

const present = (legacy: Section, ...path: readonly string[]): boolean => at(legacy, ...path) !== undefined;
const text = (legacy: Section, ...path: readonly string[]): string => textAt(legacy, ...path) ?? '';

const section =
  (message: string, ...path: readonly string[]): Conflict =>
  (legacy) =>
    isSection(at(legacy, ...path)) && message;

const alreadySet =
  (what: string, ...path: readonly string[]): Conflict =>
  (legacy) =>
    (isSection(at(legacy, ...path)) || (present(legacy, ...path) && at(legacy, ...path) !== 0)) &&
    `${what} is already set in v1alpha1 config (.${path.join('.')})`;

const unusable = (what: string, where: string, kind: string, ...path: readonly string[]): Conflict =>
  section(
    `${what} config in v1alpha1 config (${where}) can't be used with ${kind} document, please remove it to avoid conflicts`,
    ...path,
  );

const cluster = (what: string, key: string): Conflict => {
  const path = ['cluster', ...key.split('.')];
  return (legacy) =>
    text(legacy, ...path) !== '' &&
    `cluster ${what} is already set in the v1alpha1 config (.cluster.${key}). Please remove it and use only the new KubeClusterConfig document to avoid conflicts`;
};

const admission: Conflict = (legacy) =>
  sectionsAt(legacy, 'cluster', 'apiServer', 'admissionControl').length > 0 &&
  'admission control plugin config is already set in v1alpha1 config';

const node = (...path: readonly string[]): Conflict => {
  return (legacy) => present(legacy, ...path) && `.${path.join('.')} is already set in v1alpha1 config`;
};

/** Per kind, the settings of the v1alpha1 document it collides with; the first that holds is told. */
const CONFLICTS: Readonly<Record<string, readonly Conflict[]>> = {
  HostnameConfig: [
    (legacy) =>
      text(legacy, 'machine', 'network', 'hostname') !== '' && 'static hostname is already set in v1alpha1 config',
    (legacy) =>
      isTrue(legacy, 'machine', 'features', 'stableHostname') && 'stable hostname is already set in v1alpha1 config',
  ],
  ResolverConfig: [
    (legacy) =>
      present(legacy, 'machine', 'network', 'searchDomains') &&
      '.machine.network.searchDomains is already set in v1alpha1 config',
    (legacy) =>
      textsAt(legacy, 'machine', 'network', 'nameservers').some((server) => parseIp(server) !== undefined) &&
      '.machine.network.nameservers is already set in v1alpha1 config',
    (legacy) =>
      isTrue(legacy, 'machine', 'network', 'disableSearchDomain') &&
      '.machine.network.disableSearchDomain is already set in v1alpha1 config',
    (legacy, document) => {
      const hostDns = at(document, 'hostDNS');
      return (
        isSection(hostDns) &&
        Object.keys(hostDns).length > 0 &&
        isSection(at(legacy, 'machine', 'features', 'hostDNS')) &&
        '.machine.features.hostDNS is already set in v1alpha1 config'
      );
    },
  ],
  TimeSyncConfig: [
    (legacy) =>
      isTrue(legacy, 'machine', 'time', 'disabled') &&
      'time sync cannot be disabled in both v1alpha1 and new-style configuration',
    (legacy) =>
      textsAt(legacy, 'machine', 'time', 'servers').length > 0 &&
      'time servers cannot be specified in both v1alpha1 and new-style configuration',
    (legacy) =>
      !/^[+-]?(0[a-zµ]*)*$/.test(text(legacy, 'machine', 'time', 'bootTimeout')) &&
      'boot timeout cannot be specified in both v1alpha1 and new-style configuration',
  ],
  KubeSpanConfig: [
    section('kubespan is already configured in v1alpha1 machine.network.kubespan', 'machine', 'network', 'kubespan'),
  ],
  UnattendedInstallConfig: [
    section(
      'UnattendedInstallConfig config is incompatible with v1alpha1 config (.machine.install)',
      'machine',
      'install',
    ),
  ],
  KubeClusterConfig: [cluster('name', 'clusterName'), cluster('endpoint', 'controlPlane.endpoint')],
  KubeNetworkConfig: [
    section(
      'cluster network config is already set in the v1alpha1 config (.machine.cluster.network). Please remove it and use only the new KubeNetworkConfig document to avoid conflicts',
      'cluster',
      'network',
    ),
  ],
  KubeFlannelCNIConfig: [
    unusable('cluster network', '.machine.cluster.network', 'KubeFlannelCNIConfig', 'cluster', 'network'),
  ],
  KubePrismConfig: [
    unusable('KubePrism', '.machine.features.kubePrism', 'KubePrismConfig', 'machine', 'features', 'kubePrism'),
  ],
  KubeProxyConfig: [unusable('cluster proxy', '.machine.cluster.proxy', 'KubeProxyConfig', 'cluster', 'proxy')],
  KubeletConfig: [alreadySet('kubelet config', 'machine', 'kubelet')],
  KubeCredentialProviderConfig: [
    section(
      'cannot use KubeCredentialProviderConfig with legacy kubelet configuration (.machine.kubelet)',
      'machine',
      'kubelet',
    ),
  ],
  KubeNodeConfig: [
    node('cluster', 'allowSchedulingOnControlPlanes'),
    node('cluster', 'allowSchedulingOnMasters'),
    node('machine', 'kubelet', 'skipNodeRegistration'),
    node('machine', 'kubelet', 'registerWithFQDN'),
    node('machine', 'kubelet', 'nodeIP'),
    node('machine', 'nodeLabels'),
    node('machine', 'nodeAnnotations'),
    node('machine', 'nodeTaints'),
  ],
  KubeAPIServerConfig: [
    alreadySet('kube-apiserver config', 'cluster', 'apiServer'),
    alreadySet('kube-apiserver API port', 'cluster', 'controlPlane', 'localAPIServerPort'),
  ],
  KubeAPIServerCAConfig: [alreadySet('kube-apiserver CA', 'cluster', 'ca')],
  KubeAggregatorCAConfig: [
    section(
      'kube-apiserver aggregator CA is already set in v1alpha1 config (.cluster.aggregatorCA), please remove it and use the new KubeAggregatorCAConfig document instead',
      'cluster',
      'aggregatorCA',
    ),
  ],
  KubeServiceAccountConfig: [alreadySet('service account', 'cluster', 'serviceAccount')],
  KubeControllerManagerConfig: [
    alreadySet('kube-controller-manager config', 'cluster', 'controllerManager'),
    section(
      'kube-controller-manager config is already set in v1alpha1 config (.machine.controlplane.controllerManager)',
      'machine',
      'controlPlane',
      'controllerManager',
    ),
  ],
  KubeSchedulerConfig: [
    alreadySet('kube-scheduler config', 'cluster', 'scheduler'),
    section(
      'kube-scheduler config is already set in v1alpha1 config (.machine.controlplane.scheduler)',
      'machine',
      'controlPlane',
      'scheduler',
    ),
  ],
  KubeCoreDNSConfig: [alreadySet('CoreDNS config', 'cluster', 'coreDNS')],
  KubeAdmissionControlConfig: [admission],
  KubeAuthorizerConfig: [admission],
  KubeAuditPolicyConfig: [
    (legacy) => {
      const policy = at(legacy, 'cluster', 'apiServer', 'auditPolicy');
      return (
        isSection(policy) && Object.keys(policy).length > 0 && 'audit policy config is already set in v1alpha1 config'
      );
    },
  ],
  KubeEtcdEncryptionConfig: [
    (legacy) =>
      ['secretboxEncryptionSecret', 'aescbcEncryptionSecret'].some((key) => text(legacy, 'cluster', key) !== '') &&
      'etcd encryption config is already set in v1alpha1 config',
  ],
  KubeTalosAPIAccessConfig: [
    section(
      '.machine.features.kubernetesTalosAPIAccess is already set in v1alpha1 config',
      'machine',
      'features',
      'kubernetesTalosAPIAccess',
    ),
  ],
  DiscoveryServiceConfig: [
    section(
      'discovery service is already configured in .cluster.discovery of the v1alpha1 config',
      'cluster',
      'discovery',
    ),
  ],
  DiscoveryIdentityConfig: [
    (legacy) =>
      ['id', 'secret'].some((key) => text(legacy, 'cluster', key) !== '') &&
      'cluster identity is already configured in .cluster.id/.cluster.secret of the v1alpha1 config',
  ],
  ImageCacheConfig: [
    section('image cache config is already set in v1alpha1 config', 'machine', 'features', 'imageCache'),
  ],
  CRIBaseRuntimeSpecConfig: [
    section('base runtime spec overrides are already set in v1alpha1 config', 'machine', 'baseRuntimeSpecOverrides'),
  ],
};

/** Settings that both a document and the v1alpha1 document make: Talos refuses them, it knows no order of precedence. */
export function conflicts(documents: readonly ConfigDocument[]): readonly string[] {
  const legacy = documents.find(({ kind }) => kind === '')?.value;
  if (legacy === undefined) return [];
  return documents.flatMap(({ kind, value }) => {
    for (const conflict of CONFLICTS[kind] ?? []) {
      const message = conflict(legacy, value);
      if (typeof message === 'string') return [message];
    }
    return [];
  });
}
