import { base64Problem, decodedLength } from './base64.ts';
import { at, isSection, numberAt, textAt, textsAt, type Section } from './access.ts';
import type { Value } from './decode.ts';
import { contains, formatIp, parseSubnet, type Subnet } from './ip.ts';
import { annotationErrors, framed, labelErrors, subdomainProblem, taintErrors } from './labels.ts';
import { endpointProblem, parseUrl } from './url.ts';
import { invalidSubnets, resourceProblem } from './validate-cluster.ts';
import { missing, type Check, type Mistakes } from './mistakes.ts';
import { protectedFieldErrors, unknownRoles } from './validate-v1alpha1.ts';

const endpointMistake = (endpoint: string | undefined): string | undefined => {
  if (endpoint === undefined) return 'endpoint must be specified';
  const problem = endpointProblem(endpoint);
  return problem === undefined ? undefined : `cluster endpoint is invalid: ${problem}`;
};

const portProblem = (port: number): string | undefined =>
  port >= 1 && port <= 65_535 ? undefined : `invalid port ${port}: must be in range 1-65535`;

const image = (value: Section, component: string): string | undefined =>
  missing(value, 'image', `${component} image cannot be empty`);

const resources = (value: Section): string | undefined => resourceProblem(at(value, 'resources'));

/** What is switched off is not looked at. */
const unlessOff =
  (check: Check): Check =>
  (value, name, minor) =>
    at(value, 'enabled') === false ? [] : check(value, name, minor);

/** Flags that have documents of their own; the longest beginning counts. */
const REPLACED = [
  ['anonymous-auth', 'use KubeAuthenticationConfig'],
  [
    'oidc-signing-algs',
    'not supported with KubeAuthenticationConfig: kube-apiserver rejects --oidc-* flags when structured authentication configuration is used, and the configuration has no equivalent setting (all RFC 7518 asymmetric algorithms are accepted)',
  ],
  ['oidc-', 'use KubeAuthenticationConfig'],
  ['authentication-config', 'use KubeAuthenticationConfig'],
  ['authorization-config', 'use KubeAuthorizerConfig'],
  ['authorization-mode', 'use KubeAuthorizerConfig'],
  ['authorization-webhook-', 'use KubeAuthorizerConfig'],
] as const;

const deniedArguments = (extraArgs: Value | undefined): readonly string[] =>
  Object.keys(isSection(extraArgs) ? extraArgs : {})
    .toSorted()
    .flatMap((name) => {
      const [, reason] = REPLACED.find(([prefix]) => name.startsWith(prefix)) ?? [];
      return reason === undefined
        ? []
        : [`kube-apiserver extra argument ${JSON.stringify(name)} is not allowed: ${reason}`];
    });

const PEM = /-----BEGIN ([^-]+)-----\r?\n[^-]*-----END \1-----/g;

function pemProblem(text: string, type?: string): string | undefined {
  const types = [...text.matchAll(PEM)].map(([, found]) => found ?? '');
  const odd = type === undefined ? undefined : types.find((found) => found !== type);
  if (odd !== undefined) return `unexpected PEM block type ${JSON.stringify(odd)}, expected one of ["${type ?? ''}"]`;
  return types.length === 0 ? 'no PEM blocks found' : undefined;
}

/** Whether the text between the marks is base64 of one ASN.1 sequence: what is inside is not looked at. */
function isSequence(pem: string): boolean {
  const body = (/-----BEGIN [^-]+-----([^-]*)-----END/.exec(pem)?.[1] ?? '').replaceAll(/\s/g, '');
  return decodedLength(body) !== undefined && atob(body).startsWith('0');
}

/** A certificate and its key; that what is well framed cannot be read is told in the lab's own words. */
function pairProblem(pair: Section): string | undefined {
  const [cert = '', key = ''] = [textAt(pair, 'cert'), textAt(pair, 'key')];
  if (cert === '') return 'certificate is required';
  if (key === '') return 'key is required';
  const certProblem = pemProblem(cert, 'CERTIFICATE');
  if (certProblem !== undefined) return `certificate: ${certProblem}`;
  const keyProblem = pemProblem(key);
  if (keyProblem !== undefined) return `key: ${keyProblem}`;
  if (!isSequence(cert)) return 'certificate is invalid: it cannot be read (lab)';
  return isSequence(key) ? undefined : 'key is invalid: it cannot be read (lab)';
}

const authority =
  (needed: boolean): Check =>
  (value) => {
    const issuing = at(value, 'issuingCA');
    const problem = isSection(issuing) ? pairProblem(issuing) : undefined;
    return [
      isSection(issuing) || !needed ? undefined : 'issuing CA is not set',
      problem === undefined ? undefined : `issuing CA: ${problem}`,
      ...textsAt(value, 'acceptedCAs').map((text, n) => {
        const mistake = pemProblem(text, 'CERTIFICATE');
        return mistake === undefined ? undefined : `accepted CA #${n}: ${mistake}`;
      }),
    ];
  };

