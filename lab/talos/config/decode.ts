import { isAlias, isMap, isScalar, isSeq, YAMLMap, type Document, type LineCounter, type Node } from 'yaml';
import { parseDuration } from './duration.ts';
import { addressProblem, prefixProblem } from './go-addresses.ts';
import { base64Problem } from './base64.ts';
import { goTypeOf } from './go-types.ts';
import type { Scalar, Shape } from './shape.ts';
import { parseUrl } from './url.ts';
import { wordProblem, type WordType } from './words.ts';

/** A config's values after decoding: text, booleans, numbers, lists (also the values of an argument) and records. */
export type Value = string | boolean | number | readonly Value[] | { readonly [key: string]: Value };

export interface Decoded {
  readonly value: Value | undefined;
  /** What no key is known for, in its place; undefined when everything is known. */
  readonly unknown: unknown;
  /** In the words of Go's YAML library. */
  readonly mistakes: readonly string[];
}

/** Decodes a node by a shape, as strictly as Talos does. */
export function decode(
  root: Node | null,
  shape: Shape,
  minor: number,
  document: Document,
  lines: LineCounter,
): Decoded {
  const mistakes: string[] = [];
  /** The section that is being read, and those with a text that is no base64. */
  let home: Node = root ?? new YAMLMap();
  const spoilt = new Set<Node>();
  const verb = minor >= 13 ? 'construct' : 'unmarshal';
  const report = (node: Node, text: string): undefined => {
    mistakes.push(`line ${lines.linePos(node.range?.[0] ?? 0).line}: ${text}`);
  };
  const mismatch = (node: Node, type: string): undefined => report(node, `cannot ${verb} ${tagOf(node)} into ${type}`);

  function walk(
    given: unknown,
    shape: Shape,
    goType: string,
    name = '',
  ): { value: Value | undefined; unknown: unknown } {
    const node = isAlias(given) ? given.resolve(document) : (given as Node | null | undefined);
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return known(undefined);
    switch (shape.kind) {
      case 'anything':
        return known(node.toJS(document) as Value);
      case 'list': {
        if (!isSeq(node)) return known(mismatch(node, goType));
        const items = node.items.map((item) => walk(item, shape.item, goTypeOf('[]', shape.item, name)));
        const unknown = items.map((item) => item.unknown).filter((item) => item !== undefined);
        return {
          value: items.flatMap(({ value }) => (value === undefined ? [] : [value])),
          unknown: unknown.length > 0 ? unknown : undefined,
        };
      }
      case 'map':
      case 'section':
        return isMap(node) ? walkMap(node, shape, name) : known(mismatch(node, goType));
      case 'argument':
        if (isSeq(node) && minor >= 13) return walk(node, { kind: 'list', item: { kind: 'text' } }, '[]string');
        return isScalar(node) ? known([textOf(node)]) : known(mismatch(node, 'string'));
      case 'object':
        return known(isMap(node) ? (node.toJS(document) as Value) : mismatch(node, 'meta.Unstructured'));
      case 'word':
        return known(isScalar(node) ? wordOf(node, shape.type) : mismatch(node, `nethelpers.${shape.type}`));
      case 'unsigned':
        return known(isScalar(node) ? unsignedOf(node, shape.bits) : mismatch(node, goType));
      case 'text':
      case 'boolean':
      case 'integer':
      case 'url':
      case 'base64':
      case 'prefix':
      case 'address':
      case 'duration':
      case 'hexadecimal':
      case 'ports':
        return isScalar(node) ? known(scalarOf(node, shape.kind)) : known(mismatch(node, goType));
    }
  }

  function walkMap(
    map: YAMLMap,
    shape: Extract<Shape, { kind: 'map' } | { kind: 'section' }>,
    section: string,
  ): { value: Value; unknown: unknown } {
    const value: Record<string, Value> = {};
    const unknown: Record<string, unknown> = {};
    const outer = home;
    for (const { key, value: child } of map.items) {
      home = map;
      const name = isScalar(key) ? String(key.source ?? key.value) : String(key);
      const entry = shape.kind === 'map' ? { shape: shape.item, since: 0 } : shape.keys.get(name);
      if (entry === undefined || entry.since > minor) {
        unknown[name] = toPlain(child, document);
        continue;
      }
      const result = walk(child, entry.shape, goTypeOf(shape.kind === 'map' ? '[]' : name, entry.shape, section), name);
      if (result.value !== undefined) value[name] = result.value;
      if (result.unknown !== undefined) unknown[name] = result.unknown;
    }
    home = outer;
    return { value, unknown: Object.keys(unknown).length > 0 ? unknown : undefined };
  }

  function wordOf(node: Node & { value: unknown }, type: WordType): Value | undefined {
    const text = textOf(node);
    const problem = wordProblem(type, text);
    return problem === undefined ? text : report(node, problem);
  }

  function unsignedOf(node: Node & { value: unknown }, bits: number): Value | undefined {
    const { value } = node;
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** bits;
    return fits ? value : mismatch(node, `uint${bits}`);
  }

  function scalarOf(node: Node & { value: unknown }, kind: Scalar): Value | undefined {
    const text = textOf(node);
    switch (kind) {
      case 'prefix': {
        const problem = prefixProblem(text);
        return problem === undefined ? text : report(node, problem);
      }
      case 'address': {
        const problem = text === '' ? undefined : addressProblem(text);
        return problem === undefined ? text : report(node, problem);
      }
      case 'duration':
        return typeof node.value === 'string' && parseDuration(text) !== undefined
          ? text
          : mismatch(node, 'time.Duration');
      case 'hexadecimal': {
        const problem = hexadecimalProblem(text.replaceAll(':', ''));
        return problem === undefined ? text : report(node, problem);
      }
      case 'ports':
        return isPorts(node.value, text) ? text : report(node, `invalid port range: ${JSON.stringify(text)}`);
      case 'boolean':
        if (/^(true|yes|on|y)$/i.test(text)) return true;
        return /^(false|no|off|n)$/i.test(text) ? false : mismatch(node, 'bool');
      case 'integer':
        return typeof node.value === 'number' && Number.isInteger(node.value) ? node.value : mismatch(node, 'int');
      case 'url': {
        const url = parseUrl(text);
        return 'error' in url ? report(node, url.error) : url.text;
      }
      case 'base64': {
        const problem = base64Problem(text);
        if (problem === undefined) return text.replaceAll(/[\n\r]/g, '');
        // Told once for the pair, where the pair begins: it is the pair that reads its texts.
        if (spoilt.has(home)) return undefined;
        spoilt.add(home);
        return report(home, problem);
      }
      case 'text':
        return text;
    }
  }

  const { value, unknown } = walk(root, shape, 'struct');
  return { value, unknown, mistakes };
}

