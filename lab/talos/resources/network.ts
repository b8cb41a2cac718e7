import { isTrue, textAt, textsAt } from '../config/access.ts';
import { comparePrefixes, hostPrefix } from '../config/prefix.ts';
import { legacyInterfaces, minorOf, type Settings } from '../config/settings.ts';
import type { VipOperatorSpec } from '../config/types.ts';
import type { Machine } from '../machine.ts';
import type { Resource } from './resource.ts';
import { routeResources } from './routes.ts';
import { settingsOf } from './settings.ts';

/** Hetzner's own resolvers, as its DHCP names them. */
const RESOLVERS = ['185.12.64.2', '185.12.64.1'];
const TIME_SERVERS = ['time.cloudflare.com'];
const METRIC = 1024;

/** Links, addresses, routes, host name, resolvers, time servers, operators. */
export function networkResources(machine: Machine, operators: readonly VipOperatorSpec[]): Resource[] {
  const { facts } = machine;
  const settings = settingsOf(machine);
  const network = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'network',
    type: `${type}.net.talos.dev`,
    id,
    owner: `network.${owner}`,
    spec,
  });
  const resolvers = namesFor(settings, 'nameservers', 'ResolverConfig');
  const dnsServers = resolvers.length > 0 ? resolvers : RESOLVERS;
  const times = textsAt(settings?.legacy, 'machine', 'time', 'servers');
  const timeServers = {
    timeServers: times.length > 0 ? times : TIME_SERVERS,
    ...(minorOf(machine.ports.version) >= 14 ? { useNTS: false } : {}),
  };
  const layer = (configured: boolean, otherwise: string): string => (configured ? 'configuration' : otherwise);
  return [
    network('HostnameStatuses', 'hostname', 'HostnameSpecController', { hostname: facts.hostname, domainname: '' }),
    network('HostnameSpecs', 'hostname', 'HostnameMergeController', {
      hostname: facts.hostname,
      domainname: '',
      layer: layer(settings?.hostname !== undefined, 'platform'),
    }),
    network('NetworkStatuses', 'status', 'StatusController', {
      addressReady: true,
      connectivityReady: true,
      hostnameReady: true,
      etcFilesReady: true,
    }),
    network('ResolverStatuses', 'resolvers', 'ResolverSpecController', { dnsServers, searchDomains: [] }),
    network('ResolverSpecs', 'resolvers', 'ResolverMergeController', {
      dnsServers,
      layer: layer(resolvers.length > 0, 'operator'),
    }),
    network('TimeServerStatuses', 'timeservers', 'TimeServerSpecController', timeServers),
    network('TimeServerSpecs', 'timeservers', 'TimeServerMergeController', {
      timeServers: timeServers.timeServers,
      layer: layer(times.length > 0, 'default'),
    }),
    ...links(machine).map(([id, spec]) => network('LinkStatuses', id, 'LinkStatusController', spec)),
    ...addresses(machine).map(([id, spec]) => network('AddressStatuses', id, 'AddressStatusController', spec)),
    ...nodeAddresses(machine, settings).map(([id, spec]) =>
      network('NodeAddresses', id, 'NodeAddressController', spec),
    ),
    ...routeResources(machine),
    ...operatorSpecs(machine, settings, operators),
  ];
}

const namesFor = (settings: Settings | undefined, key: string, kind: string): readonly string[] => [
  ...textsAt(settings?.legacy, 'machine', 'network', key),
  ...(settings?.documents.filter((document) => document.kind === kind) ?? []).flatMap((document) =>
    textsAt(document.value, key),
  ),
];

const indexOf = (machine: Machine, link: string): number =>
  machine.facts.links.findIndex((candidate) => candidate.name === link) + 2;

function links(machine: Machine): [string, object][] {
  const { facts } = machine;
  const zero = '00:00:00:00:00:00';
  return [
    [
      'lo',
      {
        index: 1,
        type: 'loopback',
        linkIndex: 0,
        flags: 'UP,LOOPBACK,RUNNING,LOWER_UP',
        hardwareAddr: zero,
        permanentAddr: zero,
        broadcastAddr: zero,
        mtu: 65_536,
        queueDisc: 'noqueue',
        operationalState: 'unknown',
        kind: '',
        slaveKind: '',
        linkState: true,
        port: 'Other',
        duplex: 'Unknown',
      },
    ],
    ...facts.links.map((link): [string, object] => [
      link.name,
      {
        index: indexOf(machine, link.name),
        type: 'ether',
        linkIndex: 0,
        flags: 'UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP',
        hardwareAddr: link.hardwareAddr,
        permanentAddr: link.hardwareAddr,
        broadcastAddr: 'ff:ff:ff:ff:ff:ff',
        mtu: link.address === facts.privateIPv4 ? 1450 : 1500,
        queueDisc: 'fq_codel',
        operationalState: 'up',
        kind: '',
        slaveKind: '',
        busPath: link.busPath,
        pciID: '1AF4:1041',
        driver: link.driver,
        linkState: true,
        port: 'Other',
        duplex: 'Unknown',
      },
    ]),
  ];
}

