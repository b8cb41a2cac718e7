import { base64Problem, decodedLength } from './base64.ts';
import { at, isSection, isTrue, numberAt, sectionsAt, textAt, textsAt, type Section } from './access.ts';
import { bondErrors } from './validate-bond.ts';
import { parseIp, parseSubnet } from './ip.ts';

/** Talos' checks of the legacy form's links, in its order and words. */
export function interfaceErrors(interfaces: readonly Section[]): readonly string[] {
  const owners = new Map<string, string>();
  const shared = interfaces.flatMap((entry) => {
    const name = nameOf(entry);
    const bond = at(entry, 'bond');
    const bridge = at(entry, 'bridge');
    const links = isSection(bridge) ? textsAt(bridge, 'interfaces') : textsAt(bond, 'interfaces');
    return [
      ...(isSection(bond) && isSection(bridge)
        ? [
            `interface has both bridge and bond sections set ${JSON.stringify(name)}: config sections are mutually exclusive`,
          ]
        : []),
      ...(textsAt(bond, 'interfaces').length > 0 && sectionsAt(bond, 'deviceSelectors').length > 0
        ? [
            `interface ${JSON.stringify(name)} has both interfaces and selectors set: config sections are mutually exclusive`,
          ]
        : []),
      ...links.flatMap((link) => {
        const owner = owners.get(link);
        owners.set(link, name);
        return owner === undefined || owner === name
          ? []
          : [
              `interface ${JSON.stringify(link)} is declared as part of two separate links: ${JSON.stringify(owner)} and ${JSON.stringify(name)}`,
            ];
      }),
    ];
  });
  const own = interfaces.filter((entry) => !isTrue(entry, 'ignore')).flatMap((entry) => entryErrors(entry, owners));
  return [...shared, ...own];
}

/** What Talos warns of: the older way to give an address. */
export const interfaceWarnings = (interfaces: readonly Section[]): readonly string[] =>
  interfaces
    .filter((entry) => !isTrue(entry, 'ignore') && (textAt(entry, 'cidr') ?? '') !== '')
    .map(
      (entry) =>
        `${JSON.stringify(nameOf(entry))}: machine.network.interface.cidr is deprecated, please use machine.network.interface.addresses`,
    );

const nameOf = (entry: Section): string => textAt(entry, 'interface') ?? '';

function entryErrors(entry: Section, owners: ReadonlyMap<string, string>): readonly string[] {
  const name = nameOf(entry);
  const selector = at(entry, 'deviceSelector');
  const sections = '[networking.os.device.interface], [networking.os.device.deviceSelector]';
  const vip = textAt(entry, 'vip', 'ip') ?? '';
  const shown = JSON.stringify(name);
  const cidr = textAt(entry, 'cidr') ?? '';
  const addresses = textsAt(entry, 'addresses');
  const hasVip = isSection(at(entry, 'vip'));
  const bond = at(entry, 'bond');
  const wireguard = at(entry, 'wireguard');
  const placed = (place: string, text: string): readonly string[] =>
    isAddress(text) ? [] : [`[${place}] ${shown}: ${addressMistake(text)}`];
  return [
    ...(name === '' && !isSection(selector) ? [`${sections}: required either config section to be set`] : []),
    ...(name !== '' && isSection(selector) ? [`${sections}: config sections are mutually exclusive`] : []),
    ...(isSection(selector) && isEmpty(selector)
      ? ['[networking.os.device.deviceSelector]: config section should contain at least one field']
      : []),
    ...(isSection(bond) ? bondErrors(bond) : []),
    ...(isSection(wireguard) ? wireguardErrors(wireguard) : []),
    ...sectionsAt(entry, 'vlans').flatMap((vlan) => vlanErrors(name, vlan)),
    ...(owners.has(name) && (isTrue(entry, 'dhcp') || cidr !== '' || addresses.length > 0 || hasVip)
      ? [`[networking.os.device] ${shown}: bonded/bridged interface shouldn't have any addressing methods configured`]
      : []),
    ...(addresses.length > 0 && cidr !== ''
      ? [`[networking.os.device] ${shown}: interface can't have both .cidr and .addresses set`]
      : []),
    ...(cidr === '' ? [] : placed('networking.os.device.CIDR', cidr)),
    ...addresses.flatMap((text) => placed('networking.os.device.addresses', text)),
    ...(hasVip && parseIp(vip) === undefined
      ? [`[networking.os.device.vip] failed to parse ${JSON.stringify(vip)} as IP address`]
      : []),
    ...sectionsAt(entry, 'routes').flatMap(routeErrors),
  ];
}

