import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node } from 'yaml';
import type { Shape } from './shape.ts';
import { parseUrl } from './url.ts';

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
  const verb = minor >= 13 ? 'construct' : 'unmarshal';
  const report = (node: Node, text: string): undefined => {
    mistakes.push(`line ${lines.linePos(node.range?.[0] ?? 0).line}: ${text}`);
  };
  const mismatch = (node: Node, type: string): undefined => report(node, `cannot ${verb} ${tagOf(node)} into ${type}`);

  function walk(given: unknown, shape: Shape, goType: string): { value: Value | undefined; unknown: unknown } {
    const node = isAlias(given) ? given.resolve(document) : (given as Node | null | undefined);
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return known(undefined);
    switch (shape.kind) {
      case 'anything':
        return known(node.toJS(document) as Value);
      case 'list': {
        if (!isSeq(node)) return known(mismatch(node, goType));
        const items = node.items.map((item) => walk(item, shape.item, goType.replace(/^\[\]/, '')));
        const unknown = items.map((item) => item.unknown).filter((item) => item !== undefined);
        return {
          value: items.flatMap(({ value }) => (value === undefined ? [] : [value])),
          unknown: unknown.length > 0 ? unknown : undefined,
        };
      }
      case 'map':
      case 'section':
        return isMap(node) ? walkMap(node.items, shape) : known(mismatch(node, goType));
      case 'argument':
        if (isSeq(node) && minor >= 13) return walk(node, { kind: 'list', item: { kind: 'text' } }, '[]string');
        return isScalar(node) ? known([textOf(node)]) : known(mismatch(node, 'string'));
      case 'text':
      case 'boolean':
      case 'integer':
      case 'url':
      case 'base64':
        return isScalar(node) ? known(scalarOf(node, shape.kind)) : known(mismatch(node, goType));
    }
  }

  function walkMap(
    items: readonly { key: unknown; value: unknown }[],
    shape: Extract<Shape, { kind: 'map' } | { kind: 'section' }>,
  ): { value: Value; unknown: unknown } {
    const value: Record<string, Value> = {};
    const unknown: Record<string, unknown> = {};
    for (const { key, value: child } of items) {
      const name = isScalar(key) ? String(key.source ?? key.value) : String(key);
      const entry = shape.kind === 'map' ? { shape: shape.item, since: 0 } : shape.keys.get(name);
      if (entry === undefined || entry.since > minor) {
        unknown[name] = toPlain(child, document);
        continue;
      }
      const result = walk(child, entry.shape, goTypeOf(name, entry.shape));
      if (result.value !== undefined) value[name] = result.value;
      if (result.unknown !== undefined) unknown[name] = result.unknown;
    }
    return { value, unknown: Object.keys(unknown).length > 0 ? unknown : undefined };
  }

  function scalarOf(
    node: Node & { value: unknown },
    kind: 'text' | 'boolean' | 'integer' | 'url' | 'base64',
  ): Value | undefined {
    const text = textOf(node);
    switch (kind) {
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
        const plain = text.replaceAll(/[\n\r]/g, '');
        const bad = plain.search(/[^A-Za-z0-9+/=]|=+[^=]/);
        if (bad === -1 && plain.length % 4 === 0) return plain;
        return report(node, `illegal base64 data at input byte ${bad === -1 ? plain.length : bad}`);
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
const textOf = (node: Node & { value?: unknown; source?: string }): string =>
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

/** The name of a Go type in messages: exact for plain ones, for the list of interfaces, and a guess for other sections. */
function goTypeOf(name: string, shape: Shape): string {
  switch (shape.kind) {
    case 'list':
      return name === 'interfaces' ? 'v1alpha1.NetworkDeviceList' : `[]${goTypeOf(name, shape.item)}`;
    case 'map':
      return `map[string]${goTypeOf(name, shape.item)}`;
    case 'section':
      return `v1alpha1.${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    case 'boolean':
      return 'bool';
    case 'integer':
      return 'int';
    case 'anything':
    case 'argument':
    case 'base64':
    case 'text':
    case 'url':
      return 'string';
  }
}
