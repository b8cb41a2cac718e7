import { at, isSection, isTrue, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import { parseSubnet } from './ip.ts';
import { endpointProblem, parseUrl } from './url.ts';

/** Talos' checks of the `cluster` section, in its order and words. */
export function clusterErrors(cluster: unknown, controlPlane: boolean, minor: number): readonly string[] {
  if (!isSection(cluster as Section)) return ['cluster instructions are required'];
  const config = cluster as Section;
  const section = at(config, 'controlPlane');
  const endpoint = textAt(section, 'endpoint');
  // 1.14 knows another place for the endpoint, and so misses none when the whole section is absent.
  if (endpoint === undefined && (section !== undefined || minor < 14))
    return ['cluster controlplane endpoint is required'];
  const problem = endpoint === undefined ? undefined : endpointProblem(endpoint);
  const domain = textAt(config, 'network', 'dnsDomain') ?? '';
  const etcd = at(config, 'etcd');
  return [
    ...(problem === undefined ? [] : [`invalid controlplane endpoint: ${problem}`]),
    ...(domain === '' || isDnsName(domain) ? [] : [`${JSON.stringify(domain)} is not a valid DNS name`]),
    ...cloudProviderErrors(at(config, 'externalCloudProvider')),
    ...(isSection(etcd)
      ? controlPlane
        ? etcdErrors(etcd)
        : ['etcd config is only allowed on control plane machines']
      : []),
    ...(!controlPlane && (textAt(config, 'ca', 'key') ?? '') !== ''
      ? ['cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)']
      : []),
    ...manifestErrors(sectionsAt(config, 'inlineManifests')),
    ...discoveryErrors(config),
    ...apiServerErrors(at(config, 'apiServer')),
    ...resourceErrors('controller-manager', at(config, 'controllerManager', 'resources')),
    ...resourceErrors('scheduler', at(config, 'scheduler', 'resources')),
  ];
}

/** Labels of letters, digits, `_` and `-`, the whole no longer than DNS allows. */
function isDnsName(name: string): boolean {
  return (
    name.replaceAll('.', '').length <= 255 &&
    /^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*[._]?$/.test(name)
  );
}

function cloudProviderErrors(provider: unknown): readonly string[] {
  if (!isSection(provider as Section)) return [];
  const manifests = textsAt(provider as Section, 'manifests');
  if (!isTrue(provider as Section, 'enabled') && manifests.length > 0)
    return ['external cloud provider is disabled, but manifests are provided'];
  return manifests.flatMap((url) => {
    const problem = endpointProblem(url);
    return problem === undefined
      ? []
      : [`invalid external cloud provider manifest url ${JSON.stringify(url)}: ${problem}`];
  });
}

function etcdErrors(etcd: Section): readonly string[] {
  const advertised = textsAt(etcd, 'advertisedSubnets');
  const listen = textsAt(etcd, 'listenSubnets');
  const subnet = textAt(etcd, 'subnet') ?? '';
  const wrong = (subnets: readonly string[], what: string): readonly string[] =>
    invalidSubnets(subnets).map((text) => `etcd ${what} subnet is not valid: ${JSON.stringify(text)}`);
  const used = advertised.length > 0 || subnet === '' ? advertised : [subnet];
  return [
    ...(isSection(at(etcd, 'ca')) ? [] : ['key/cert combination should not be empty']),
    ...(subnet !== '' && advertised.length > 0 ? ["etcd subnet can't be set when advertised subnets are set"] : []),
    ...wrong(used, 'advertised'),
    ...wrong(listen.length > 0 ? listen : used, 'listen'),
  ];
}

function manifestErrors(manifests: readonly Section[]): readonly string[] {
  const seen = new Set<string>();
  return manifests.flatMap((manifest) => {
    const name = textAt(manifest, 'name') ?? '';
    const again = seen.has(name);
    seen.add(name);
    return [
      ...(name.trim() === '' ? ["inline manifest name can't be empty"] : []),
      ...(again ? [`inline manifest name ${JSON.stringify(name)} is duplicate`] : []),
    ];
  });
}

function discoveryErrors(cluster: Section): readonly string[] {
  const discovery = at(cluster, 'discovery');
  if (!isTrue(discovery, 'enabled') || isTrue(discovery, 'registries', 'service', 'disabled')) return [];
  return [
    ...registryErrors(textAt(discovery, 'registries', 'service', 'endpoint') ?? ''),
    ...['id', 'secret']
      .filter((key) => (textAt(cluster, key) ?? '') === '')
      .map((key) => `cluster discovery service requires .cluster.${key}`),
  ];
}

/** A request URI: absolute, or a path; without a path when it is absolute. */
function registryErrors(endpoint: string): readonly string[] {
  if (endpoint === '') return [];
  const url = parseUrl(endpoint);
  const problem =
    'error' in url
      ? url.error
      : url.scheme === '' && !endpoint.startsWith('/')
        ? `parse ${JSON.stringify(endpoint)}: invalid URI for request`
        : undefined;
  if (problem !== undefined) return [`cluster discovery service registry endpoint is invalid: ${problem}`];
  const path = endpoint.replace(/^[^:/?#]+:(\/\/[^/?#]*)?/, '').replace(/[?#][^]*$/, '');
  return path === '' || path === '/' ? [] : ['cluster discovery service path should be empty'];
}

const AUTHORIZERS = ['Node', 'RBAC', 'Webhook'];

function apiServerErrors(server: unknown): readonly string[] {
  if (!isSection(server as Section)) return [];
  const config = server as Section;
  const extraArgs = at(config, 'extraArgs');
  const names = Object.keys(isSection(extraArgs) ? extraArgs : {});
  const authorizers = at(config, 'authorizationConfig');
  if (Array.isArray(authorizers)) {
    if (names.includes('authorization-mode')) {
      return [
        'authorization-mode cannot be used in conjunction with AuthorizationConfig, use eitherr AuthorizationConfig or authorization-mode',
      ];
    }
    if (names.some((name) => name.startsWith('authorization-webhook-'))) {
      return [
        'authorization-webhook-* flags cannot be used in conjunction with AuthorizationConfig, use either AuthorizationConfig or authorization-webhook-* flags',
      ];
    }
  }
  for (const authorizer of sectionsAt(config, 'authorizationConfig')) {
    const problem = authorizerProblem(authorizer);
    if (problem !== undefined) return [`apiserver authorization config validation failed: ${problem}`];
  }
  return resourceErrors('apiserver', at(config, 'resources'));
}

function authorizerProblem(authorizer: Section): string | undefined {
  const type = textAt(authorizer, 'type') ?? '';
  if (type === '') return 'authorizer type must be set';
  if ((textAt(authorizer, 'name') ?? '') === '') return 'authorizer name must be set';
  return AUTHORIZERS.includes(type)
    ? undefined
    : `authorizer type ${type} is not allowed, allowed types are [${AUTHORIZERS.join(' ')}]`;
}

function resourceErrors(component: string, resources: unknown): readonly string[] {
  const problem = resourceProblem(resources);
  return problem === undefined ? [] : [`${component} resource validation failed: ${problem}`];
}

/** Only memory and processor time may be asked for. */
export function resourceProblem(resources: unknown): string | undefined {
  for (const kind of ['requests', 'limits']) {
    const given = at(resources as Section | undefined, kind);
    const odd = Object.keys(isSection(given) ? given : {}).find((key) => key !== 'memory' && key !== 'cpu');
    if (odd !== undefined) return `unsupported pod resource ${JSON.stringify(odd)}`;
  }
  return undefined;
}

/** What the network plug-in of a control plane may be. */
export function cniErrors(cluster: unknown): readonly string[] {
  const cni = at(cluster as Section | undefined, 'network', 'cni');
  const name = isSection(cni) ? (textAt(cni, 'name') ?? '') : 'flannel';
  const shown = JSON.stringify(name);
  const urls = textsAt(cni, 'urls');
  const flannel = [
    ...(textsAt(cni, 'flannel', 'extraArgs').length > 0
      ? [`"flanneldExtraArgs" field should be empty for ${shown} CNI`]
      : []),
    ...(isTrue(cni, 'flannel', 'kubeNetworkPoliciesEnabled')
      ? [`"flannelKubeNetworkPoliciesEnabled" should not be enabled for ${shown} CNI`]
      : []),
  ];
  const noUrls = urls.length > 0 ? [`"urls" field should be empty for ${shown} CNI`] : [];
  switch (name) {
    case 'flannel':
      return noUrls;
    case 'none':
      return [...noUrls, ...flannel];
    case 'custom':
      return [...flannel, ...urls.flatMap((url) => endpointProblem(url) ?? [])];
    default:
      return ['cni name should be one of ["flannel", "custom", "none"]'];
  }
}

/** What Talos warns of: a custom plug-in that names no manifest. */
export const cniWarnings = (cluster: unknown): readonly string[] =>
  textAt(cluster as Section | undefined, 'network', 'cni', 'name') === 'custom' &&
  textsAt(cluster as Section | undefined, 'network', 'cni', 'urls').length === 0
    ? ['"urls" field should not be empty for "custom" CNI']
    : [];

/** Subnets or addresses that are neither, without the mark of an exclusion. */
export const invalidSubnets = (subnets: readonly string[]): readonly string[] =>
  subnets.map((text) => text.replace(/^!/, '')).filter((text) => parseSubnet(text) === undefined);

export const kubeSpanMtu = (section: unknown): number => numberAt(section as Section | undefined, 'mtu') ?? 1420;
