import { stringify } from 'yaml';
import type { MetadataFacts, PrivateNetworkFacts } from './types.ts';

const ROOT = '/hetzner/v1';

/**
 * The data centre that a location's availability zone is named after. Talos derives the region from what stands before
 * the dash. Those of newer servers are not published any more: guess, the ones that were.
 */
const DATA_CENTRES: Readonly<Record<string, string>> = {
  fsn1: 'fsn1-dc14',
  nbg1: 'nbg1-dc3',
  hel1: 'hel1-dc2',
  ash: 'ash-dc1',
  hil: 'hil-dc1',
  sin: 'sin-dc1',
};

const NETWORK_ZONES: Readonly<Record<string, string>> = {
  fsn1: 'eu-central',
  nbg1: 'eu-central',
  hel1: 'eu-central',
  ash: 'us-east',
  hil: 'us-west',
  sin: 'ap-southeast',
};

/** Hetzner's own resolvers, as its images are given them. */
const NAME_SERVERS = ['185.12.64.2', '185.12.64.1'];

const NAME_SERVERS_6 = ['2a01:4ff:ff00::add:1', '2a01:4ff:ff00::add:2'];

export interface MetadataAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * What a path of the metadata service answers: bare text for single facts, YAML for what has parts. Floating IPs never
 * appear. A path that is not there, and a fact that the server does not have, is 404 with the words `not found` (guess).
 */
export function metadataDocument(facts: MetadataFacts, path: string): MetadataAnswer {
  const documents: Readonly<Record<string, string>> = {
    [`${ROOT}/metadata`]: stringify(summary(facts), { lineWidth: 0 }),
    [`${ROOT}/metadata/hostname`]: facts.hostname,
    [`${ROOT}/metadata/instance-id`]: String(facts.serverId),
    [`${ROOT}/metadata/public-ipv4`]: facts.publicIPv4,
    [`${ROOT}/metadata/availability-zone`]: availabilityZone(facts),
    [`${ROOT}/metadata/region`]: region(facts),
    [`${ROOT}/metadata/private-networks`]: facts.privateNetworks.length === 0 ? '' : privateNetworks(facts),
    [`${ROOT}/metadata/network-config`]: stringify(networkConfig(facts), { lineWidth: 0 }),
    [`${ROOT}/userdata`]: facts.userData,
  };
  const body = Object.hasOwn(documents, path) ? documents[path] : undefined;
  return body === undefined || body === '' ? { status: 404, body: 'not found' } : { status: 200, body };
}

const availabilityZone = (facts: MetadataFacts): string => DATA_CENTRES[facts.location] ?? `${facts.location}-dc1`;
const region = (facts: MetadataFacts): string => NETWORK_ZONES[facts.location] ?? 'eu-central';

const summary = (facts: MetadataFacts) => ({
  'availability-zone': availabilityZone(facts),
  hostname: facts.hostname,
  'instance-id': facts.serverId,
  ...(facts.publicIPv4 === '' ? {} : { 'public-ipv4': facts.publicIPv4 }),
  'network-config': networkConfig(facts),
  'public-keys': [],
  region: region(facts),
});

const privateNetworks = (facts: MetadataFacts): string =>
  stringify(
    facts.privateNetworks.map((network: PrivateNetworkFacts, n) => ({
      ip: network.ip,
      alias_ips: network.aliasIPs,
      interface_num: n + 1,
      mac_address: network.macAddress,
      network_id: network.networkId,
      network_name: network.networkName,
      network: network.network,
      subnet: network.subnet,
      gateway: network.gateway,
    })),
    { lineWidth: 0 },
  );

/** Version 1 of cloud-init's format: the public interface by its hardware address, IPv4 by DHCP, IPv6 as it is. */
const networkConfig = (facts: MetadataFacts) => ({
  version: 1,
  config: [
    {
      type: 'physical',
      name: 'eth0',
      mac_address: facts.publicMac,
      subnets: [
        { type: 'dhcp', ipv4: true, dns_nameservers: NAME_SERVERS },
        ...(facts.publicIPv6 === ''
          ? []
          : [
              {
                type: 'static',
                ipv6: true,
                address: facts.publicIPv6.replace('::/64', '::1/64'),
                gateway: 'fe80::1',
                dns_nameservers: NAME_SERVERS_6,
              },
            ]),
      ],
    },
  ],
});
