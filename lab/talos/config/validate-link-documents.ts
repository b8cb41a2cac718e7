import { base64Problem, decodedLength } from './base64.ts';
import { at, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import { missing, negative, type Check, type Mistakes } from './mistakes.ts';
import { addressProblem, prefixProblem } from './go-addresses.ts';
import { parseIp, parseSubnet } from './ip.ts';
import { compileSelector } from './link-selector.ts';
import { invalidSubnets } from './validate-cluster.ts';

const named = (name: string): string | undefined => (name === '' ? 'name must be specified' : undefined);

const ipName = (name: string): string | undefined => {
  const problem = name === '' ? undefined : addressProblem(name);
  return problem === undefined ? named(name) : `name must be a valid IP address: ${problem}`;
};

/** Addresses and routes, which every kind of link has. */
function linkMistakes(value: Section): Mistakes {
  const unspecified = (text: string): boolean => parseIp(text.replace(/\/.*$/, ''))?.value === 0n;
  return [
    ...sectionsAt(value, 'addresses').map((entry, n) => {
      const address = textAt(entry, 'address') ?? '';
      if (address === '') return `address ${n} must be specified`;
      return unspecified(address) ? `address ${n} must be a valid IP address` : undefined;
    }),
    ...sectionsAt(value, 'routes').flatMap((route, n) =>
      (
        [
          ['destination', 'prefix'],
          ['gateway', 'address'],
          ['source', 'address'],
        ] as const
      ).map(([key, what]) =>
        unspecified(textAt(route, key) ?? '') ? `route ${n} ${key} must be a valid IP ${what}` : undefined,
      ),
    ),
  ];
}

function dhcpMistakes(value: Section, name: string): Mistakes {
  const raw = (textAt(value, 'duidRaw') ?? '') !== '';
  const duid = (textAt(value, 'clientIdentifier') ?? '').toLowerCase() === 'duid';
  return [
    named(name),
    raw && !duid ? "duidRaw can only be set if clientIdentifier is 'duid'" : undefined,
    duid && !raw ? "duidRaw must be set if clientIdentifier is 'duid'" : undefined,
  ];
}

const aliasProblem = (name: string, minor: number): string | undefined =>
  minor >= 13 && name.includes('%') && (/^%|%d./.test(name) || !/^[^%]+%d$/.test(name))
    ? `name ${JSON.stringify(name)} contains an invalid format verb, use %d suffix`
    : undefined;

function selectorProblem(source: string | undefined): string | undefined {
  if (source === undefined || source === '') return 'link selector is required';
  const selector = compileSelector(source);
  return 'error' in selector ? `link selector is invalid: ${selector.error}` : undefined;
}

/** The first thing that is wrong is told, unlike in other documents. */
function ruleMistakes(value: Section, name: string): Mistakes {
  const ports = textsAt(value, 'portSelector', 'ports');
  if (name === '') return ['name is required'];
  if (ports.length === 0) return ['portSelector.ports is required'];
  const problem = portsProblem(ports);
  if (problem !== undefined) return [problem];
  const odd = sectionsAt(value, 'ingress').find((entry) => parseSubnet(textAt(entry, 'subnet') ?? '') === undefined);
  return odd === undefined ? [] : ['invalid subnet: invalid Prefix'];
}

function portsProblem(ports: readonly string[]): string | undefined {
  const ranges = ports
    .map((text) => text.split('-').map(Number))
    .map(([low = 0, high = low]) => ({ low, high, text: `${low}-${high}` }))
    .toSorted((a, b) => a.low - b.low);
  for (const [n, range] of ranges.entries()) {
    if (range.low > range.high) return `invalid port range: ${range.text}`;
    const before = ranges[n - 1];
    if (before !== undefined && range.low <= before.high)
      return `invalid port range: ${range.text}, overlaps with ${before.text}`;
  }
  return undefined;
}

const RESERVED_PRIORITIES = [0, 32_500, 32_766, 32_767];

function routingRuleMistakes(value: Section, name: string): Mistakes {
  const priority = /^\d+$/.test(name) && Number(name) < 2 ** 32 ? Number(name) : undefined;
  const action = (textAt(value, 'action') ?? 'unspec').toLowerCase();
  const table = (textAt(value, 'table') ?? 'unspec').toLowerCase();
  const bad = `invalid name: must be priority parsable unsigned integer: strconv.ParseUint: parsing ${JSON.stringify(name)}: ${/^\d+$/.test(name) ? 'value out of range' : 'invalid syntax'}`;
  return [
    named(name),
    priority === undefined ? bad : undefined,
    RESERVED_PRIORITIES.includes(priority ?? 0)
      ? `priority must be between 1 and 32765 (excluding reserved priorities [${RESERVED_PRIORITIES.join(' ')}])`
      : undefined,
    table === 'unspec' && ['unspec', 'unicast'].includes(action)
      ? 'either table or a non-unicast action must be specified'
      : undefined,
    (numberAt(value, 'fwMask') ?? 0) !== 0 && (numberAt(value, 'fwMark') ?? 0) === 0
      ? 'fwMask requires fwMark to be set'
      : undefined,
  ];
}

const vlanMistakes = (value: Section, name: string): Mistakes => {
  const id = numberAt(value, 'vlanID') ?? 0;
  return [
    named(name),
    id === 0 || id > 4094 ? 'vlanID must be specified and between 1 and 4094' : undefined,
    missing(value, 'parent'),
    ...linkMistakes(value),
  ];
};

const RESERVED_TABLES = ['unspec', 'local', 'main', 'default'];

const vrfMistakes = (value: Section, name: string): Mistakes => {
  const table = (textAt(value, 'table') ?? 'unspec').toLowerCase();
  return [
    named(name),
    RESERVED_TABLES.includes(table) ? `cannot create vrf with reserved table ${table}` : undefined,
    ...linkMistakes(value),
  ];
};

const keyProblem = (text: string): string | undefined =>
  base64Problem(text) ?? (decodedLength(text) === 32 ? undefined : 'invalid wireguard key length');

function wireguardMistakes(value: Section, name: string): Mistakes {
  const key = textAt(value, 'privateKey') ?? '';
  const problem = keyProblem(key);
  const port = numberAt(value, 'listenPort') ?? 0;
  return [
    named(name),
    key === ''
      ? 'wireguard private key must be specified'
      : problem === undefined
        ? undefined
        : `wireguard private key is invalid: ${problem}`,
    port < 0 || port > 65_535 ? 'wireguard listen port must be between 0 and 65535' : undefined,
    ...sectionsAt(value, 'peers').flatMap((peer, n) => {
      const at = `(peer index ${n})`;
      const [own = '', shared = ''] = [textAt(peer, 'publicKey'), textAt(peer, 'presharedKey')];
      const [ownProblem, sharedProblem] = [keyProblem(own), keyProblem(shared)];
      return [
        own === ''
          ? `wireguard peer public key must be specified ${at}`
          : ownProblem === undefined
            ? undefined
            : `wireguard peer public key is invalid ${at}: ${ownProblem}`,
        shared === '' || sharedProblem === undefined
          ? undefined
          : `wireguard peer preshared key is invalid ${at}: ${sharedProblem}`,
        negative(peer, 'persistentKeepaliveInterval') === undefined
          ? undefined
          : `wireguard peer persistent keepalive interval cannot be negative ${at}`,
      ];
    }),
    ...linkMistakes(value),
  ];
}

function vethMistakes(value: Section, name: string): Mistakes {
  const peer = textAt(value, 'peer', 'name') ?? '';
  const peerSection = at(value, 'peer') as Section | undefined;
  return [
    vethNameProblem('name', name),
    vethNameProblem('peer name', peer),
    name !== '' && name === peer ? 'name and peer name must be different' : undefined,
    ...linkMistakes(value),
    ...linkMistakes(peerSection ?? {}),
  ];
}

function vethNameProblem(field: string, name: string): string | undefined {
  if (name === '') return `${field} must be specified`;
  if (new TextEncoder().encode(name).length > 15) return `${field} must not exceed 15 bytes`;
  if (name === '.' || name === '..') return `${field} must not be ${JSON.stringify(name)}`;
  if (/[/:]/.test(name)) return `${field} must not contain '/' or ':'`;
  return /[\s\p{C}]/u.test(name) ? `${field} must not contain whitespace or non-printable characters` : undefined;
}

function blackholeMistakes(_value: Section, name: string): Mistakes {
  const problem = name === '' ? 'netip.ParsePrefix(""): no \'/\'' : prefixProblem(name);
  return [named(name), problem === undefined ? undefined : `name must be a valid address prefix: ${problem}`];
}

const kubeSpanMistakes = (value: Section): Mistakes => [
  (numberAt(value, 'mtu') ?? 1420) < 1280 ? 'kubespan link MTU must be at least 1280' : undefined,
  ...invalidSubnets(textsAt(value, 'filters', 'endpoints')).map(
    (text) => `KubeSpan endpoint filter is not valid: ${JSON.stringify(text)}`,
  ),
];

/** Talos' checks of each kind of network document, in its order and words. */
export const LINK_CHECKS: Readonly<Record<string, Check>> = {
  HCloudVIPConfig: (value, name) => [ipName(name), missing(value, 'link'), missing(value, 'apiToken')],
  Layer2VIPConfig: (value, name) => [ipName(name), missing(value, 'link')],
  LinkAliasConfig: (value, name, minor) => [
    named(name) ?? aliasProblem(name, minor),
    selectorProblem(textAt(value, 'selector', 'match')),
  ],
  LinkConfig: (value, name) => [named(name), ...linkMistakes(value)],
  DummyLinkConfig: (value, name) => [named(name), ...linkMistakes(value)],
  BridgeConfig: (value, name) => [named(name), ...linkMistakes(value)],
  BondConfig: (value, name) => [
    named(name),
    textsAt(value, 'links').length === 0 ? 'at least one link must be specified' : undefined,
    at(value, 'bondMode') === undefined ? 'bond mode must be specified' : undefined,
    ...linkMistakes(value),
  ],
  VLANConfig: vlanMistakes,
  VRFConfig: vrfMistakes,
  VethConfig: vethMistakes,
  WireguardConfig: wireguardMistakes,
  DHCPv4Config: dhcpMistakes,
  DHCPv6Config: dhcpMistakes,
  NetworkRuleConfig: ruleMistakes,
  RoutingRuleConfig: routingRuleMistakes,
  BlackholeRouteConfig: blackholeMistakes,
  EthernetConfig: (_value, name) => [name === '' ? 'name is required' : undefined],
  KubeSpanConfig: kubeSpanMistakes,
};
