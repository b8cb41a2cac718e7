import { DOCUMENT_TYPES } from './schema/documents.ts';
import { KUBERNETES_TYPES } from './schema/kubernetes.ts';
import { LEGACY_TYPES } from './schema/legacy.ts';

/** Leaves that Talos reads as text with a meaning of their own and writes back in one spelling. */
const TEXT_LEAVES = [
  'addr',
  'ip',
  'prefix',
  'addrport',
  'url',
  'size',
  'bytesize',
  'cel',
  'trimmed',
  'duration',
  'mac',
  'base64',
  'table',
] as const;
const OTHER_LEAVES = [
  'string',
  'bool',
  'int',
  'u8',
  'u16',
  'u32',
  'u64',
  'disksize',
  'mode',
  'ports',
  'pem',
  'pemcert',
  'pemkey',
  'object',
  'args',
  'manifests',
] as const;
const LEAVES = [...TEXT_LEAVES, ...OTHER_LEAVES] as const;
export type LeafName = (typeof LEAVES)[number];

/** How a patch's list meets the list that is there: appended (undefined), by a key of the elements, or by Talos' rule for devices. */
export type ListRule = 'devices' | 'by-vlanId' | 'by-name' | 'by-mountPath' | 'put-image';

export type Type =
  | { readonly kind: 'leaf'; readonly leaf: LeafName }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'pointer'; readonly to: Type }
  | { readonly kind: 'list'; readonly of: Type; readonly rule: ListRule | undefined }
  | { readonly kind: 'map'; readonly of: Type }
  | { readonly kind: 'struct'; readonly struct: string };

export interface Field {
  readonly name: string;
  readonly type: Type;
  /** First Talos minor that leaves the field out when it is empty. */
  readonly omitSince: number;
  readonly replace: boolean;
  /** First Talos minor that knows the field. */
  readonly since: number;
}

export interface DocumentType {
  readonly struct: string;
  readonly since: number;
  readonly named: boolean;
}

const FIRST = 0;
const NEVER = Number.POSITIVE_INFINITY;

function parseType(text: string): Type {
  if (text.startsWith('*')) return { kind: 'pointer', to: parseType(text.slice(1)) };
  const list = /^\[(.*)\](?:\/([a-zA-Z-]+))?$/.exec(text);
  if (list?.[1] !== undefined) return { kind: 'list', of: parseType(list[1]), rule: list[2] as ListRule | undefined };
  if (text.startsWith('{')) return { kind: 'map', of: parseType(text.slice(1, -1)) };
  const oneOf = /^enum\((.*)\)$/.exec(text);
  if (oneOf?.[1] !== undefined) return { kind: 'enum', values: oneOf[1].split('|') };
  const leaf = LEAVES.find((name) => name === text);
  return leaf === undefined ? { kind: 'struct', struct: text } : { kind: 'leaf', leaf };
}

function parseField(text: string): Field {
  const match = /^([^:]+):(.*?)(?:(\?)(\d*))?(!?)(?:@(\d+))?$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) throw new TypeError(`schema field ${text}`);
  return {
    name: match[1],
    type: parseType(match[2]),
    omitSince: match[3] === undefined ? NEVER : Number(match[4]),
    replace: match[5] === '!',
    since: match[6] === undefined ? FIRST : Number(match[6]),
  };
}

const structs = new Map<string, readonly string[]>();
const documents = new Map<string, DocumentType>();
for (const line of `${LEGACY_TYPES}${DOCUMENT_TYPES}${KUBERNETES_TYPES}`.split('\n')) {
  const match = /^(document )?([^ @]+)(?:@(\d+))?( unnamed)? =(.*)$/.exec(line);
  if (match?.[2] === undefined || match[5] === undefined) continue;
  const name = match[1] === undefined ? match[2] : `document ${match[2]}`;
  structs.set(name, match[5].trim() === '' ? [] : match[5].trim().split(' '));
  if (match[1] !== undefined) {
    documents.set(match[2], { struct: name, since: Number(match[3] ?? FIRST), named: match[4] === undefined });
  }
}

const parsed = new Map<string, readonly Field[]>();

/** The fields of a struct in the order Talos writes them, the fields of inlined types among them. */
export function fieldsOf(struct: string): readonly Field[] {
  const known = parsed.get(struct);
  if (known !== undefined) return known;
  const fields = structs.get(struct);
  if (fields === undefined) throw new TypeError(`schema has no type ${struct}`);
  const result = fields.flatMap((text) => (text.startsWith('~') ? fieldsOf(text.slice(1)) : [parseField(text)]));
  parsed.set(struct, result);
  return result;
}

/** The struct of the v1alpha1 document, the one without `kind`. */
export const CONFIG_STRUCT = 'Config';

export const documentType = (kind: string): DocumentType | undefined => documents.get(kind);

const LINKS = [
  'LinkConfig',
  'BondConfig',
  'BridgeConfig',
  'DummyLinkConfig',
  'VLANConfig',
  'VRFConfig',
  'WireguardConfig',
];
const GROUPS = [LINKS, ['HCloudVIPConfig', 'Layer2VIPConfig'], ['UserVolumeConfig', 'ExistingVolumeConfig']];

/** Kinds of which no document may have the same name as one of the given kind. */
export const conflictsOf = (kind: string): readonly string[] =>
  GROUPS.filter((group) => group.includes(kind)).flatMap((group) => group.filter((other) => other !== kind));
