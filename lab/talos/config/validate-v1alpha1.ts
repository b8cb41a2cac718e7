import { at, isSection, isTrue, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import { parseIp, parseSubnet } from './ip.ts';
import { endpointProblem } from './url.ts';

export interface Problems {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Talos' checks of the v1alpha1 document, in its order and words, as far as they concern endpoint, names, addresses, links and keys. */
export function validateV1Alpha1(config: Section, minor: number): Problems {
  const machine = at(config, 'machine');
  if (!isSection(machine)) return { errors: ['machine instructions are required'], warnings: [] };
  const type = textAt(machine, 'type') ?? '';
  const controlPlane = type === 'controlplane' || type === 'init';
  const worker = type === 'worker' || type === '';
  const warnings = type === '' ? ['use "worker" instead of "" for machine type'] : [];
  const errors = [
    ...clusterErrors(at(config, 'cluster'), controlPlane, minor),
    ...hostDnsErrors(at(machine, 'features', 'hostDNS') as Section | undefined),
    ...authorityErrors(machine, config, controlPlane, worker),
    ...(controlPlane || worker ? [] : [`unknown machine type ${JSON.stringify(type)}`]),
    ...sectionsAt(machine, 'network', 'interfaces').flatMap(interfaceErrors),
    ...invalidSubnets(textsAt(machine, 'kubelet', 'nodeIP', 'validSubnets')).map(
      (subnet) => `kubelet nodeIP subnet is not valid: ${JSON.stringify(subnet)}`,
    ),
    ...sortAlgorithmErrors(textAt(machine, 'features', 'nodeAddressSortAlgorithm') ?? ''),
    ...(at(config, 'persist') === false ? ['.persist should be enabled'] : []),
  ];
  return { errors, warnings };
}

function clusterErrors(cluster: unknown, controlPlane: boolean, minor: number): readonly string[] {
  if (!isSection(cluster as Section)) return ['cluster instructions are required'];
  const config = cluster as Section;
  const section = at(config, 'controlPlane');
  const endpoint = textAt(section, 'endpoint');
  // 1.14 knows another place for the endpoint, and so misses none when the whole section is absent.
  if (endpoint === undefined && (section !== undefined || minor < 14))
    return ['cluster controlplane endpoint is required'];
  const problem = endpoint === undefined ? undefined : endpointProblem(endpoint);
  const etcd = at(config, 'etcd');
  return [
    ...(problem === undefined ? [] : [`invalid controlplane endpoint: ${problem}`]),
    ...(isSection(etcd)
      ? controlPlane
        ? etcdErrors(etcd)
        : ['etcd config is only allowed on control plane machines']
      : []),
    ...(!controlPlane && (textAt(config, 'ca', 'key') ?? '') !== ''
      ? ['cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)']
      : []),
    ...discoveryErrors(config),
  ];
}

function etcdErrors(etcd: Section): readonly string[] {
  const advertised = textsAt(etcd, 'advertisedSubnets');
  const listen = textsAt(etcd, 'listenSubnets');
  const subnet = textAt(etcd, 'subnet') ?? '';
  return [
    ...(subnet !== '' && advertised.length > 0 ? ["etcd subnet can't be set when advertised subnets are set"] : []),
    ...invalidSubnets(subnet === '' ? advertised : [subnet]).map(
      (text) => `etcd advertised subnet is not valid: ${JSON.stringify(text)}`,
    ),
    ...invalidSubnets(listen.length > 0 ? listen : advertised).map(
      (text) => `etcd listen subnet is not valid: ${JSON.stringify(text)}`,
    ),
  ];
}

function discoveryErrors(cluster: Section): readonly string[] {
  const discovery = at(cluster, 'discovery');
  if (!isTrue(discovery, 'enabled') || isTrue(discovery, 'registries', 'service', 'disabled')) return [];
  return ['id', 'secret']
    .filter((key) => (textAt(cluster, key) ?? '') === '')
    .map((key) => `cluster discovery service requires .cluster.${key}`);
}

function hostDnsErrors(hostDns: Section | undefined): readonly string[] {
  return isTrue(hostDns, 'forwardKubeDNSToHost') && !isTrue(hostDns, 'enabled')
    ? ['feature hostDNS.forwardKubeDNSToHost requires hostDNS.enabled to be true (.machine.features.hostDNS)']
    : [];
}

function authorityErrors(machine: Section, config: Section, controlPlane: boolean, worker: boolean): readonly string[] {
  const errors: string[] = [];
  const present = isSection(at(machine, 'ca'));
  const key = textAt(machine, 'ca', 'key') ?? '';
  const accepted = sectionsAt(machine, 'acceptedCAs').length > 0;
  if (!present && !accepted)
    errors.push('issuing CA or some accepted CAs are required (.machine.ca, machine.acceptedCAs)');
  if (controlPlane && !present) errors.push('issuing CA is required (.machine.ca)');
  if (controlPlane && present && key === '')
    errors.push('issuing CA key is required for controlplane nodes (.machine.ca.key)');
  if (!worker) return errors;
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

function interfaceErrors(entry: Section): readonly string[] {
  if (isTrue(entry, 'ignore')) return [];
  const name = textAt(entry, 'interface') ?? '';
  const selector = at(entry, 'deviceSelector');
  const sections = '[networking.os.device.interface], [networking.os.device.deviceSelector]';
  const vip = textAt(entry, 'vip', 'ip') ?? '';
  const shown = JSON.stringify(name);
  return [
    ...(name === '' && !isSection(selector) ? [`${sections}: required either config section to be set`] : []),
    ...(name !== '' && isSection(selector) ? [`${sections}: config sections are mutually exclusive`] : []),
    ...(isSection(selector) && Object.keys(selector).length === 0
      ? ['[networking.os.device.deviceSelector]: config section should contain at least one field']
      : []),
    ...sectionsAt(entry, 'vlans').flatMap((vlan) =>
      textsAt(vlan, 'addresses')
        .filter((text) => !isAddress(text))
        .map(
          (text) =>
            `[networking.os.device.vlan.addresses] ${name}.${numberAt(vlan, 'vlanId') ?? 0}: ${addressProblem(text)}`,
        ),
    ),
    ...(textsAt(entry, 'addresses').length > 0 && (textAt(entry, 'cidr') ?? '') !== ''
      ? [`[networking.os.device] ${shown}: interface can't have both .cidr and .addresses set`]
      : []),
    ...textsAt(entry, 'addresses')
      .filter((text) => !isAddress(text))
      .map((text) => `[networking.os.device.addresses] ${shown}: ${addressProblem(text)}`),
    ...(isSection(at(entry, 'vip')) && parseIp(vip) === undefined
      ? [`[networking.os.device.vip] failed to parse ${JSON.stringify(vip)} as IP address`]
      : []),
  ];
}

const isAddress = (text: string): boolean => parseSubnet(text) !== undefined;

const addressProblem = (text: string): string =>
  text.includes('/') ? `invalid CIDR address: ${text}` : `failed to parse IP address ${JSON.stringify(text)}`;

const invalidSubnets = (subnets: readonly string[]): readonly string[] =>
  subnets.map((text) => text.replace(/^!/, '')).filter((text) => parseSubnet(text) === undefined);

const sortAlgorithmErrors = (text: string): readonly string[] =>
  ['', 'v1', 'v2'].includes(text)
    ? []
    : [`invalid node address sort algorithm: ${text} does not belong to AddressSortAlgorithm values`];
