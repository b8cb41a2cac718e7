import { isMap, LineCounter, parseAllDocuments, type Document } from 'yaml';
import { decode, type Value } from './decode.ts';
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
  const line = lines.linePos(root?.range?.[0] ?? 0).line;
  const header = (key: string): string => {
    const value: unknown = isMap(root) ? root.get(key) : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const kind = header('kind');
  const apiVersion = header('apiVersion');
  const name = isNamed(kind) ? header('name') : '';
  const id = kind === '' ? '/v1alpha1/' : `${apiVersion}/${kind}/${kind === '' ? '' : header('name')}`;
  const refuse = (reason: string): { refusal: string } => ({
    refusal: minor >= 12 ? `error decoding document ${id} (line ${line}): ${reason}` : reason,
  });
  const shape = shapeOf(kind, minor);
  if (minor >= 12 && kind !== '' && apiVersion === '') return refuse('missing apiVersion');
  if (shape === undefined || (kind !== '' && apiVersion !== 'v1alpha1')) {
    return refuse(`${JSON.stringify(kind)} ${JSON.stringify(apiVersion)}: not registered`);
  }
  const key = `${kind}/${name}`;
  if (seen.has(key)) {
    return { refusal: `duplicate document ${id} is not allowed${minor >= 12 ? ` (line ${line})` : ''}` };
  }
  seen.add(key);
  const { value, unknown, mistakes } = decode(root, shape, minor, document, lines);
  if (mistakes.length > 0) {
    const type = kind === '' ? ' to *v1alpha1.Config' : `${kind} to *${kind}V1Alpha1`;
    const list = `${minor >= 13 ? 'construct' : 'unmarshal'} errors:${minor >= 14 ? ' ' : '\n  '}${mistakes.join(minor >= 14 ? '; ' : '\n  ')}`;
    // 1.11 hands the mistake of a URL on without the list around it.
    const bare =
      minor < 12 && mistakes.length === 1 ? /^line \d+: (parse .*)$/.exec(mistakes[0] ?? '')?.[1] : undefined;
    return refuse(`error decoding ${type}: ${bare ?? `yaml: ${list}`}`);
  }
  if (unknown !== undefined) return refuse(`unknown keys found during decoding:\n${goYaml(unknown).trimEnd()}`);
  return {
    kind,
    name,
    value: typeof value === 'object' && !Array.isArray(value) ? (value as ConfigDocument['value']) : {},
  };
}

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