/** Nothing is set: empty texts are as good as absent ones. */
const isEmpty = (section: Section): boolean => Object.values(section).every((value) => value === '');

function vlanErrors(link: string, vlan: Section): readonly string[] {
  const cidr = textAt(vlan, 'cidr') ?? '';
  const addresses = textsAt(vlan, 'addresses');
  const place = `${link}.${numberAt(vlan, 'vlanId') ?? 0}`;
  return [
    ...(addresses.length > 0 && cidr !== ''
      ? [`[networking.os.device.vlan] ${place}: vlan can't have both .cidr and .addresses set`]
      : []),
    ...(cidr !== '' && !isAddress(cidr) ? [`[networking.os.device.vlan.CIDR] ${place}: ${addressMistake(cidr)}`] : []),
    ...addresses
      .filter((text) => !isAddress(text))
      .map((text) => `[networking.os.device.vlan.addresses] ${place}: ${addressMistake(text)}`),
  ];
}

function routeErrors(route: Section, n: number): readonly string[] {
  const value = (key: string): string => textAt(route, key) ?? '';
  const place = `networking.os.device.route[${n}]`;
  const wrong = (key: string): string => `[${place}.${key}] ${JSON.stringify(value(key))}: invalid network address`;
  const isIp = (key: string): boolean => parseIp(value(key)) !== undefined;
  const network = value('network');
  return [
    ...(network !== '' && !(network.includes('/') && isAddress(network)) ? [wrong('network')] : []),
    ...(value('gateway') !== '' && !isIp('gateway') ? [wrong('gateway')] : []),
    ...(network === '' && value('gateway') === '' ? [`[${place}]: either network or gateway should be set`] : []),
    ...(value('source') !== '' && !isIp('source') ? [wrong('source')] : []),
  ];
}

function wireguardErrors(wireguard: Section): readonly string[] {
  const key = keyProblem(textAt(wireguard, 'privateKey') ?? '');
  return [
    ...(key === undefined ? [] : [`private key is invalid: ${key}`]),
    ...sectionsAt(wireguard, 'peers').flatMap((peer) => {
      const problem = keyProblem(textAt(peer, 'publicKey') ?? '');
      const endpoint = textAt(peer, 'endpoint') ?? '';
      return [
        ...(problem === undefined ? [] : [`public key invalid: ${problem}`]),
        ...(endpoint === '' || /^(\[[^\]]+\]|[^:[\]]+):[^:]*$/.test(endpoint)
          ? []
          : [`peer endpoint ${JSON.stringify(endpoint)} is invalid`]),
        ...textsAt(peer, 'allowedIPs')
          .filter((text) => !text.includes('/') || !isAddress(text))
          .map((text) => `peer allowed IP ${JSON.stringify(text)} is invalid: invalid CIDR address: ${text}`),
      ];
    }),
  ];
}

/** 32 bytes as base64. */
function keyProblem(text: string): string | undefined {
  const length = decodedLength(text);
  return base64Problem(text) ?? (length === 32 ? undefined : `wrong key ${JSON.stringify(text)} length: ${length}`);
}

const isAddress = (text: string): boolean => parseSubnet(text) !== undefined;

const addressMistake = (text: string): string =>
  text.includes('/') ? `invalid CIDR address: ${text}` : `failed to parse IP address ${JSON.stringify(text)}`;
