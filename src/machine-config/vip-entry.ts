import { isMap, isSeq } from 'yaml';
import { type Form, placeOf } from './form.ts';
import { at, documentsOf, entryOf, follow, type Part, type Source, textsOf, valueOf } from './edit/source.ts';
import type { Position } from './error.ts';
import { isNull } from './patch/decode.ts';
import { asBool, resolve, scalarText } from './patch/scalar.ts';
import type { YamlDocument } from './yaml-text.ts';

/** How a configuration names a link: by its name, or by what it is (Talos' deviceSelector; all given keys must match, `*` and `?` are wild). */
export type LinkRef =
  | { readonly by: 'name'; readonly name: string }
  | { readonly by: 'selector'; readonly selector: Readonly<Record<string, string>> };

/** One virtual IP that a configuration asks for. */
export interface VipEntry {
  readonly ip: string;
  readonly form: Form;
  /** Who moves the address: Hetzner's API, gratuitous ARP, or Equinix' API. */
  readonly provider: 'hcloud' | 'layer2' | 'equinix-metal';
  readonly link: LinkRef;
  /** Legacy form only: the VLAN on that link, and whether the entry says dhcp (undefined where it says nothing). */
  readonly vlan: number | undefined;
  readonly dhcp: boolean | undefined;
  readonly position: Position | undefined;
}

const child = (node: Part, key: string, document: YamlDocument): Part =>
  follow(valueOf(entryOf(follow(node, document), key)), document);

export const INTERFACES = ['machine', 'network', 'interfaces'] as const;

export function linkOf(item: Part, document: YamlDocument): LinkRef | undefined {
  const name = scalarText(child(item, 'interface', document));
  if (name !== '') return { by: 'name', name };
  const selector = child(item, 'deviceSelector', document);
  if (!isMap(selector)) return undefined;
  const pairs = selector.items.map((pair): [string, string] => [
    scalarText(pair.key),
    scalarText(follow(pair.value as Part, document)),
  ]);
  return { by: 'selector', selector: Object.fromEntries(pairs) };
}

export function dhcpOf(item: Part, document: YamlDocument): boolean | undefined {
  const node = child(item, 'dhcp', document);
  return isNull(node) ? undefined : asBool(resolve(node));
}

function legacyVip(item: Part, link: LinkRef, vlan: number | undefined, document: YamlDocument): VipEntry[] {
  const vip = child(item, 'vip', document);
  const ip = textsOf(child(vip, 'ip', document), document)?.[0];
  if (!isMap(vip) || ip === undefined) return [];
  const has = (key: string): boolean => !isNull(child(vip, key, document));
  const provider = has('hcloud') ? 'hcloud' : has('equinixMetal') ? 'equinix-metal' : 'layer2';
  return [{ ip, form: 'legacy', provider, link, vlan, dhcp: dhcpOf(item, document), position: placeOf(vip, document) }];
}

function legacyVips(document: YamlDocument): VipEntry[] {
  const list = at(document, ...INTERFACES);
  if (!isSeq(list)) return [];
  return (list.items as Part[]).flatMap((item) => {
    const link = linkOf(item, document);
    if (link === undefined) return [];
    const vlans = child(item, 'vlans', document);
    const nested = isSeq(vlans) ? (vlans.items as Part[]) : [];
    return [
      ...legacyVip(item, link, undefined, document),
      ...nested.flatMap((vlan) => legacyVip(vlan, link, Number(scalarText(child(vlan, 'vlanId', document))), document)),
    ];
  });
}

function documentVips(source: Source, kind: string, provider: VipEntry['provider']): VipEntry[] {
  return documentsOf(source, kind).map((document) => ({
    ip: scalarText(at(document, 'name')),
    form: 'document',
    provider,
    link: { by: 'name', name: scalarText(at(document, 'link')) },
    vlan: undefined,
    dhcp: undefined,
    position: placeOf(document.ast.contents, document),
  }));
}

/** Every virtual IP of a configuration, legacy entries first. */
export function vipsOf(source: Source, legacy: YamlDocument | undefined): readonly VipEntry[] {
  return [
    ...(legacy === undefined ? [] : legacyVips(legacy)),
    ...documentVips(source, 'HCloudVIPConfig', 'hcloud'),
    ...documentVips(source, 'Layer2VIPConfig', 'layer2'),
  ];
}
