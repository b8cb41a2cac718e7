import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import { MachineConfigError } from '../error.ts';
import { scalarText } from '../patch/scalar.ts';
import { parseYaml, type YamlDocument } from '../yaml-text.ts';

/** A configuration's text with its syntax trees, and how this file is written. */
export interface Source {
  readonly text: string;
  readonly documents: readonly YamlDocument[];
  /** Line ending in use. */
  readonly eol: '\n' | '\r\n';
  /** Columns by which a nested map is indented. */
  readonly step: number;
  /** Columns by which the dashes of a list stand right of its key. */
  readonly dash: number;
}

export type Part = Node | null | undefined;
export type Entry = Pair<unknown, unknown>;

/** The v1alpha1 document has no kind; this stands for it. */
export const LEGACY = 'v1alpha1';

export const columnOf = (text: string, offset: number): number => offset - (text.lastIndexOf('\n', offset - 1) + 1);

export const startOf = (node: Part): number => node?.range?.[0] ?? 0;

export const valueOf = (entry: Entry | undefined): Part => entry?.value as Part;

function firstKey(map: YAMLMap): number | undefined {
  const key = map.items[0]?.key as Part;
  return key?.range?.[0];
}

/** Where the keys of a block map or the dashes of a block list stand. */
export function columnOfItems(text: string, node: YAMLMap | YAMLSeq): number {
  return columnOf(text, isMap(node) ? (firstKey(node) ?? startOf(node)) : startOf(node));
}

const isBlock = (node: unknown): node is YAMLMap | YAMLSeq =>
  (isMap(node) || isSeq(node)) && node.flow !== true && node.items.length > 0;

function habits(text: string, documents: readonly YamlDocument[]): { step: number; dash: number } {
  let step: number | undefined;
  let dash: number | undefined;
  for (const { ast } of documents) {
    visit(ast, {
      Pair: (_, pair) => {
        const key = pair.key as Part;
        if (!isBlock(pair.value) || !isScalar(key)) return undefined;
        const by = columnOfItems(text, pair.value) - columnOf(text, startOf(key));
        if (isMap(pair.value)) step ??= by > 0 ? by : undefined;
        else dash ??= by >= 0 ? by : undefined;
        return step !== undefined && dash !== undefined ? visit.BREAK : undefined;
      },
    });
  }
  return { step: step ?? 4, dash: dash ?? step ?? 4 };
}

function refuseRepeatedKeys(document: YamlDocument): void {
  visit(document.ast, {
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const pair of map.items) {
        const key = scalarText(pair.key);
        if (isScalar(pair.key) && seen.has(key)) {
          throw new MachineConfigError('type', `the key "${key}" is there twice`, document.positionOf(pair.key));
        }
        seen.add(key);
      }
    },
  });
}

/** Parses a text for editing. Keys that are there twice are refused: an edit would not know which one counts. */
export function parseSource(text: string): Source {
  const documents = parseYaml(text);
  for (const document of documents) refuseRepeatedKeys(document);
  return { text, documents, eol: /\r\n/.test(text) ? '\r\n' : '\n', ...habits(text, documents) };
}

/** The node itself, also where an alias stands for it. */
export function follow(node: Part, document: YamlDocument): Part {
  if (!isAlias(node)) return node;
  const target = node.resolve(document.ast);
  if (target === undefined)
    throw new MachineConfigError('unreadable', `unknown anchor '${node.source}'`, document.positionOf(node));
  return follow(target, document);
}

export const entryOf = (map: Part, key: string): Entry | undefined =>
  isMap(map) ? map.items.find((item) => isScalar(item.key) && scalarText(item.key) === key) : undefined;

/** The node at the end of a path of keys, aliases followed; undefined where a key is missing. */
export function at(document: YamlDocument, ...path: readonly string[]): Part {
  let node: Part = document.ast.contents;
  for (const key of path) node = follow(valueOf(entryOf(follow(node, document), key)), document);
  return follow(node, document);
}

/** The kind of a document: LEGACY for the one without kind, undefined for an empty one. */
export function kindOf(document: YamlDocument): string | undefined {
  const root = document.ast.contents;
  if (!isMap(root)) return undefined;
  const kind = scalarText(valueOf(entryOf(root, 'kind')));
  return kind === '' ? LEGACY : kind;
}

export const documentsOf = (source: Source, kind: string): readonly YamlDocument[] =>
  source.documents.filter((document) => kindOf(document) === kind);

/** The one document of a kind; a second one is refused. */
export function documentOf(source: Source, kind: string): YamlDocument | undefined {
  const [first, second] = documentsOf(source, kind);
  if (second !== undefined) {
    throw new MachineConfigError('conflict', `there are two ${kind} documents`, second.positionOf(second.ast.contents));
  }
  return first;
}

/** The v1alpha1 document, which every configuration of a node still has. */
export function legacyOf(source: Source): YamlDocument {
  const document = documentOf(source, LEGACY);
  if (document === undefined)
    throw new MachineConfigError('unreadable', 'there is no v1alpha1 document (machine:, cluster:) in the text');
  return document;
}

/** The texts of a list, or the one text where a single value stands; undefined when there is nothing. */
export function textsOf(node: Part, document: YamlDocument): readonly string[] | undefined {
  const target = follow(node, document);
  if (isSeq(target)) return target.items.map((item) => scalarText(follow(item as Part, document)));
  return isScalar(target) && target.value !== null ? [scalarText(target)] : undefined;
}
