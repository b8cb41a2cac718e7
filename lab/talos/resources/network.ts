import type { VipOperatorSpec } from '../config/types.ts';
import type { Machine } from '../machine.ts';
import { specYaml, type Resource } from './resource.ts';

/** Links, addresses, host name, operators. */
export function networkResources(machine: Machine, operators: readonly VipOperatorSpec[]): Resource[] {
  const { facts } = machine;
  const network = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'network',
    type: `${type}.net.talos.dev`,
    id,
    owner: `network.${owner}`,
    yaml: specYaml(spec),
  });
  const indexOf = (link: string): number => facts.links.findIndex((candidate) => candidate.name === link) + 2;
  const own = facts.links.map((link) => ({ address: link.address, link: link.name }));
  const claimed = [...machine.claims].map(([address, link]) => ({ address, link }));
  const bound = [...own, ...claimed];
  return [
    network('HostnameStatuses', 'hostname', 'HostnameSpecController', { hostname: facts.hostname, domainname: '' }),
    network('NetworkStatuses', 'status', 'StatusController', {
      addressReady: true,
      connectivityReady: true,
      hostnameReady: true,
      etcFilesReady: true,
    }),
    network('LinkStatuses', 'lo', 'LinkStatusController', {
      index: 1,
      type: 'loopback',
      hardwareAddr: '00:00:00:00:00:00',
      mtu: 65_536,
      operationalState: 'unknown',
      kind: '',
      linkState: true,
    }),
    ...facts.links.map((link) =>
      network('LinkStatuses', link.name, 'LinkStatusController', {
        index: indexOf(link.name),
        type: 'ether',
        linkIndex: 0,
        flags: 'UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP',
        hardwareAddr: link.hardwareAddr,
        permanentAddr: link.hardwareAddr,
        broadcastAddr: 'ff:ff:ff:ff:ff:ff',
        mtu: link.address === facts.privateIPv4 ? 1450 : 1500,
        operationalState: 'up',
        kind: '',
        slaveKind: '',
        busPath: link.busPath,
        driver: link.driver,
        linkState: true,
        port: 'Other',
        duplex: 'Unknown',
      }),
    ),
    ...bound.map(({ address, link }) =>
      network('AddressStatuses', `${link}/${address}/32`, 'AddressStatusController', {
        address: `${address}/32`,
        linkIndex: indexOf(link),
        linkName: link,
        family: 'inet4',
        scope: 'global',
        flags: 'permanent',
        priority: 0,
      }),
    ),
    ...nodeAddresses(machine).map(([id, addresses]) =>
      network('NodeAddresses', id, 'NodeAddressController', {
        addresses: addresses.map((address) => `${address}/32`),
        sortAlgorithm: 'v1',
      }),
    ),
    ...operators.map((operator) => {
      const id = machine.ports.version.startsWith('v1.11.')
        ? `vip/${operator.link}`
        : `vip/${operator.link}/${operator.ip}`;
      return network('OperatorSpecs', id, 'OperatorMergeController', {
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
        layer: 'configuration',
      });
    }),
  ];
}

/** Sets of the node's addresses: what is there, and what was there since boot. */
function nodeAddresses(machine: Machine): [string, readonly string[]][] {
  const { facts } = machine;
  const numeric = (a: string, b: string): number => asNumber(a) - asNumber(b);
  const own = facts.links.map((link) => link.address);
  const current = [...new Set([...own, ...machine.claims.keys()])].toSorted(numeric);
  const accumulative = [...new Set([...current, ...machine.earlier])].toSorted(numeric);
  return [
    ['default', current.slice(0, 1)],
    ['current', current],
    ['current-no-k8s', current],
    ['routed', current],
    ['routed-no-k8s', current],
    ['accumulative', accumulative],
    ['accumulative-no-k8s', accumulative],
  ];
}

const asNumber = (address: string): number =>
  address.split('.').reduce((total, octet) => total * 256 + Number(octet), 0);
