import { isMap, isScalar, isSeq, parseAllDocuments, type Document } from 'yaml';
import type { PatchScope } from '../../model/observation.ts';

/** What one patch file sets of the things that fairlead cares about. */
export interface PatchSettings {
  readonly scope: PatchScope;
  readonly file: string;
  readonly endpoints: readonly Placed[];
  readonly certSANs: readonly string[];
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly vips: readonly { readonly ip: string; readonly token: string | undefined }[];
  /** Why the file could not be read; it is then left alone and nothing is known of it. */
  readonly problem: string | undefined;
}

/** A value and where it stands in the text, so that it can be replaced and nothing else. */
export interface Placed {
  readonly value: string;
  readonly from: number;
  readonly to: number;
}

export function readPatch(scope: PatchScope, file: string, text: string): PatchSettings {
  const documents = parseAllDocuments(text);
  const list = Array.isArray(documents) ? documents : [];
  const error = list.flatMap((document) => document.errors)[0];
  const all = <T>(read: (document: Document) => readonly T[]): T[] =>
    error === undefined ? list.flatMap((d) => read(d as Document)) : [];
  return {
    scope,
    file,
    endpoints: all((d) => [
      ...placed(d, ['cluster', 'controlPlane', 'endpoint']),
      ...ofKind(d, 'KubeClusterConfig', ['endpoint']),
    ]),
    certSANs: all((d) => [
      ...texts(d, ['cluster', 'apiServer', 'certSANs']),
      ...textsOfKind(d, 'KubeAPIServerConfig', ['certExtraSANs']),
    ]),
    issuers: all((d) => [
      ...texts(d, ['cluster', 'apiServer', 'extraArgs', 'service-account-issuer']),
      ...textsOfKind(d, 'KubeServiceAccountConfig', ['issuer', 'issuerURL']),
    ]),
    audiences: all((d) => [
      ...texts(d, ['cluster', 'apiServer', 'extraArgs', 'api-audiences']).flatMap((value) => value.split(',')),
      ...textsOfKind(d, 'KubeServiceAccountConfig', ['accepted', 'audiences']),
    ]),
    vips: all((d) => [...legacyVips(d), ...documentVips(d)]),
    problem: error?.message.split('\n')[0],
  };
}

const kindOf = (document: Document): unknown => (isMap(document.contents) ? document.get('kind') : undefined);

function placed(document: Document, path: readonly string[]): Placed[] {
  if (!isMap(document.contents) || kindOf(document) !== undefined) return [];
  return placedAt(document, path);
}

function placedAt(document: Document, path: readonly string[]): Placed[] {
  const node: unknown = document.getIn(path, true);
  if (!isScalar(node) || typeof node.value !== 'string' || node.range === undefined || node.range === null) return [];
  return [{ value: node.value, from: node.range[0], to: node.range[1] }];
}

const ofKind = (document: Document, kind: string, path: readonly string[]): Placed[] =>
  kindOf(document) === kind ? placedAt(document, path) : [];

function textsAt(document: Document, path: readonly string[]): string[] {
  const node: unknown = document.getIn(path, true);
  const value: unknown = isSeq(node) ? node.toJSON() : isScalar(node) ? [node.value] : [];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

const texts = (document: Document, path: readonly string[]): string[] =>
  isMap(document.contents) && kindOf(document) === undefined ? textsAt(document, path) : [];

const textsOfKind = (document: Document, kind: string, path: readonly string[]): string[] =>
  kindOf(document) === kind ? textsAt(document, path) : [];

const textIn = (value: unknown, key: string): string | undefined => {
  if (typeof value !== 'object' || value === null || !(key in value)) return undefined;
  const found: unknown = (value as Record<string, unknown>)[key];
  return typeof found === 'string' ? found : undefined;
};

function legacyVips(document: Document): { ip: string; token: string | undefined }[] {
  if (!isMap(document.contents)) return [];
  const interfaces: unknown = document.getIn(['machine', 'network', 'interfaces'], true);
  const items: unknown = isSeq(interfaces) ? interfaces.toJSON() : [];
  return (Array.isArray(items) ? items : []).flatMap((item: unknown) => {
    const vip: unknown = typeof item === 'object' && item !== null && 'vip' in item ? item.vip : undefined;
    const ip = textIn(vip, 'ip');
    const hcloud: unknown = typeof vip === 'object' && vip !== null && 'hcloud' in vip ? vip.hcloud : undefined;
    return ip === undefined ? [] : [{ ip, token: textIn(hcloud, 'apiToken') }];
  });
}

function documentVips(document: Document): { ip: string; token: string | undefined }[] {
  const kind = kindOf(document);
  if (kind !== 'HCloudVIPConfig' && kind !== 'Layer2VIPConfig') return [];
  const ip: unknown = document.get('name');
  const token: unknown = document.get('apiToken');
  return typeof ip === 'string' ? [{ ip, token: typeof token === 'string' ? token : undefined }] : [];
}
