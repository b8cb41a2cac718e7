import { isAlias, isMap, isScalar, isSeq, type Node, Scalar, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import { MachineConfigError } from '../error.ts';
import { isNull } from '../patch/decode.ts';
import { scalarText } from '../patch/scalar.ts';
import type { YamlDocument } from '../yaml-text.ts';
import { type Content, documentLines, flow, itemLines, pairLines, scalar } from './render.ts';
import {
  columnOf,
  columnOfItems,
  type Entry,
  entryOf,
  follow,
  type Part,
  parseSource,
  type Source,
  startOf,
  valueOf,
} from './source.ts';

/** The text with the bytes from `from` up to `to` replaced. Everything an edit does goes through here. */
const spliced = (text: string, from: number, to: number, by: string): string =>
  text.slice(0, from) + by + text.slice(to);

/** Where the next line begins after what ends at `offset`; the text's end where there is none. */
function nextLine(text: string, offset: number): number {
  if (offset > 0 && text[offset - 1] === '\n') return offset;
  const newline = text.indexOf('\n', offset);
  return newline < 0 ? text.length : newline + 1;
}

/** Inserts whole lines after the line that holds what ends at `offset`. */
function insertLines(source: Source, offset: number, lines: readonly string[]): string {
  const place = nextLine(source.text, offset);
  const block = lines.join(source.eol);
  const open = place === source.text.length && !source.text.endsWith('\n') && source.text !== '';
  return spliced(source.text, place, place, open ? `${source.eol}${block}` : `${block}${source.eol}`);
}

const endOf = (node: Part): number => node?.range?.[1] ?? 0;

/** Where the value of an entry ends; for a key without value, where the key ends. */
function endOfEntry(entry: Entry): number {
  const key = entry.key as Part;
  return Math.max(endOf(valueOf(entry)), endOf(key));
}

/** Puts `piece` behind the last item of a flow list or map. */
function appendFlow(text: string, node: YAMLMap | YAMLSeq, piece: string): string {
  const close = endOf(node) - 1;
  const last = node.items.at(-1);
  if (last === undefined) return spliced(text, startOf(node) + 1, close, piece);
  const end = isMap(node) ? endOfEntry(last as Entry) : endOf(last as Part);
  const comma = /^(?:\s|#[^\n]*\n)*,/.exec(text.slice(end, close));
  const place = comma === null ? end : end + comma[0].length;
  return spliced(text, place, place, comma === null ? `, ${piece}` : ` ${piece}`);
}

const isImplicit = (node: Part): boolean =>
  !isScalar(node) || node.range === undefined || node.range === null || node.range[0] === node.range[1];

/** Gives a key that has no value (or null) one. */
function fill(source: Source, entry: Entry, content: Content, inFlow: boolean): string {
  const { text } = source;
  const key = entry.key as Part;
  const value = valueOf(entry);
  if (!isImplicit(value))
    return spliced(text, startOf(value), endOf(value), typeof content === 'object' ? flow(content) : scalar(content));
  const colon = text.indexOf(':', endOf(key)) + 1;
  if (inFlow || typeof content !== 'object')
    return spliced(text, colon, colon, ` ${typeof content === 'object' ? flow(content) : scalar(content)}`);
  const [, ...lines] = pairLines('key', content, columnOf(text, startOf(key)), source);
  return lines.length === 0 ? spliced(text, colon, colon, ` ${flow(content)}`) : insertLines(source, colon, lines);
}

/** Adds a key to a map that does not have it. */
function addEntry(source: Source, map: YAMLMap, key: string, content: Content): string {
  if (map.flow === true) return appendFlow(source.text, map, `${scalar(key)}: ${flow(content)}`);
  const last = map.items.at(-1);
  return insertLines(
    source,
    last === undefined ? endOf(map) : endOfEntry(last),
    pairLines(key, content, columnOfItems(source.text, map), source),
  );
}

const nest = (path: readonly string[], content: Content): Content =>
  path.toReversed().reduce<Content>((inner, key) => ({ [key]: inner }), content);

const shared = (node: Part, document: YamlDocument): Node | undefined => {
  const anchor = node === null || node === undefined || isAlias(node) ? undefined : node.anchor;
  let alias: Node | undefined;
  if (anchor === undefined) return undefined;
  visit(document.ast, {
    Alias: (_, found) =>
      found.source === anchor && found.resolve(document.ast) === node ? void (alias = found) : undefined,
  });
  return alias;
};

/** Writes the value out where an alias stands for it. */
function writeOut(source: Source, document: YamlDocument, alias: Node): string {
  const target = follow(alias, document);
  const js: unknown = isMap(target) || isSeq(target) || isScalar(target) ? target.toJS(document.ast) : null;
  return spliced(
    source.text,
    startOf(alias),
    endOf(alias),
    isScalar(target) ? scalar(scalarText(target), 'double') : flow(js as Content),
  );
}

/**
 * The text in which the way to `path` is written out and belongs to this place alone: an edit must not reach other places that
 * share the value through an anchor. The same text when nothing is shared.
 */
function unshared(source: Source, document: YamlDocument, path: readonly string[]): string {
  let node: Part = document.ast.contents;
  for (const key of [undefined, ...path]) {
    if (key !== undefined) node = valueOf(entryOf(node, key));
    if (isAlias(node)) return writeOut(source, document, node);
    const alias = shared(node, document);
    if (alias !== undefined) return writeOut(source, document, alias);
    if (node === null || node === undefined) break;
  }
  return source.text;
}

/** Which document an edit is about, found anew in each version of the text. */
export type Finder = (source: Source) => YamlDocument;

function prepared(text: string, find: Finder, path: readonly string[]): { source: Source; document: YamlDocument } {
  let current = text;
  for (;;) {
    const source = parseSource(current);
    const document = find(source);
    const next = unshared(source, document, path);
    if (next === current) return { source, document };
    current = next;
  }
}

function refuse(document: YamlDocument, node: Part, what: string): never {
  throw new MachineConfigError('edit', what, document.positionOf(node ?? undefined));
}

/** Adds what is missing of a path that ends in nothing yet; the way there is created in the file's own style. */
function create(source: Source, document: YamlDocument, path: readonly string[], content: Content): string {
  let map: Part = document.ast.contents;
  if (!isMap(map)) return refuse(document, map, 'the document is not a map');
  for (const [depth, key] of path.entries()) {
    if (!isMap(map)) return refuse(document, map, `${path.slice(0, depth).join('.')} is not a map`);
    const entry = entryOf(map, key);
    const rest = nest(path.slice(depth + 1), content);
    if (entry === undefined) return addEntry(source, map, key, rest);
    if (isNull(valueOf(entry))) return fill(source, entry, rest, map.flow === true);
    map = valueOf(entry);
  }
  return refuse(document, map, `${path.join('.')} is there already`);
}

const QUOTES: Partial<Record<string, 'single' | 'double'>> = {
  [Scalar.QUOTE_SINGLE]: 'single',
  [Scalar.QUOTE_DOUBLE]: 'double',
};

/** Sets one value; the same text when it has that value already. */
export function setScalar(text: string, find: Finder, path: readonly string[], value: string | boolean): string {
  const before = find(parseSource(text));
  const there = path.reduce<Part>((node, key) => follow(valueOf(entryOf(node, key)), before), before.ast.contents);
  if (isScalar(there) && !isNull(there) && scalarText(there) === String(value)) return text;
  const { source, document } = prepared(text, find, path);
  const node = path.reduce<Part>((parent, key) => valueOf(entryOf(parent, key)), document.ast.contents);
  if (isNull(node)) return create(source, document, path, value);
  if (!isScalar(node)) return refuse(document, node, `${path.join('.')} is not a single value`);
  const block = node.type === Scalar.BLOCK_FOLDED || node.type === Scalar.BLOCK_LITERAL;
  const written = scalar(value, typeof value === 'string' ? QUOTES[node.type ?? ''] : undefined);
  return spliced(source.text, startOf(node), endOf(node), block ? `${written}${source.eol}` : written);
}

/** Appends items to a list, which is created where it is missing. */
export function appendItems(text: string, find: Finder, path: readonly string[], items: readonly Content[]): string {
  if (items.length === 0) return text;
  const { source, document } = prepared(text, find, path);
  const node = path.reduce<Part>((parent, key) => valueOf(entryOf(parent, key)), document.ast.contents);
  if (isNull(node)) return create(source, document, path, items);
  if (!isSeq(node)) return refuse(document, node, `${path.join('.')} is not a list`);
  if (node.flow === true || node.items.length === 0)
    return appendFlow(source.text, node, items.map((item) => flow(item)).join(', '));
  const column = columnOfItems(source.text, node);
  return insertLines(
    source,
    endOf(node.items.at(-1) as Part),
    items.flatMap((item) => itemLines(item, column, source)),
  );
}

/** Adds a key with content to the map at `path` in the item of a list that `pick` finds; used for entries of interfaces. */
export function addToItem(
  text: string,
  find: Finder,
  list: readonly string[],
  pick: (item: Part, document: YamlDocument) => boolean,
  path: readonly string[],
  content: Content,
): string {
  return editItem(text, find, list, pick, (source, document, item) => {
    let map: Part = item;
    for (const [depth, key] of path.entries()) {
      if (!isMap(map)) return refuse(document, map, `${path.slice(0, depth).join('.')} is not a map`);
      const entry = entryOf(map, key);
      const rest = nest(path.slice(depth + 1), content);
      if (entry === undefined) return addEntry(source, map, key, rest);
      if (isNull(valueOf(entry))) return fill(source, entry, rest, map.flow === true);
      map = valueOf(entry);
    }
    if (!isScalar(map) || typeof content === 'object')
      return refuse(document, map, `${path.join('.')} is there already`);
    return spliced(
      source.text,
      startOf(map),
      endOf(map),
      scalar(content, typeof content === 'string' ? QUOTES[map.type ?? ''] : undefined),
    );
  });
}

/** Takes a key out of the item of a list that `pick` finds. */
export function removeFromItem(
  text: string,
  find: Finder,
  list: readonly string[],
  pick: (item: Part, document: YamlDocument) => boolean,
  key: string,
): string {
  return editItem(text, find, list, pick, (source, document, item) => {
    if (!isMap(item)) return refuse(document, item, 'the entry is not a map');
    return withoutEntry(source, item, key);
  });
}

function editItem(
  text: string,
  find: Finder,
  list: readonly string[],
  pick: (item: Part, document: YamlDocument) => boolean,
  edit: (source: Source, document: YamlDocument, item: Part) => string,
): string {
  let { source, document } = prepared(text, find, list);
  for (;;) {
    const seq: Part = list.reduce<Part>((parent, key) => valueOf(entryOf(parent, key)), document.ast.contents);
    const item = isSeq(seq)
      ? (seq.items as Part[]).find((candidate) => pick(follow(candidate, document), document))
      : undefined;
    const alias = isAlias(item) ? item : sharedWithin(item, document);
    if (alias === undefined) return edit(source, document, item);
    source = parseSource(writeOut(source, document, alias));
    document = find(source);
  }
}

/** An alias somewhere in, or of a part of, the item: it is written out before the item is edited. */
function sharedWithin(item: Part, document: YamlDocument): Node | undefined {
  let found: Node | undefined;
  if (item === null || item === undefined) return undefined;
  visit(item, {
    Node: (_, node) => {
      found ??= isAlias(node) ? node : shared(node as Part, document);
      return found === undefined ? undefined : visit.BREAK;
    },
  });
  return found;
}

function withoutEntry(source: Source, map: YAMLMap, key: string): string {
  const { text } = source;
  const index = map.items.findIndex((item) => scalarText(item.key) === key);
  const entry = map.items[index];
  if (entry === undefined) return text;
  const from = startOf(entry.key as Part);
  const end = endOfEntry(entry);
  if (map.flow === true) {
    const next = map.items[index + 1];
    const before = map.items[index - 1];
    if (next !== undefined) return spliced(text, from, startOf(next.key as Part), '');
    return before === undefined ? spliced(text, from, end, '') : spliced(text, endOfEntry(before), end, '');
  }
  const line = text.lastIndexOf('\n', from - 1) + 1;
  // The first key behind a dash shares its line: only the key and its value go, the dash stays for the next key.
  if (text.slice(line, from).trim() !== '') {
    const stop = text[end - 1] === '\n' ? end - (text[end - 2] === '\r' ? 2 : 1) : end;
    return spliced(text, from, stop, map.items.length === 1 ? '{}' : '');
  }
  return spliced(text, line, nextLine(text, end), '');
}

/** Adds a document behind the last one. */
export function appendDocument(text: string, content: { readonly [key: string]: Content }): string {
  const source = parseSource(text);
  const gap = text === '' || text.endsWith('\n') ? '' : source.eol;
  return `${text}${gap}---${source.eol}${documentLines(content, source).join(source.eol)}${source.eol}`;
}

/** Takes a document out, with its separator. */
export function withoutDocument(text: string, document: YamlDocument): string {
  const [from, , to] = document.ast.range;
  return spliced(text, from, to, '');
}
