import { at, isSection, isTrue, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import { annotationErrors, framed, labelErrors, taintErrors } from './labels.ts';
import { clusterErrors, cniErrors, cniWarnings, invalidSubnets, kubeSpanMtu } from './validate-cluster.ts';
import { interfaceErrors, interfaceWarnings } from './validate-links.ts';
import { prefixProblem } from './go-addresses.ts';
import { parseUrl } from './url.ts';

export interface Problems {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Where the machine runs: `talosctl validate --mode`. A lab node runs in mode cloud. */
export type RuntimeMode = 'cloud' | 'metal' | 'container';

/** Talos' checks of the v1alpha1 document, in its order and words; what only a node with an installer checks is left out. */
export function validateV1Alpha1(config: Section, minor: number, mode: RuntimeMode = 'cloud'): Problems {
  const machine = at(config, 'machine');
  if (!isSection(machine)) return { errors: ['machine instructions are required'], warnings: [] };
  const type = textAt(machine, 'type') ?? '';
  const controlPlane = type === 'controlplane' || type === 'init';
  const worker = type === 'worker' || type === '';
  const cluster = at(config, 'cluster');
  const interfaces = sectionsAt(machine, 'network', 'interfaces');
  const network = isSection(at(machine, 'network'));
  // Since 1.14 the default plug-in is that of a document, so that an absent section is not looked at.
  const cni = controlPlane && (minor < 14 || isSection(at(cluster, 'network')));
  const errors = [
    ...clusterErrors(cluster, controlPlane, minor),
    // 1.14 has these settings in documents too: there the whole config is looked at.
    ...(minor < 14 ? modeErrors(machine, mode) : []),
    ...(minor >= 13 ? hostDnsErrors(at(machine, 'features', 'hostDNS')) : []),
    ...authorityErrors(machine, config, { controlPlane, worker, cni: cni ? cniErrors(cluster) : [] }),
    ...(controlPlane || worker ? [] : [`unknown machine type ${JSON.stringify(type)}`]),
    ...interfaceErrors(interfaces),
    ...(network ? kubeSpanErrors(machine, cluster, minor) : { mtu: [], rest: [] }).mtu,
    ...diskErrors(sectionsAt(machine, 'disks')),
    ...kubeletErrors(at(machine, 'kubelet')),
    ...['ephemeral', 'state'].flatMap((label) => encryptionErrors(label, at(machine, 'systemDiskEncryption', label))),
    ...(network ? kubeSpanErrors(machine, cluster, minor) : { mtu: [], rest: [] }).rest,
    ...sectionsAt(machine, 'logging', 'destinations').flatMap(loggingErrors),
    ...extensionErrors(extensionsOf(machine)),
    ...framed('invalid machine node labels', labelErrors(textsOf(at(machine, 'nodeLabels')))),
    ...framed('invalid machine node annotations', annotationErrors(textsOf(at(machine, 'nodeAnnotations')))),
    ...framed('invalid machine node taints', taintErrors(textsOf(at(machine, 'nodeTaints')))),
    ...talosAccessErrors(machine, controlPlane, minor),
    ...sortAlgorithmErrors(textAt(machine, 'features', 'nodeAddressSortAlgorithm') ?? ''),
    ...(at(config, 'persist') === false ? ['.persist should be enabled'] : []),
  ];
  return { errors, warnings: warningsOf(machine, cluster, { type, cni, minor }) };
}

function warningsOf(
  machine: Section,
  cluster: unknown,
  { type, cni, minor }: { readonly type: string; readonly cni: boolean; readonly minor: number },
): readonly string[] {
  const overrides = at(machine, 'baseRuntimeSpecOverrides');
  return [
    ...(minor >= 14 && sectionsAt(machine, 'files').length > 0
      ? ['.machine.files is deprecated; use dedicated configuration documents instead']
      : []),
    ...(minor >= 14 && isSection(overrides) && Object.keys(overrides).length > 0
      ? ['.machine.baseRuntimeSpecOverrides is deprecated; use a CRIBaseRuntimeSpecConfig document instead']
      : []),
    ...(type === '' ? ['use "worker" instead of "" for machine type'] : []),
    ...(cni ? cniWarnings(cluster) : []),
    ...interfaceWarnings(sectionsAt(machine, 'network', 'interfaces')),
    ...(extensionsOf(machine).length > 0
      ? [
          `.machine.install.extensions is deprecated, please see ${minor < 13 ? 'https://www.talos.dev/latest/talos-guides/install/boot-assets/' : 'https://docs.siderolabs.com/talos/latest/platform-specific-installations/boot-assets'}`,
        ]
      : []),
  ];
}

/** What a machine needs for where it runs. */
function modeErrors(machine: Section, mode: RuntimeMode): readonly string[] {
  const install = at(machine, 'install');
  const hostDns = at(machine, 'features', 'hostDNS') as Section | undefined;
  const needed = (key: string, what: string): readonly string[] =>
    isTrue(hostDns, key) ? [] : [`feature HostDNS should ${what} in container mode (.machine.features.hostDNS.${key})`];
  if (mode === 'metal' && !isSection(install)) return ['install instructions are required in "metal" mode'];
  if (mode !== 'container') return [];
  return [...needed('enabled', 'be enabled'), ...needed('forwardKubeDNSToHost', 'forward kube-dns to host')];
}

function hostDnsErrors(hostDns: unknown): readonly string[] {
  const section = hostDns as Section | undefined;
  return isTrue(section, 'forwardKubeDNSToHost') && !isTrue(section, 'enabled')
    ? ['feature hostDNS.forwardKubeDNSToHost requires hostDNS.enabled to be true (.machine.features.hostDNS)']
    : [];
}

function authorityErrors(
  machine: Section,
  config: Section,
  role: { readonly controlPlane: boolean; readonly worker: boolean; readonly cni: readonly string[] },
): readonly string[] {
  const errors: string[] = [];
  const present = isSection(at(machine, 'ca'));
  const key = textAt(machine, 'ca', 'key') ?? '';
  const accepted = sectionsAt(machine, 'acceptedCAs').length > 0;
  if (!present && !accepted)
    errors.push('issuing CA or some accepted CAs are required (.machine.ca, machine.acceptedCAs)');
  errors.push(...role.cni);
  if (role.controlPlane && !present) errors.push('issuing CA is required (.machine.ca)');
  if (role.controlPlane && present && key === '')
    errors.push('issuing CA key is required for controlplane nodes (.machine.ca.key)');
  if (!role.worker) return errors;
  for (const entry of sectionsAt(machine, 'network', 'interfaces')) {
    for (const place of [entry, ...sectionsAt(entry, 'vlans')]) {
      if (isSection(at(place, 'vip'))) errors.push('virtual (shared) IP is not allowed on non-controlplane nodes');
    }
  }
  if (key !== '') errors.push('issuing Talos API CA key is not allowed on non-controlplane nodes (.machine.ca)');
  if (present && (textAt(machine, 'ca', 'crt') ?? '') === '' && !accepted) {
    errors.push(
      'trusted CA certificates are required on non-controlplane nodes (.machine.ca.crt, .machine.acceptedCAs)',
    );
  }
  if ((textAt(config, 'cluster', 'ca', 'key') ?? '') !== '') {
    errors.push('issuing Kubernetes API CA key is not allowed on non-controlplane nodes (.cluster.ca)');
  }
  return errors;
}

/** KubeSpan needs room in its packets, and discovery with an identity. */
function kubeSpanErrors(
  machine: Section,
  cluster: unknown,
  minor: number,
): { readonly mtu: readonly string[]; readonly rest: readonly string[] } {
  const span = at(machine, 'network', 'kubespan');
  if (!isTrue(span, 'enabled')) return { mtu: [], rest: [] };
  const of = (key: string): string => textAt(cluster as Section | undefined, key) ?? '';
  const needs = (what: string): string => `.cluster.${what} when .machine.network.kubespan is enabled`;
  const misspelt = minor < 12 ? 'filer' : 'filter';
  return {
    mtu: (kubeSpanMtu(span) || 1420) < 1280 ? ['kubespan link MTU must be at least 1280'] : [],
    rest: [
      ...(minor < 14 && !isTrue(cluster as Section | undefined, 'discovery', 'enabled')
        ? [needs('discovery should be enabled')]
        : []),
      ...(minor < 14 && of('id') === '' ? [needs('id should be set')] : []),
      ...(minor < 14 && of('secret') === '' ? [needs('secret should be set')] : []),
      ...invalidSubnets(textsAt(span, 'filters', 'endpoints')).map(
        (text) => `KubeSpan endpoint ${misspelt} is not valid: ${JSON.stringify(text)}`,
      ),
      ...(minor < 12 ? [] : textsAt(span, 'filters', 'excludeAdvertisedNetworks'))
        .filter((text) => text === '' || prefixProblem(text) !== undefined)
        .map((text) => `KubeSpan exclude advertised networks filter is not valid: ${JSON.stringify(text)}`),
    ],
  };
}

const diskErrors = (disks: readonly Section[]): readonly string[] =>
  disks.flatMap((disk) => {
    const partitions = sectionsAt(disk, 'partitions');
    return partitions
      .slice(0, -1)
      .filter((partition) => ['', '0'].includes(textAt(partition, 'size') ?? ''))
      .map(
        () =>
          `partition for disk ${JSON.stringify(textAt(disk, 'device') ?? '')} is set to occupy full disk, but it's not the last partition in the list`,
      );
  });

/** Fields of the kubelet's configuration that are Talos' own. */
const PROTECTED = `apiVersion authentication authorization cgroupRoot kind kubeletCgroups port protectKernelDefaults
  resolvConf rotateCertificates systemCgroups staticPodPath seccompDefault`.split(/\s+/);

/** Talos' own fields that a kubelet configuration tries to set. */
export const protectedFieldErrors = (extra: unknown): readonly string[] =>
  PROTECTED.filter((field) => isSection(extra as Section) && Object.hasOwn(extra as Section, field)).map(
    (field) => `kubelet configuration field ${JSON.stringify(field)} can't be overridden`,
  );

const kubeletErrors = (kubelet: unknown): readonly string[] => [
  ...invalidSubnets(textsAt(kubelet as Section | undefined, 'nodeIP', 'validSubnets')).map(
    (subnet) => `kubelet nodeIP subnet is not valid: ${JSON.stringify(subnet)}`,
  ),
  ...protectedFieldErrors(at(kubelet as Section | undefined, 'extraConfig')),
];

function encryptionErrors(label: string, encryption: unknown): readonly string[] {
  if (!isSection(encryption as Section)) return [];
  const keys = sectionsAt(encryption as Section, 'keys');
  const partition = `partition ${JSON.stringify(label.toUpperCase())}`;
  const seen = new Set<number>();
  return [
    ...(keys.length === 0 ? [`${partition}: no encryption keys provided`] : []),
    ...keys.flatMap((key) => {
      const slot = numberAt(key, 'slot') ?? 0;
      const again = seen.has(slot);
      seen.add(slot);
      const given = ['nodeID', 'static', 'kms', 'tpm'].some((kind) => isSection(at(key, kind)));
      return [
        ...(again ? [`${partition}: encryption key slot ${slot} is already in use`] : []),
        ...(given ? [] : [`${partition}: encryption key at slot ${slot} doesn't have the configuration parameters`]),
      ];
    }),
  ];
}

function loggingErrors(destination: Section): readonly string[] {
  const text = textAt(destination, 'endpoint');
  const format = textAt(destination, 'format') ?? '';
  const url = text === undefined ? undefined : parseUrl(text);
  return [
    ...(url === undefined || 'error' in url
      ? ['empty logging endpoint']
      : [
          ...(url.hostname === '' && url.port === '' ? ["empty logging endpoint's host"] : []),
          ...(['tcp', 'udp'].includes(url.scheme)
            ? []
            : [`unexpected logging endpoint scheme ${JSON.stringify(url.scheme)}`]),
        ]),
    ...(format === 'json_lines' ? [] : [`unknown logging format ${JSON.stringify(format)}`]),
  ];
}

const extensionsOf = (machine: Section): readonly string[] =>
  sectionsAt(machine, 'install', 'extensions').map((extension) => textAt(extension, 'image') ?? '');

const extensionErrors = (images: readonly string[]): readonly string[] =>
  images
    .filter((image, n) => images.indexOf(image) !== n)
    .map((image) => `duplicate system extension ${JSON.stringify(image)}`);

const textsOf = (value: unknown): Readonly<Record<string, string>> =>
  isSection(value as Section)
    ? Object.fromEntries(
        Object.entries(value as Section).map(([key, text]) => [key, typeof text === 'string' ? text : '']),
      )
    : {};

const ROLES = ['os:admin', 'os:reader', 'os:operator', 'os:etcd:backup', 'os:impersonator'];

/** Roles of the Talos API that do not exist. */
export const unknownRoles = (roles: readonly string[]): readonly string[] =>
  roles.filter((role) => !ROLES.includes(role));

function talosAccessErrors(machine: Section, controlPlane: boolean, minor: number): readonly string[] {
  const access = at(machine, 'features', 'kubernetesTalosAPIAccess');
  if (!isTrue(access, 'enabled')) return [];
  return [
    ...(minor < 12 && !isTrue(machine, 'features', 'rbac')
      ? ['feature API RBAC should be enabled when Kubernetes Talos API Access feature is enabled']
      : []),
    ...(controlPlane ? [] : ['feature Kubernetes Talos API Access can only be enabled on control plane machines']),
    ...unknownRoles(textsAt(access, 'allowedRoles')).map(
      (role) => `invalid role ${JSON.stringify(role)} in allowed roles for Kubernetes Talos API Access`,
    ),
  ];
}

const sortAlgorithmErrors = (text: string): readonly string[] =>
  ['', 'v1', 'v2'].includes(text.toLowerCase())
    ? []
    : [`invalid node address sort algorithm: ${text} does not belong to AddressSortAlgorithm values`];
