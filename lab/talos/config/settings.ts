import type { TalosVersion } from '../types.ts';
import { argumentsAt, at, isTrue, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import type { ConfigDocument } from './documents.ts';
import { parseDuration } from './duration.ts';
import type { MachinePki } from './types.ts';
import { readPki } from './pki.ts';

/** What a config says, whichever form it says it in. */
export interface Settings {
  readonly minor: number;
  readonly role: 'control-plane' | 'worker';
  readonly clusterName: string;
  /** `''` when the config has none (1.14 accepts that). */
  readonly endpoint: string;
  readonly dnsDomain: string;
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  readonly machineCertSANs: readonly string[];
  readonly apiServer: ApiServerSettings;
  /** Static host name; undefined = the platform's. */
  readonly hostname: string | undefined;
  readonly nodeIPSubnets: readonly string[];
  readonly etcd: {
    readonly subnet: string | undefined;
    readonly advertised: readonly string[];
    readonly listen: readonly string[];
  };
  readonly addressSort: 'v1' | 'v2';
  readonly kubePrism: { readonly port: number } | undefined;
  readonly adminKubeconfigLifetimeMs: number;
  readonly kubernetesVersion: string;
  readonly pki: MachinePki;
  readonly legacy: Section;
  readonly documents: readonly ConfigDocument[];
}

export interface ApiServerSettings {
  readonly form: 'legacy' | 'document';
  readonly certSANs: readonly string[];
  readonly extraArgs: Readonly<Record<string, readonly string[]>>;
  readonly port: number;
  /** The first signs. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
}

/** The Kubernetes version that a Talos release takes when the config names no image. */
const DEFAULT_KUBERNETES: Readonly<Record<TalosVersion, string>> = {
  'v1.11.6': 'v1.34.1',
  'v1.12.11': 'v1.35.4',
  'v1.13.9': 'v1.36.3',
  'v1.14.0-rc.1': 'v1.37.0-rc.0',
};
const YEAR = 365 * 24 * 3_600_000;

export function readSettings(documents: readonly ConfigDocument[], version: TalosVersion): Settings {
  const of = (kind: string): Section | undefined => documents.find((document) => document.kind === kind)?.value;
  const legacy = of('') ?? {};
  const clusterDocument = of('KubeClusterConfig');
  const network = of('KubeNetworkConfig') ?? at(legacy, 'cluster', 'network');
  const endpoint = textAt(clusterDocument, 'endpoint') ?? textAt(legacy, 'cluster', 'controlPlane', 'endpoint') ?? '';
  const type = textAt(legacy, 'machine', 'type') ?? '';
  const orDefault = (values: readonly string[], standard: string): readonly string[] =>
    values.length > 0 ? values : [standard];
  const subnet = textAt(legacy, 'cluster', 'etcd', 'subnet');
  const role = type === 'controlplane' || type === 'init' ? 'control-plane' : 'worker';
  return {
    minor: minorOf(version),
    role,
    clusterName: textAt(clusterDocument, 'clusterName') ?? textAt(legacy, 'cluster', 'clusterName') ?? '',
    endpoint,
    dnsDomain: textAt(network, 'dnsDomain') ?? 'cluster.local',
    podSubnets: orDefault(textsAt(network, 'podSubnets'), '10.244.0.0/16'),
    serviceSubnets: orDefault(textsAt(network, 'serviceSubnets'), '10.96.0.0/12'),
    machineCertSANs: textsAt(legacy, 'machine', 'certSANs'),
    apiServer: readApiServer(legacy, of('KubeAPIServerConfig'), of('KubeServiceAccountConfig'), endpoint),
    hostname: textAt(of('HostnameConfig'), 'hostname') ?? textAt(legacy, 'machine', 'network', 'hostname'),
    nodeIPSubnets: [
      ...textsAt(legacy, 'machine', 'kubelet', 'nodeIP', 'validSubnets'),
      ...textsAt(of('KubeNodeConfig'), 'nodeIP', 'validSubnets'),
    ],
    etcd: {
      subnet: subnet === '' ? undefined : subnet,
      advertised: textsAt(legacy, 'cluster', 'etcd', 'advertisedSubnets'),
      listen: textsAt(legacy, 'cluster', 'etcd', 'listenSubnets'),
    },
    addressSort: textAt(legacy, 'machine', 'features', 'nodeAddressSortAlgorithm') === 'v2' ? 'v2' : 'v1',
    kubePrism: readKubePrism(legacy, of('KubePrismConfig')),
    adminKubeconfigLifetimeMs:
      parseDuration(textAt(legacy, 'cluster', 'adminKubeconfig', 'certLifetime') ?? '') ?? YEAR,
    kubernetesVersion: kubernetesVersion(legacy, of, role, version),
    pki: readPki(legacy, of),
    legacy,
    documents,
  };
}

/** 13 of `v1.13.9`. */
export const minorOf = (version: string): number => Number(version.split('.')[1]);

/** Interfaces of the legacy form, the ignored ones left out. */
export const legacyInterfaces = (legacy: Section): readonly Section[] =>
  sectionsAt(legacy, 'machine', 'network', 'interfaces').filter((entry) => !isTrue(entry, 'ignore'));

function readApiServer(
  legacy: Section,
  document: Section | undefined,
  serviceAccount: Section | undefined,
  endpoint: string,
): ApiServerSettings {
  const issuer = textAt(serviceAccount, 'issuer', 'issuerURL');
  const audiences = textsAt(serviceAccount, 'accepted', 'audiences');
  return {
    form: document === undefined ? 'legacy' : 'document',
    certSANs: [...textsAt(legacy, 'cluster', 'apiServer', 'certSANs'), ...textsAt(document, 'certExtraSANs')],
    extraArgs:
      document === undefined
        ? argumentsAt(legacy, 'cluster', 'apiServer', 'extraArgs')
        : argumentsAt(document, 'extraArgs'),
    port: numberAt(document, 'apiPort') ?? (numberAt(legacy, 'cluster', 'controlPlane', 'localAPIServerPort') || 6443),
    // Only the document form frees the issuer from the endpoint.
    issuers: issuer === undefined ? [endpoint] : [issuer, ...textsAt(serviceAccount, 'accepted', 'issuers')],
    audiences: issuer === undefined ? [endpoint] : audiences.length > 0 ? audiences : [issuer],
  };
}

function readKubePrism(legacy: Section, document: Section | undefined): { port: number } | undefined {
  if (document !== undefined) return { port: numberAt(document, 'port') ?? 0 };
  const feature = at(legacy, 'machine', 'features', 'kubePrism');
  return isTrue(feature, 'enabled') ? { port: numberAt(feature, 'port') || 7445 } : undefined;
}

function kubernetesVersion(
  legacy: Section,
  of: (kind: string) => Section | undefined,
  role: Settings['role'],
  version: TalosVersion,
): string {
  const server = textAt(of('KubeAPIServerConfig'), 'image') ?? textAt(legacy, 'cluster', 'apiServer', 'image');
  const kubelet = textAt(of('KubeletConfig'), 'image') ?? textAt(legacy, 'machine', 'kubelet', 'image');
  const image = (role === 'control-plane' ? server : undefined) ?? kubelet ?? '';
  return /:(v\d[^@]*)/.exec(image)?.[1] ?? DEFAULT_KUBERNETES[version];
}
