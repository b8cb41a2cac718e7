import { isMap, isSeq } from 'yaml';
import { canonicalAddress } from '../address.ts';
import { MachineConfigError } from '../error.ts';
import type { Form } from '../form.ts';
import { type MachineConfig, parseMachineConfig, refuseRedacted } from '../read.ts';
import { INTERFACES, linkOf, type LinkRef, type VipEntry } from '../vip-entry.ts';
import { minorOf } from '../version.ts';
import type { YamlDocument } from '../yaml-text.ts';
import type { Content } from './render.ts';
import { at, documentsOf, entryOf, follow, legacyOf, type Part, parseSource, textsOf, valueOf } from './source.ts';
import { addToItem, appendDocument, appendItems, removeFromItem, setScalar, withoutDocument } from './splice.ts';

const DOCUMENT = 'HCloudVIPConfig';
const DOCUMENT_SINCE = 12;
const SELECTED = ['busPath', 'hardwareAddr', 'permanentAddr', 'pciID', 'driver'] as const;

/** The link that is to carry the address, with what is known of it. */
export interface VipLink {
  /** Name or alias, as the node has it: `eth0`, `enp1s0`. */
  readonly name: string;
  /** Whether its own address comes by DHCP: a new legacy entry must say so, or the link loses that address. */
  readonly dhcp: boolean;
  /** What a deviceSelector may ask for. Needed only where the configuration selects links so; unknown ones are left out. */
  readonly facts?: Partial<Readonly<Record<(typeof SELECTED)[number], string>>> & { readonly physical?: boolean };
}

export interface WantedVip {
  /** The address exactly as Hetzner writes it. */
  readonly ip: string;
  /** Hetzner token in clear: it is written onto the node. */
  readonly token: string;
  readonly link: VipLink;
  readonly form: Form;
}

const same = (left: string, right: string): boolean =>
  left === right || (canonicalAddress(left) ?? left) === (canonicalAddress(right) ?? right);

const refuse = (what: string, vip?: VipEntry): never => {
  throw new MachineConfigError('edit', what, vip?.position);
};

/**
 * The form in which a VIP is written on this node: its own document from Talos 1.12 on, because that has no side effect on DHCP;
 * the legacy form before, and where the configuration keeps its VIPs in that form already.
 */
export function chooseVipForm(version: string, config: MachineConfig): Form {
  if (minorOf(version) < DOCUMENT_SINCE) return 'legacy';
  return config.vips.some((vip) => vip.form === 'legacy') ? 'legacy' : 'document';
}

/** The contents of the document form. */
export const vipDocument = (ip: string, link: string, token: string): { readonly [key: string]: Content } => ({
  apiVersion: 'v1alpha1',
  kind: DOCUMENT,
  name: ip,
  link,
  apiToken: token,
});

/** The contents of the legacy form's `vip`. */
export const legacyVip = (ip: string, token: string): { readonly [key: string]: Content } => ({
  ip,
  hcloud: { apiToken: token },
});

