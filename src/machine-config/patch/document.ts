import { isMap, isScalar, type YAMLMap } from 'yaml';
import { MachineConfigError } from '../error.ts';
import type { YamlDocument } from '../yaml-text.ts';
import { type Context, decodeFields, entries, fail, follow, isNull, textOf } from './decode.ts';
import { scalarText } from './scalar.ts';
import { CONFIG_STRUCT, conflictsOf, documentType } from './types.ts';
import type { StructValue } from './value.ts';

/** One decoded document of a configuration or of a patch. */
export interface ConfigDocument {
  /** `v1alpha1` for the one without kind. */
  readonly kind: string;
  readonly struct: string;
  /** Undefined for kinds that have no name. */
  readonly name: string | undefined;
  readonly fields: StructValue;
  /** Not a document at all: what Talos before 1.14 leaves of a deletion that met nothing. */
  readonly stray?: boolean;
}

export const LEGACY_KIND = 'v1alpha1';
const API_VERSION = 'v1alpha1';
const META = new Set(['apiVersion', 'kind']);
const LEGACY_KEYS = new Set(['machine', 'cluster', 'debug', 'persist']);

/** Which document a patch's document meets: apiVersion, kind and, for named kinds, name. */
export const identity = (document: Pick<ConfigDocument, 'kind' | 'name'>): string =>
  document.kind === LEGACY_KIND
    ? LEGACY_KIND
    : `${API_VERSION}/${document.kind}${document.name === undefined ? '' : `/${document.name}`}`;

/** The text of a key at the top of a document, whatever else is wrong with it. */
export function topText(map: YAMLMap, key: string): string {
  const pair = map.items.find((item) => isScalar(item.key) && scalarText(item.key) === key);
  return scalarText(pair?.value);
}

/** Reads one document; undefined when it is empty. */
export function decodeDocument(document: YamlDocument, minor: number): ConfigDocument | undefined {
  const context: Context = { document, minor };
  const root = follow(document.ast.contents, context);
  if (!isMap(root)) {
    if (isNull(root) && minor >= 12) return undefined;
    return fail(root, context, 'unreadable', 'expected a machine configuration document (a map)');
  }
  let version = '';
  let kind = '';
  for (const { key, value } of entries(root, context)) {
    if (key === 'kind') kind = textOf(follow(value, context), context);
    if (key === 'apiVersion') version = textOf(follow(value, context), context);
    if (LEGACY_KEYS.has(key)) version = API_VERSION;
  }
  if (kind === '' && version === API_VERSION) {
    return {
      kind: LEGACY_KIND,
      struct: CONFIG_STRUCT,
      name: undefined,
      fields: decodeFields(CONFIG_STRUCT, root, context, new Set()),
    };
  }
  if (kind === '') return fail(root, context, 'unreadable', 'the document has no kind (missing kind)');
  if (version === '')
    return fail(root, context, 'unreadable', `the ${kind} document has no apiVersion (missing apiVersion)`);
  const type = documentType(kind);
  if (type === undefined || version !== API_VERSION || type.since > minor) {
    return fail(
      root,
      context,
      'unknown',
      `this Talos version does not know the kind ${kind} of ${version} ("${kind}" "${version}": not registered)`,
    );
  }
  const fields = decodeFields(type.struct, root, context, META);
  const name = fields.get('name');
  return { kind, struct: type.struct, name: type.named ? (typeof name === 'string' ? name : '') : undefined, fields };
}

/** Refuses a second document of the same kind and name. */
export function refuseRepetition(map: YAMLMap, document: YamlDocument, seen: Set<string>): void {
  const parts = [topText(map, 'apiVersion'), topText(map, 'kind') || LEGACY_KIND, topText(map, 'name')].join('/');
  if (seen.has(parts)) {
    throw new MachineConfigError(
      'conflict',
      `the document ${parts} is there twice (duplicate document)`,
      document.positionOf(map),
    );
  }
  seen.add(parts);
}

/** Reads all documents of a configuration, as strictly as Talos' loader. */
export function decodeAll(documents: readonly YamlDocument[], minor: number): ConfigDocument[] {
  const seen = new Set<string>();
  const result = documents.flatMap((document) => {
    if (isMap(document.ast.contents)) refuseRepetition(document.ast.contents, document, seen);
    return decodeDocument(document, minor) ?? [];
  });
  if (result.length === 0)
    throw new MachineConfigError('unreadable', 'there is no configuration in the text (config not found)');
  return arrange(result);
}

/** Talos' order (the v1alpha1 document first) and its check that no two documents exclude each other. */
export function arrange(documents: readonly ConfigDocument[], repetitionsAllowed = false): ConfigDocument[] {
  const legacy = documents.filter((document) => document.kind === LEGACY_KIND);
  if (legacy.length > 1 && !repetitionsAllowed)
    throw new MachineConfigError('conflict', 'there are two v1alpha1 documents (duplicate v1alpha1.Config)');
  const seen = new Set<string>();
  for (const { kind, name = '', stray } of documents) {
    if (kind === LEGACY_KIND || stray === true) continue;
    if (seen.has(`${kind}/${name}`) && !repetitionsAllowed) {
      throw new MachineConfigError('conflict', `there are two documents ${kind}/${name} (duplicate document)`);
    }
    const other = conflictsOf(kind).find((excluded) => seen.has(`${excluded}/${name}`));
    if (other !== undefined)
      throw new MachineConfigError('conflict', `conflicting documents: ${other}/${name} and ${kind}/${name}`);
    seen.add(`${kind}/${name}`);
  }
  return [...legacy, ...documents.filter((document) => document.kind !== LEGACY_KIND)];
}