function serviceAccountMistakes(value: Section): Mistakes {
  const key = textAt(value, 'issuer', 'privateKey') ?? '';
  return [
    key === ''
      ? 'service issuer private key is required'
      : pemProblem(key) !== undefined
        ? 'service issuer private key is invalid: failed to parse PEM block'
        : isSequence(key)
          ? undefined
          : 'service issuer private key is invalid: it cannot be read (lab)',
    (textAt(value, 'issuer', 'issuerURL') ?? '') === '' ? 'service issuer URL is required' : undefined,
  ];
}

/** How far the network of pods may be from a node's share of it, and the largest network of services. */
const [MOST_NODES_BITS, MOST_SERVICES_BITS, LEAST_BITS] = [16, 20, 4];

function networkMistakes(value: Section): Mistakes {
  const mask4 = numberAt(value, 'nodeCIDRMaskSizeIPv4') ?? 0;
  const mask6 = numberAt(value, 'nodeCIDRMaskSizeIPv6') ?? 0;
  const good4 = mask4 >= 0 && mask4 <= 32;
  const good6 = mask6 >= 0 && mask6 <= 128;
  const pods = textsAt(value, 'podSubnets');
  const services = textsAt(value, 'serviceSubnets');
  const podSize = ({ ip, length }: Subnet, text: string): string | undefined => {
    const size = ip.bits === 32 ? mask4 || 24 : mask6 || 80;
    if (!(ip.bits === 32 ? good4 : good6)) return undefined;
    if (length > size) return `invalid subnet: ${text} is smaller than the per-node pod CIDR mask size /${size}`;
    return size - length > MOST_NODES_BITS
      ? `invalid subnet: ${text} is too large for the per-node pod CIDR mask size /${size}, the difference must be at most ${MOST_NODES_BITS} bits`
      : undefined;
  };
  const serviceSize = ({ ip, length }: Subnet, text: string): string | undefined =>
    ip.bits - length > MOST_SERVICES_BITS
      ? `invalid subnet: ${text} is too large, it must be at least /${ip.bits - MOST_SERVICES_BITS} (at most ${MOST_SERVICES_BITS} host identifier bits)`
      : undefined;
  const [podProblem, serviceProblem] = [subnetsProblem(pods, podSize), subnetsProblem(services, serviceSize)];
  return [
    good4 ? undefined : 'nodeCIDRMaskSizeIPv4 must be between 1 and 32',
    good6 ? undefined : 'nodeCIDRMaskSizeIPv6 must be between 1 and 128',
    podProblem === undefined ? undefined : `pod subnets: ${podProblem}`,
    serviceProblem === undefined ? undefined : `service subnets: ${serviceProblem}`,
    pods.length === services.length ? undefined : 'the number of pod subnets must match the number of service subnets',
  ];
}

function subnetsProblem(
  texts: readonly string[],
  size: (subnet: Subnet, text: string) => string | undefined,
): string | undefined {
  if (texts.length === 0) return 'at least one subnet must be specified';
  if (texts.length > 2) return 'at most two subnets can be specified for dual-stack clusters';
  const families: number[] = [];
  for (const text of texts) {
    const subnet = text.includes('/') ? parseSubnet(text) : undefined;
    if (subnet === undefined) return 'invalid subnet: invalid Prefix';
    const { ip, length } = subnet;
    const shift = BigInt(ip.bits - length);
    const first = { ...ip, value: (ip.value >> shift) << shift };
    const shown = `${formatIp(ip)}/${length}`;
    if (!contains({ ip: first, length: ip.bits }, ip)) return `invalid subnet: ${shown} is not a valid CIDR`;
    if (ip.bits - length < LEAST_BITS)
      return `invalid subnet: /${length} is too small, it must be larger than /${length - LEAST_BITS}`;
    const problem = size(subnet, shown);
    if (problem !== undefined) return problem;
    families.push(ip.bits);
  }
  return new Set(families).size < families.length
    ? 'at most one IPv4 and one IPv6 subnet can be specified for dual-stack clusters'
    : undefined;
}

const textsOf = (value: Value | undefined): Readonly<Record<string, string>> =>
  isSection(value)
    ? Object.fromEntries(Object.entries(value).map(([key, text]) => [key, typeof text === 'string' ? text : '']))
    : {};

const nodeMistakes = (value: Section): Mistakes => [
  ...invalidSubnets(textsAt(value, 'nodeIP', 'validSubnets')).map(
    (text) => `nodeIP subnet is not valid: ${JSON.stringify(text)}`,
  ),
  ...framed('invalid node labels', labelErrors(textsOf(at(value, 'labels')))),
  ...framed('invalid node annotations', annotationErrors(textsOf(at(value, 'annotations')))),
  ...framed('invalid node taints', taintErrors(textsOf(at(value, 'taints')))),
];

const AUTHORIZERS = ['Node', 'RBAC', 'Webhook'];

function authorizerMistakes(value: Section, name: string): Mistakes {
  const type = textAt(value, 'type') ?? '';
  const webhook = at(value, 'webhook');
  return [
    name === '' ? 'authorizer name is required' : undefined,
    type === '' ? 'authorizer type is required' : undefined,
    AUTHORIZERS.includes(type)
      ? undefined
      : `authorizer type ${type} is not allowed, allowed types are [${AUTHORIZERS.join(' ')}]`,
    type === 'Webhook' && !(isSection(webhook) && Object.keys(webhook).length > 0)
      ? 'authorizer webhook configuration is required for Webhook authorizer type'
      : undefined,
  ];
}