function addresses(machine: Machine): [string, object][] {
  const own = machine.facts.links.map((link) => ({ prefix: `${link.address}/32`, link: link.name, scope: 'global' }));
  const {
    publicIPv6,
    links: [first],
  } = machine.facts;
  if (publicIPv6 !== undefined && first !== undefined)
    own.push({ prefix: `${publicIPv6}/64`, link: first.name, scope: 'global' });
  const claimed = [...machine.claims].map(([address, link]) => ({
    prefix: hostPrefix(address),
    link,
    scope: 'global',
  }));
  const local = ['127.0.0.1/8', '::1/128'].map((prefix) => ({ prefix, link: 'lo', scope: 'host' }));
  return [...local, ...own, ...claimed].map(({ prefix, link, scope }) => [
    `${link}/${prefix}`,
    {
      address: prefix,
      linkIndex: link === 'lo' ? 1 : indexOf(machine, link),
      linkName: link,
      family: prefix.includes(':') ? 'inet6' : 'inet4',
      scope,
      flags: 'permanent',
      priority: 0,
    },
  ]);
}

/** Sets of the node's addresses: what is there, and what was there since boot. No pods run, so none is Kubernetes'. */
function nodeAddresses(machine: Machine, settings: Settings | undefined): [string, object][] {
  const { facts } = machine;
  const own = facts.links.map((link) => link.address);
  // The platform's IPv6 address is a /64, all others are alone.
  const six = facts.publicIPv6 === undefined ? [] : [`${facts.publicIPv6}/64`];
  const ordered = (addresses: readonly string[]): string[] =>
    [...new Set([...addresses.map(hostPrefix), ...six])].toSorted(comparePrefixes);
  const current = ordered([...own, ...machine.claims.keys()]);
  const accumulative = ordered([...own, ...machine.claims.keys(), ...machine.earlier]);
  const sets: [string, readonly string[]][] = [
    ['default', current.slice(0, 1)],
    ['current', current],
    ['routed', current],
    ['accumulative', accumulative],
  ];
  const shown = (list: readonly string[]): object => ({
    addresses: list,
    sortAlgorithm: settings?.addressSort ?? 'v1',
  });
  return sets.flatMap(([id, list]): [string, object][] =>
    id === 'default'
      ? [[id, shown(list)]]
      : [
          [id, shown(list)],
          [`${id}-no-k8s`, shown(list)],
          [`${id}-only-k8s`, shown([])],
        ],
  );
}

/** As merged, and as the layer that asked for them wrote them. */
function operatorSpecs(
  machine: Machine,
  settings: Settings | undefined,
  operators: readonly VipOperatorSpec[],
): Resource[] {
  const { facts } = machine;
  const minor = minorOf(machine.ports.version);
  const both = (id: string, layer: string, owner: string, spec: object): Resource[] => {
    const make = (namespace: string, named: string, by: string): Resource => ({
      namespace,
      type: 'OperatorSpecs.net.talos.dev',
      id: named,
      owner: `network.${by}`,
      spec: { ...spec, layer },
    });
    return [make('network', id, 'OperatorMergeController'), make('network-config', `${layer}/${id}`, owner)];
  };
  const dhcp = facts.links.flatMap((link) => {
    const configured =
      settings !== undefined &&
      legacyInterfaces(settings.legacy).some(
        (entry) => textAt(entry, 'interface') === link.name && isTrue(entry, 'dhcp'),
      );
    return both(`dhcp4/${link.name}`, configured ? 'configuration' : 'default', 'OperatorConfigController', {
      operator: 'dhcp4',
      linkName: link.name,
      requireUp: true,
      dhcp4: { routeMetric: METRIC, ...(configured ? {} : { clientIdentifier: { clientIdentifier: 'mac' } }) },
    });
  });
  const vips = operators.flatMap((operator) =>
    both(
      minor < 12 ? `vip/${operator.link}` : `vip/${operator.link}/${operator.ip}`,
      'configuration',
      'OperatorVIPConfigController',
      {
        operator: 'vip',
        linkName: operator.link,
        requireUp: true,
        vip: {
          ip: operator.ip,
          gratuitousARP: operator.kind === 'layer2',
          ...(operator.kind === 'hcloud'
            ? { hcloud: { deviceID: facts.serverId, networkID: 0, apiToken: operator.apiToken ?? '' } }
            : {}),
        },
      },
    ),
  );
  return [...dhcp, ...vips];
}
