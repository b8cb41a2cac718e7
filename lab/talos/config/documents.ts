import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type Node } from 'yaml';
import { decode, textOf, type Value } from './decode.ts';
import { documentType } from './go-types.ts';
import { goYaml } from './go-yaml.ts';
import { isNamed, shapeOf } from './shape.ts';

/** One document of a config; `kind` is `''` for the v1alpha1 document. */
export interface ConfigDocument {
  readonly kind: string;
  readonly name: string;
  readonly value: { readonly [key: string]: Value };
}

export type Loaded =
  | { readonly documents: readonly ConfigDocument[] }
  /** In Talos' words for the version. */
  | { readonly refusal: string };

/** Pairs of kinds that may not share a name: a link is one thing, and so is a virtual IP. */
const CONFLICTS: readonly (readonly string[])[] = [
  ['HCloudVIPConfig', 'Layer2VIPConfig'],
  [
    'LinkConfig',
    'DummyLinkConfig',
    'BondConfig',
    'BridgeConfig',
    'VLANConfig',
    'WireguardConfig',
    'VRFConfig',
    'VethConfig',
  ],
];

/** Splits a config into documents and decodes each strictly: unknown kinds, unknown keys, duplicates are refused. */
export function loadDocuments(text: string, minor: number): Loaded {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: true });
  const documents: ConfigDocument[] = [];
  const seen = new Set<string>();
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const [error] = document.errors;
    if (error !== undefined) {
      const line = lines.linePos(error.pos[0]).line;
      return { refusal: `decode error: yaml: line ${line}: ${error.message.split(' at line')[0]}` };
    }
    if (document.contents === null || (!isMap(document.contents) && document.toJS() === null)) continue;
    const loaded = loadOne(document, minor, lines, seen);
    if ('refusal' in loaded) return loaded;
    documents.push(loaded);
  }
  if (documents.length === 0) return { refusal: 'config not found' };
  const conflict = findConflict(documents);
  return conflict === undefined ? { documents } : { refusal: conflict };
}

function loadOne(
  document: Document,
  minor: number,
  lines: LineCounter,
  seen: Set<string>,
): ConfigDocument | { refusal: string } {
  const root = document.contents;
  const lineOf = (node: Node | null | undefined): number => lines.linePos(node?.range?.[0] ?? 0).line;
  const line = lineOf(root);
  if (!isMap(root)) return { refusal: minor >= 12 ? `expected a YAML document at line ${line}` : 'missing kind' };
  const header = (key: string): string => {
    const value: unknown = root.get(key, true);
    return isScalar(value) && value.value !== null ? textOf(value) : '';
  };
  const [kind, apiVersion] = [header('kind'), header('apiVersion')];
  const name = isNamed(kind) ? header('name') : '';
  // As written: an empty value is called `null` here, and nothing elsewhere.
  const shown = (key: string): string => {
    const value: unknown = root.get(key, true);
    return isScalar(value) ? textOf(value) : '';
  };
  const id = `${shown('apiVersion')}/${shown('kind') || 'v1alpha1'}/${shown('name')}`;
  if (seen.has(id)) {
    return { refusal: `duplicate document ${id} is not allowed${minor >= 12 ? ` (line ${line})` : ''}` };
  }
  seen.add(id);
  const refuse = (reason: string): { refusal: string } => ({
    refusal: minor >= 12 ? `error decoding document ${id} (line ${line}): ${reason}` : reason,
  });
  for (const { key, value } of root.items) {
    const what =
      isScalar(key) && key.value === 'kind' ? 'kind' : isScalar(key) && key.value === 'apiVersion' ? 'version' : '';
    if (what === '' || !(isMap(value) || isSeq(value))) continue;
    const mistake = `line ${lineOf(value)}: cannot ${minor >= 13 ? 'construct' : 'unmarshal'} ${isMap(value) ? '!!map' : '!!seq'} into string`;
    return refuse(`${what} decode: yaml: ${mistakesOf([mistake], minor)}`);
  }
  // The one document without a kind is known by any of these.
  const legacy = kind === '' && (apiVersion === 'v1alpha1' || LEGACY_KEYS.some((key) => root.has(key)));
  if (kind === '' && !legacy) return refuse('missing kind');
  const shape = shapeOf(kind, minor);
  if (minor >= 12 && kind !== '' && apiVersion === '') return refuse('missing apiVersion');
  if (shape === undefined || (kind !== '' && apiVersion !== 'v1alpha1')) {
    return refuse(`${JSON.stringify(kind)} ${JSON.stringify(apiVersion)}: not registered`);
  }
  const { value, unknown, mistakes } = decode(root, shape, minor, document, lines);
  if (mistakes.length > 0) {
    // 1.11 hands what a type's own reader finds on without the list around it.
    const bare =
      minor < 12 ? mistakes.map((mistake) => BARE.exec(mistake)?.[1]).find((found) => found !== undefined) : undefined;
    return refuse(`error decoding ${kind} to ${documentType(kind)}: ${bare ?? `yaml: ${mistakesOf(mistakes, minor)}`}`);
  }
  if (unknown !== undefined) return refuse(`unknown keys found during decoding:\n${goYaml(unknown).trimEnd()}`);
  return {
    kind,
    name,
    value: typeof value === 'object' && !Array.isArray(value) ? (value as ConfigDocument['value']) : {},
  };
}

/** How Go's YAML library lists mistakes. */
const mistakesOf = (mistakes: readonly string[], minor: number): string =>
  minor >= 14
    ? `construct errors: ${mistakes.join('; ')}`
    : `${minor >= 13 ? 'construct' : 'unmarshal'} errors:\n  ${mistakes.join('\n  ')}`;

/** Not: a value of another type, which the library itself finds. */
const BARE = /^line \d+: (?!cannot )(.*)$/s;

const LEGACY_KEYS = ['machine', 'cluster', 'debug', 'persist'];

function findConflict(documents: readonly ConfigDocument[]): string | undefined {
  for (const kinds of CONFLICTS) {
    const first = new Map<string, ConfigDocument>();
    for (const document of documents.filter(({ kind }) => kinds.includes(kind))) {
      const other = first.get(document.name);
      if (other !== undefined) {
        return `conflicting documents: ${other.kind}/${other.name} and ${document.kind}/${document.name}`;
      }
      first.set(document.name, document);
    }
  }
  return undefined;
}