const wild = (pattern: string, value: string): boolean =>
  new RegExp(
    `^${pattern
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    'i',
  ).test(value);

/** Whether an entry of interfaces means the link; undefined where its selector asks for something that is not known. */
function means(ref: LinkRef, link: VipLink): boolean | undefined {
  if (ref.by === 'name') return ref.name === link.name;
  let certain: boolean | undefined = true;
  for (const [key, pattern] of Object.entries(ref.selector)) {
    const fact =
      key === 'physical' ? link.facts?.physical : link.facts?.[SELECTED.find((known) => known === key) ?? 'driver'];
    if (fact === undefined) certain = undefined;
    else if (!wild(pattern, String(fact))) return false;
  }
  return certain;
}

interface Target {
  /** Position in interfaces, and the VLAN inside it where the link is one. */
  readonly index: number;
  readonly vlan: number | undefined;
}

function targetOf(document: YamlDocument, link: VipLink): Target | undefined {
  const list = at(document, ...INTERFACES);
  const items = isSeq(list) ? (list.items as Part[]) : [];
  const base = /^(.+)\.(\d+)$/.exec(link.name);
  for (const [index, item] of items.entries()) {
    const ref = linkOf(item, document);
    if (ref === undefined) continue;
    const meant = means(ref, link);
    if (meant === true) return { index, vlan: undefined };
    if (meant === undefined) {
      throw new MachineConfigError(
        'edit',
        `cannot tell whether this deviceSelector selects ${link.name}`,
        document.positionOf(item ?? undefined),
      );
    }
    const vlan = base !== null && ref.by === 'name' && ref.name === base[1] ? Number(base[2]) : undefined;
    if (vlan !== undefined && vlanIndex(item, vlan, document) >= 0) return { index, vlan };
  }
  return undefined;
}

function vlanIndex(item: Part, vlan: number, document: YamlDocument): number {
  const list = follow(valueOf(entryOf(follow(item, document), 'vlans')), document);
  return isSeq(list)
    ? list.items.findIndex(
        (entry) => Number(textsOf(valueOf(entryOf(follow(entry as Part, document), 'vlanId')), document)?.[0]) === vlan,
      )
    : -1;
}

/** Finds the same item in whatever version of the text. */
const pickAt =
  (index: number) =>
  (item: Part, document: YamlDocument): boolean => {
    const list = at(document, ...INTERFACES);
    return isSeq(list) && follow(list.items[index] as Part, document) === item;
  };

function addLegacy(text: string, wanted: WantedVip): string {
  const document = legacyOf(parseSource(text));
  const target = targetOf(document, wanted.link);
  const vip = legacyVip(wanted.ip, wanted.token);
  if (target === undefined) {
    const entry: Content = { interface: wanted.link.name, ...(wanted.link.dhcp ? { dhcp: true } : {}), vip };
    return appendItems(text, legacyOf, INTERFACES, [entry]);
  }
  if (target.vlan !== undefined) {
    return refuse(
      `${wanted.link.name} is a VLAN of an entry in interfaces: write its vip there by hand, or use ${DOCUMENT}`,
    );
  }
  const list = at(document, ...INTERFACES);
  const item = isSeq(list) ? follow(list.items[target.index] as Part, document) : undefined;
  const there = follow(valueOf(entryOf(item, 'vip')), document);
  const ip = textsOf(valueOf(entryOf(there, 'ip')), document)?.[0];
  if (ip !== undefined && !same(ip, wanted.ip))
    return refuse(`${wanted.link.name} already carries the VIP ${ip}, and an entry carries one`);
  const pick = pickAt(target.index);
  let edited = text;
  if (!isMap(there)) edited = addToItem(edited, legacyOf, INTERFACES, pick, ['vip'], vip);
  else {
    if (ip === undefined) edited = addToItem(edited, legacyOf, INTERFACES, pick, ['vip', 'ip'], wanted.ip);
    const token = textsOf(
      valueOf(entryOf(follow(valueOf(entryOf(there, 'hcloud')), document), 'apiToken')),
      document,
    )?.[0];
    if (token !== wanted.token)
      edited = addToItem(edited, legacyOf, INTERFACES, pick, ['vip', 'hcloud', 'apiToken'], wanted.token);
  }
  return edited;
}

function addDocument(text: string, wanted: WantedVip): string {
  const named = (kind: string, source = parseSource(text)): YamlDocument | undefined =>
    documentsOf(source, kind).find((document) => same(textsOf(at(document, 'name'), document)?.[0] ?? '', wanted.ip));
  if (named(DOCUMENT) === undefined)
    return appendDocument(text, vipDocument(wanted.ip, wanted.link.name, wanted.token));
  const find = (source: ReturnType<typeof parseSource>): YamlDocument => named(DOCUMENT, source) ?? legacyOf(source);
  return setScalar(setScalar(text, find, ['link'], wanted.link.name), find, ['apiToken'], wanted.token);
}

/**
 * Asks Talos to hold the address on the link, by Hetzner's API. In the legacy form an entry for the link is found by its name or
 * selector and completed (its dhcp stays as it is), or made; in the document form an HCloudVIPConfig is added. An entry for the
 * same address that names another link or token is corrected in the document form; the address in the other form, on another
 * link, or owned in another way is refused. Control planes only.
 */
export function addVip(text: string, wanted: WantedVip): string {
  const config = parseMachineConfig(text);
  refuseRedacted(config);
  if (config.role === 'worker')
    return refuse(
      'a VIP belongs on control planes: on a worker it never becomes active, and its token lies there for nothing',
    );
  if (canonicalAddress(wanted.ip) === undefined) return refuse(`${JSON.stringify(wanted.ip)} is no IP address`);
  if (wanted.token === '' || wanted.link.name === '') return refuse('a VIP needs a token and a link');
  const there = config.vips.filter((vip) => same(vip.ip, wanted.ip));
  const other = there.find((vip) => vip.form !== wanted.form);
  if (other !== undefined)
    return refuse(
      `${wanted.ip} is already a VIP in the ${other.form} form, and two forms of one address would fight over it`,
      other,
    );
  const foreign = there.find(
    (vip) => vip.provider !== 'hcloud' && !(vip.form === 'legacy' && vip.provider === 'layer2'),
  );
  if (foreign !== undefined)
    return refuse(`${wanted.ip} is already a VIP that is moved by ${foreign.provider}`, foreign);
  const elsewhere = there.find(
    (vip) => vip.form === 'legacy' && (vip.vlan !== undefined || means(vip.link, wanted.link) === false),
  );
  if (elsewhere !== undefined) return refuse(`${wanted.ip} is already a VIP on another link`, elsewhere);
  return wanted.form === 'legacy' ? addLegacy(text, wanted) : addDocument(text, wanted);
}

/**
 * Takes the address out of the configuration, in whichever form it is there; the same text where it is not. In the legacy form
 * only the `vip` key goes: the entry and its dhcp stay, because a link without them may lose its own address.
 */
export function removeVip(text: string, ip: string): string {
  const config = parseMachineConfig(text);
  refuseRedacted(config);
  const vip = config.vips.find((entry) => same(entry.ip, ip));
  if (vip === undefined) return text;
  const source = parseSource(text);
  if (vip.form === 'document') {
    const document = [DOCUMENT, 'Layer2VIPConfig']
      .flatMap((kind) => documentsOf(source, kind))
      .find((found) => same(textsOf(at(found, 'name'), found)?.[0] ?? '', ip));
    return document === undefined ? text : removeVip(withoutDocument(text, document), ip);
  }
  if (vip.vlan !== undefined) return refuse(`${ip} is the VIP of a VLAN: take it out by hand`, vip);
  const holds = (item: Part, document: YamlDocument): boolean =>
    same(textsOf(valueOf(entryOf(follow(valueOf(entryOf(item, 'vip')), document), 'ip')), document)?.[0] ?? '', ip);
  return removeVip(removeFromItem(text, legacyOf, INTERFACES, holds, 'vip'), ip);
}