const known = (value: Value | undefined): { value: Value | undefined; unknown: undefined } => ({
  value,
  unknown: undefined,
});

/** The text of a scalar as written: `1.20` stays `1.20`. */
export const textOf = (node: Node & { value?: unknown; source?: string }): string =>
  typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));

const toPlain = (node: unknown, document: Document): unknown =>
  node === null || node === undefined ? null : ((node as Node).toJS(document) as unknown);

function tagOf(node: Node): string {
  if (isMap(node)) return '!!map';
  if (isSeq(node)) return '!!seq';
  const value = isScalar(node) ? node.value : undefined;
  const text = isScalar(node) ? textOf(node) : '';
  const tag =
    typeof value === 'number'
      ? Number.isInteger(value)
        ? '!!int'
        : '!!float'
      : typeof value === 'boolean'
        ? '!!bool'
        : '!!str';
  return `${tag} \`${text.length > 10 ? `${text.slice(0, 7)}...` : text}\``;
}

/** In the words of Go's encoding/hex. */
function hexadecimalProblem(text: string): string | undefined {
  const odd = /[^0-9a-fA-F]/.exec(text)?.[0];
  if (odd !== undefined)
    return `encoding/hex: invalid byte: U+${odd.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${odd}'`;
  return text.length % 2 === 0 ? undefined : 'encoding/hex: odd length hex string';
}

/** A port, or two of them with `-` between. */
function isPorts(value: unknown, text: string): boolean {
  const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port < 65_536;
  if (typeof value === 'number') return isPort(value);
  const parts = /^(\d+)-(\d+)$/.exec(text);
  return parts !== null && isPort(Number(parts[1])) && isPort(Number(parts[2]));
}