const manifestName = (name: string, what = 'manifest'): string | undefined => {
  if (name === '') return `${what} name is required`;
  const problem = subdomainProblem(name);
  return problem === undefined ? undefined : `${what} name is invalid: ${problem}`;
};

const hasKeys = (value: Value | undefined): boolean => isSection(value) && Object.keys(value).length > 0;

function externalManifestMistakes(value: Section, name: string): Mistakes {
  const url = textAt(value, 'url') ?? '';
  const parsed = parseUrl(url);
  const scheme = 'error' in parsed ? '' : parsed.scheme;
  return [
    manifestName(name),
    url === ''
      ? 'manifest URL is required'
      : ['http', 'https'].includes(scheme)
        ? undefined
        : `manifest URL scheme must be http or https: ${JSON.stringify(scheme)}`,
  ];
}

const proxyMistakes = (value: Section): Mistakes => {
  const mode = textAt(value, 'mode') ?? '';
  return [
    image(value, 'proxy'),
    ['', 'nftables', 'iptables', 'ipvs'].includes(mode)
      ? undefined
      : `invalid proxy mode ${JSON.stringify(mode)}: supported modes are iptables, ipvs and nftables`,
    resources(value),
  ];
};

/** The first thing that is wrong is told. */
function discoveryMistakes(value: Section, name: string): Mistakes {
  const endpoint = textAt(value, 'endpoint') ?? '';
  if (name === '') return ['name is required'];
  if (endpoint === '') return ['endpoint is required'];
  const url = parseUrl(endpoint);
  if ('error' in url) return [];
  if (url.scheme === '') return ['endpoint scheme is required'];
  if (!['http', 'https', 'grpc'].includes(url.scheme)) return ['endpoint scheme must be http://, https:// or grpc://'];
  return [url.hostname === '' ? 'endpoint host is required' : undefined];
}

function identityMistakes(value: Section): Mistakes {
  const secret = textAt(value, 'clusterSecret') ?? '';
  if ((textAt(value, 'clusterID') ?? '') === '') return ['clusterID is required'];
  if (secret === '') return ['clusterSecret is required'];
  const problem = base64Problem(secret);
  if (problem !== undefined) return [`invalid clusterSecret: failed to decode from base64: ${secret}; ${problem}`];
  const length = decodedLength(secret);
  return [length === 32 ? undefined : `invalid clusterSecret: expected 32 bytes, got ${length}: ${secret}`];
}

/** Talos' checks of each kind of Kubernetes and cluster document, in its order and words. */
export const KUBE_CHECKS: Readonly<Record<string, Check>> = {
  KubeClusterConfig: (value) => [missing(value, 'clusterName'), endpointMistake(textAt(value, 'endpoint'))],
  KubeAPIServerConfig: (value) => [
    image(value, 'kube-apiserver'),
    ...deniedArguments(at(value, 'extraArgs')),
    resources(value),
  ],
  KubeAPIServerCAConfig: authority(false),
  KubeAggregatorCAConfig: authority(true),
  KubeServiceAccountConfig: serviceAccountMistakes,
  KubeControllerManagerConfig: unlessOff((value) => [image(value, 'kube-controller-manager'), resources(value)]),
  KubeSchedulerConfig: unlessOff((value) => [image(value, 'scheduler'), resources(value)]),
  KubeProxyConfig: unlessOff(proxyMistakes),
  KubeletConfig: (value) => [image(value, 'kubelet'), ...protectedFieldErrors(at(value, 'config'))],
  KubePrismConfig: (value) => [portProblem(numberAt(value, 'port') ?? 0)],
  KubeNetworkConfig: networkMistakes,
  KubeFlannelCNIConfig: (value) => [
    missing(value, 'backendType', 'flannel backend type must be specified'),
    resources(value),
  ],
  KubeNodeConfig: nodeMistakes,
  KubeAuthorizerConfig: authorizerMistakes,
  KubeAdmissionControlConfig: (_value, name) => [name === '' ? 'admission control plugin name is required' : undefined],
  KubeEtcdEncryptionConfig: (value) => [
    hasKeys(at(value, 'config')) ? undefined : 'etcd encryption config is required',
  ],
  KubeExternalManifestConfig: externalManifestMistakes,
  KubeInlineManifestConfig: (_value, name) => [manifestName(name)],
  KubeStaticPodConfig: (value, name) => [
    manifestName(name, 'static pod'),
    hasKeys(at(value, 'pod')) ? undefined : 'static pod spec is required',
  ],
  KubeTalosAPIAccessConfig: (value) =>
    unknownRoles(textsAt(value, 'allowedRoles')).map((role) => `invalid role ${JSON.stringify(role)} in .allowedRoles`),
  DiscoveryServiceConfig: discoveryMistakes,
  DiscoveryIdentityConfig: identityMistakes,
};
