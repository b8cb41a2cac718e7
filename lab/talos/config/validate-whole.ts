import { at, isSection, isTrue, sectionsAt, textAt, type Section } from './access.ts';
import type { ConfigDocument } from './documents.ts';
import type { RuntimeMode } from './validate-v1alpha1.ts';

/** Kinds that only control planes may have (1.14). */
const CONTROL_PLANE_ONLY = new Set(
  `KubeCoreDNSConfig KubeAuditPolicyConfig KubeAggregatorCAConfig KubeEtcdEncryptionConfig KubeFlannelCNIConfig
  KubeControllerManagerConfig KubeAdmissionControlConfig KubeServiceAccountConfig KubeAuthenticationConfig
  KubeAuthorizerConfig KubeAPIServerConfig KubeTalosAPIAccessConfig KubeProxyConfig KubeSchedulerConfig`.split(/\s+/),
);

/** What 1.14 checks across documents: a setting in one that another one needs. In its order and words. */
export function wholeErrors(
  documents: readonly ConfigDocument[],
  minor: number,
  mode: RuntimeMode = 'cloud',
): readonly string[] {
  if (minor < 14) return [];
  const of = (kind: string): Section | undefined => documents.find((document) => document.kind === kind)?.value;
  const legacy = of('');
  const type = textAt(legacy, 'machine', 'type');
  const controlPlane = type === 'controlplane' || type === 'init';
  const hasAuthority =
    of('KubeAPIServerCAConfig') !== undefined ||
    isSection(at(legacy, 'cluster', 'ca')) ||
    at(legacy, 'cluster', 'acceptedCAs') !== undefined;
  const encrypted =
    of('KubeEtcdEncryptionConfig') !== undefined ||
    ['secretboxEncryptionSecret', 'aescbcEncryptionSecret'].some((key) => text(legacy, 'cluster', key) !== '');
  const hasHostDns =
    isSection(at(legacy, 'machine', 'features', 'hostDNS')) || isSection(at(of('ResolverConfig'), 'hostDNS'));
  return [
    ...(mode === 'container' && !hasHostDns ? ['hostDNS config is required in container mode'] : []),
    ...resolverErrors(of),
    ...discoveryErrors(documents, of),
    ...(controlPlane && hasAuthority && !encrypted
      ? ['etcd encryption config is required for control plane machines running kube-apiserver']
      : []),
    ...(controlPlane ? [] : strangers(documents)),
  ];
}

type Of = (kind: string) => Section | undefined;

const text = (value: Section | undefined, ...path: readonly string[]): string => textAt(value, ...path) ?? '';

/** Names asked for over TLS need the host's own resolver. */
function resolverErrors(of: Of): readonly string[] {
  const resolver = of('ResolverConfig');
  const encrypted = sectionsAt(resolver, 'nameservers').some(
    (server) => (textAt(server, 'protocol') ?? 'do53').toLowerCase() !== 'do53',
  );
  const enabled = isTrue(resolver, 'hostDNS', 'enabled') || isTrue(of(''), 'machine', 'features', 'hostDNS', 'enabled');
  return encrypted && !enabled ? ['hostDNS must be enabled when using non-default DNS protocols'] : [];
}

function discoveryErrors(documents: readonly ConfigDocument[], of: Of): readonly string[] {
  const legacy = of('');
  const discovery = at(legacy, 'cluster', 'discovery');
  const discovers =
    documents.some(({ kind }) => kind === 'DiscoveryServiceConfig') ||
    (isTrue(discovery, 'enabled') && !isTrue(discovery, 'registries', 'service', 'disabled'));
  const identity = of('DiscoveryIdentityConfig');
  const [id, secret] =
    identity === undefined
      ? [text(legacy, 'cluster', 'id'), text(legacy, 'cluster', 'secret')]
      : [text(identity, 'clusterID'), text(identity, 'clusterSecret')];
  const needed = (what: string, key: string): string =>
    `cluster ${what} (.cluster.${key} or DiscoveryIdentityConfig) should be set when cluster discovery (DiscoveryServiceConfig) is enabled`;
  const span = of('KubeSpanConfig') ?? at(legacy, 'machine', 'network', 'kubespan');
  return [
    ...(discovers && id === '' ? [needed('ID', 'id')] : []),
    ...(discovers && secret === '' ? [needed('secret', 'secret')] : []),
    ...(isTrue(span, 'enabled') && !discovers ? ['KubeSpan requires cluster discovery to be enabled'] : []),
  ];
}

function strangers(documents: readonly ConfigDocument[]): readonly string[] {
  const kinds = documents.map(({ kind }) => kind).filter((kind) => CONTROL_PLANE_ONLY.has(kind));
  return kinds.length === 0
    ? []
    : [
        `the following document kinds are only allowed on control plane machines: [${[...new Set(kinds)].toSorted().join(' ')}]`,
      ];
}
