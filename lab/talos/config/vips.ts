import { at, isSection, numberAt, sectionsAt, textAt, type Section } from './access.ts';
import type { ConfigDocument } from './documents.ts';
import { formatIp, parseIp } from './ip.ts';
import { glob } from './glob.ts';
import { linkAliases } from './link-aliases.ts';
import { legacyInterfaces, type Settings } from './settings.ts';
import type { NodeFacts, VipOperatorSpec } from './types.ts';

type Link = NodeFacts['links'][number];

export interface Vips {
  readonly operators: readonly VipOperatorSpec[];
  /** Every virtual IP the config names, with an operator or not: never an address of the node itself. */
  readonly addresses: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * The VIP operators that a config makes on a machine with these links. An entry for a link that the machine does not
 * have makes none: Talos says nothing about that (its operator waits for the link for ever), so the warning is ours.
 */
export function readVips(settings: Settings, facts: NodeFacts): Vips {
  const warnings: string[] = [];
  const found = [
    ...legacyVips(settings.legacy, facts.links, warnings),
    ...documentVips(settings, facts.links, warnings),
  ];
  // The id of an operator is link and address: the one that is read last wins.
  const operators = new Map(found.map((operator) => [`${operator.link}/${operator.ip}`, operator]));
  const named = [
    ...legacyInterfaces(settings.legacy)
      .flatMap((entry) => [entry, ...sectionsAt(entry, 'vlans')])
      .map((entry) => textAt(entry, 'vip', 'ip')),
    ...vipDocuments(settings.documents).map(({ name }) => name),
  ].flatMap((text) => parseIp(text ?? '') ?? []);
  return { operators: [...operators.values()], addresses: [...new Set(named.map(formatIp))], warnings };
}

const vipDocuments = (documents: readonly ConfigDocument[]): readonly ConfigDocument[] =>
  documents.filter(({ kind }) => kind === 'HCloudVIPConfig' || kind === 'Layer2VIPConfig');

function legacyVips(legacy: Section, links: readonly Link[], warnings: string[]): readonly VipOperatorSpec[] {
  return legacyInterfaces(legacy).flatMap((entry) => {
    const places = [
      { entry, suffix: '' },
      ...sectionsAt(entry, 'vlans').map((vlan) => ({ entry: vlan, suffix: `.${numberAt(vlan, 'vlanId') ?? 0}` })),
    ];
    const withVip = places.filter((place) => isSection(at(place.entry, 'vip')));
    const names = withVip.length === 0 ? [] : legacyLinks(entry, links, warnings);
    return withVip.flatMap((place) =>
      names.flatMap((name) => legacyVip(place.entry, `${name}${place.suffix}`, warnings)),
    );
  });
}

/** Names of the links an entry is for: by name, or every link that the selector matches. */
function legacyLinks(entry: Section, links: readonly Link[], warnings: string[]): readonly string[] {
  const selector = at(entry, 'deviceSelector');
  if (!isSection(selector)) {
    const name = textAt(entry, 'interface') ?? '';
    const link = findLink(name, links);
    if (link === undefined) warnings.push(`no link is called ${name}: its virtual IP has no effect`);
    return link === undefined ? [] : [link.name];
  }
  const matching = links.filter((link) => matches(selector, link));
  if (matching.length === 0) warnings.push('failed to select an interface for a device');
  return matching.map(({ name }) => name);
}

function legacyVip(entry: Section, link: string, warnings: string[]): VipOperatorSpec[] {
  const text = textAt(entry, 'vip', 'ip') ?? '';
  const ip = parseIp(text);
  if (ip === undefined) {
    warnings.push(`ignoring vip parse failure: ${text}`);
    return [];
  }
  if (isSection(at(entry, 'vip', 'equinixMetal'))) {
    warnings.push(`the virtual IP ${text} of Equinix Metal is not part of the lab`);
    return [];
  }
  const hcloud = at(entry, 'vip', 'hcloud');
  return [
    isSection(hcloud)
      ? { link, ip: formatIp(ip), kind: 'hcloud', apiToken: textAt(hcloud, 'apiToken') ?? '', form: 'legacy' }
      : { link, ip: formatIp(ip), kind: 'layer2', form: 'legacy' },
  ];
}

function documentVips(settings: Settings, links: readonly Link[], warnings: string[]): readonly VipOperatorSpec[] {
  const aliases = linkAliases(settings.documents, links, warnings);
  return vipDocuments(settings.documents).flatMap(({ kind, name, value }): VipOperatorSpec[] => {
    const wanted = textAt(value, 'link') ?? '';
    const link = findLink(wanted, links) ?? aliases.get(wanted);
    const ip = parseIp(name);
    if (link === undefined) warnings.push(`no link is called ${wanted}: the virtual IP ${name} has no effect`);
    if (link === undefined || ip === undefined) return [];
    return [
      kind === 'HCloudVIPConfig'
        ? {
            link: link.name,
            ip: formatIp(ip),
            kind: 'hcloud',
            apiToken: textAt(value, 'apiToken') ?? '',
            form: 'document',
          }
        : { link: link.name, ip: formatIp(ip), kind: 'layer2', form: 'document' },
    ];
  });
}

/** By name, alias or alternative name. */
const findLink = (name: string, links: readonly Link[]): Link | undefined =>
  links.find((link) => link.name === name) ??
  links.find((link) => link.alias === name) ??
  links.find((link) => link.altNames?.includes(name));

/** All keys of a selector must match; text keys take `*`, `?` and `[...]`. Facts that are unknown match nothing. */
function matches(selector: Section, link: Link): boolean {
  const facts: Readonly<Record<string, string | boolean | undefined>> = {
    busPath: link.busPath,
    driver: link.driver,
    hardwareAddr: link.hardwareAddr,
    permanentAddr: link.hardwareAddr,
    pciID: undefined,
    physical: link.busPath !== undefined,
  };
  return Object.entries(selector).every(([key, wanted]) => {
    const fact = facts[key];
    if (typeof wanted === 'boolean') return fact === wanted;
    return typeof fact === 'string' && typeof wanted === 'string' && glob(wanted).test(fact);
  });
}
