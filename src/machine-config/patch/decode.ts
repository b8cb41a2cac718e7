import { isAlias, isMap, isScalar, isSeq, type Node, Scalar, type YAMLMap } from 'yaml';
import type { MachineConfigErrorCode } from '../error.ts';
import { MachineConfigError } from '../error.ts';
import type { YamlDocument } from '../yaml-text.ts';
import { asBool, number, type Resolved, resolve, scalarText } from './scalar.ts';
import { canonical, canonicalBase64, isTextLeaf } from './text-leaf.ts';
import { fieldsOf, type LeafName, type Type } from './types.ts';
import type { StructValue, Value } from './value.ts';

export interface Context {
  readonly document: YamlDocument;
  readonly minor: number;
}

type Part = Node | null | undefined;

const LIMITS: Partial<Record<LeafName, bigint>> = { u8: 1n << 8n, u16: 1n << 16n, u32: 1n << 32n, u64: 1n << 64n };

/** The node itself, also when it is written as a reference to another. */
export function follow(node: Part, context: Context): Part {
  if (!isAlias(node)) return node;
  const target = node.resolve(context.document.ast);
  return target === undefined
    ? fail(node, context, 'unreadable', `unknown anchor '${node.source}' referenced`)
    : follow(target, context);
}

export function fail(node: Part, context: Context, code: MachineConfigErrorCode, what: string): never {
  throw new MachineConfigError(code, what, context.document.positionOf(node));
}

export const isNull = (node: Part): boolean =>
  node === null || node === undefined || (isScalar(node) && resolve(node).tag === 'null');

const shown = (node: Part): string => (isMap(node) ? 'a map' : isSeq(node) ? 'a list' : 'a single value');

/** The entries of a map with their keys as text; a key that is no scalar, or is there twice, is refused. */
export function entries(
  map: YAMLMap,
  context: Context,
): { readonly key: string; readonly keyNode: Part; readonly value: Part }[] {
  const seen = new Set<string>();
  return map.items.flatMap((pair) => {
    const keyNode = pair.key as Part;
    const target = follow(keyNode, context);
    if (!isScalar(target)) return fail(keyNode, context, 'type', 'a key must be a single value');
    const plain = target.type === Scalar.PLAIN && typeof target.source === 'string';
    const key = scalarText(target);
    if (plain && key === '<<') return merged(pair.value as Part, context);
    if (seen.has(key)) return fail(keyNode, context, 'type', `the key "${key}" is there twice`);
    seen.add(key);
    return [{ key, keyNode, value: pair.value as Part }];
  });
}

/** The entries that `<<: *anchor` brings; what stands beside it wins, so these come first. */
function merged(
  node: Part,
  context: Context,
): { readonly key: string; readonly keyNode: Part; readonly value: Part }[] {
  const target = follow(node, context);
  if (isSeq(target)) return target.items.toReversed().flatMap((item) => merged(item as Part, context));
  return isMap(target) ? entries(target, context) : fail(node, context, 'type', 'a merge key (<<) needs a map');
}

export function textOf(node: Part, context: Context): string {
  if (isNull(node)) return '';
  if (!isScalar(node)) return fail(node, context, 'type', `expected text, found ${shown(node)}`);
  const resolved = resolve(node);
  return resolved.tag === 'null' ? '' : resolved.text;
}

function wholeOf(resolved: Resolved, minor: number): bigint | undefined {
  if (resolved.tag === 'int') return resolved.value;
  if (resolved.tag !== 'float' || !Number.isFinite(resolved.value)) return undefined;
  // Talos before 1.13 cuts a fraction off, later ones refuse it.
  return minor >= 13 && !Number.isInteger(resolved.value) ? undefined : BigInt(Math.trunc(resolved.value));
}

function decodeInteger(leaf: LeafName, resolved: Resolved, node: Part, context: Context): Value {
  const value = wholeOf(resolved, context.minor);
  if (value === undefined) return fail(node, context, 'type', `expected a whole number, found ${shown(node)}`);
  const limit = LIMITS[leaf === 'mode' ? 'u32' : leaf];
  if (limit === undefined ? value < -(1n << 63n) || value >= 1n << 63n : value < 0n || value >= limit) {
    return fail(node, context, 'type', `${value} does not fit`);
  }
  return number(value);
}

/** Free-form content, kept as it is. */
export function decodeAny(node: Part, context: Context, oldBools = false): Value {
  const target = follow(node, context);
  if (isMap(target)) {
    return new Map(entries(target, context).map(({ key, value }) => [key, decodeAny(value, context, oldBools)]));
  }
  if (isSeq(target)) return target.items.map((item) => decodeAny(item as Part, context, oldBools));
  const resolved = resolve(target, oldBools);
  if (resolved.tag === 'null') return null;
  if (resolved.tag === 'str') return resolved.text;
  return resolved.tag === 'int' ? number(resolved.value) : resolved.value;
}

function decodePem(leaf: LeafName, node: Part, context: Context): Value {
  if (!isMap(node)) return fail(node, context, 'type', `expected a certificate, found ${shown(node)}`);
  const allowed = leaf === 'pem' ? ['crt', 'key'] : leaf === 'pemcert' ? ['crt'] : ['key'];
  const result: StructValue = new Map(allowed.map((key) => [key, '']));
  for (const { key, keyNode, value } of entries(node, context)) {
    if (!allowed.includes(key)) return fail(keyNode, context, 'unknown', `unknown key "${key}"`);
    const text = textOf(follow(value, context), context);
    const kept = text === '******' && key === 'key' ? text : canonicalBase64(text);
    if (kept === undefined) return fail(value, context, 'type', `"${key}" is not base64`);
    result.set(key, kept);
  }
  return result;
}

function decodeArg(node: Part, context: Context): Value {
  const target = follow(node, context);
  if (isNull(target)) return '';
  if (isScalar(target)) return textOf(target, context);
  if (isSeq(target) && context.minor >= 13)
    return target.items
      .filter((item) => !isNull(follow(item as Part, context)))
      .map((item) => textOf(follow(item as Part, context), context));
  const found = shown(target);
  return fail(
    target,
    context,
    'type',
    context.minor >= 13 ? `an argument is text or a list of texts, not ${found}` : `expected text, found ${found}`,
  );
}

function decodePorts(node: Part, context: Context): Value {
  const resolved = resolve(node);
  if (resolved.tag === 'int') return decodeInteger('u16', resolved, node, context);
  const match = /^(\d+)-(\d+)$/.exec(textOf(node, context));
  const [low, high] = [Number(match?.[1] ?? -1), Number(match?.[2] ?? -1)];
  if (match === null || low > 65_535 || high > 65_535)
    return fail(node, context, 'type', 'expected a port or a range low-high');
  return low === high ? low : `${low}-${high}`;
}

const MANIFESTS: Type = { kind: 'list', of: { kind: 'struct', struct: 'ClusterInlineManifest' }, rule: undefined };

function decodeManifests(node: Part, context: Context): Value {
  const list = decode(MANIFESTS, node, context);
  for (const item of Array.isArray(list) ? list : []) {
    if (!(item instanceof Map)) continue;
    const contents = item.get('contents');
    if (typeof contents === 'string') item.set('contents', contents.replace(/^[\t\n\v\f\r]+/, ''));
  }
  return list;
}

function decodeLeaf(leaf: LeafName, node: Part, context: Context): Value {
  if (leaf === 'object')
    return isMap(node) ? decodeAny(node, context) : fail(node, context, 'type', `expected a map, found ${shown(node)}`);
  if (leaf === 'pem' || leaf === 'pemcert' || leaf === 'pemkey') return decodePem(leaf, node, context);
  if (leaf === 'manifests') return decodeManifests(node, context);
  if (leaf === 'args') {
    if (!isMap(node)) return fail(node, context, 'type', `expected a map of arguments, found ${shown(node)}`);
    return new Map(entries(node, context).map(({ key, value }) => [key, decodeArg(value, context)]));
  }
  if (!isScalar(node))
    return fail(node, context, 'type', `expected ${leaf === 'bool' ? 'true or false' : leaf}, found ${shown(node)}`);
  if (leaf === 'ports') return decodePorts(node, context);
  const resolved = resolve(node);
  if (leaf === 'string' || leaf === 'disksize') return textOf(node, context);
  if (leaf === 'bool') return asBool(resolved) ?? fail(node, context, 'type', 'expected true or false');
  if (!isTextLeaf(leaf)) return decodeInteger(leaf, resolved, node, context);
  if (leaf === 'duration' && resolved.tag !== 'str')
    return fail(node, context, 'type', 'expected a duration such as 30s');
  return (
    canonical(leaf, textOf(node, context), context.minor) ??
    fail(node, context, 'type', `${JSON.stringify(textOf(node, context))} is not a valid ${leaf}`)
  );
}

function decodeStruct(struct: string, node: Part, context: Context): Value {
  if (!isMap(node)) return fail(node, context, 'type', `expected a map, found ${shown(node)}`);
  return decodeFields(struct, node, context, new Set());
}

/** The fields of a struct in `map`; keys in `besides` are somebody else's, any other unknown key is refused. */
export function decodeFields(
  struct: string,
  map: YAMLMap,
  context: Context,
  besides: ReadonlySet<string>,
): StructValue {
  const fields = fieldsOf(struct);
  const result: StructValue = new Map();
  for (const { key, keyNode, value } of entries(map, context)) {
    if (besides.has(key)) continue;
    const field = fields.find((known) => known.name === key && known.since <= context.minor);
    if (field === undefined)
      return fail(keyNode, context, 'unknown', `unknown key "${key}" (unknown keys found during decoding)`);
    const decoded = decode(field.type, value, context);
    if (decoded !== undefined) result.set(key, decoded);
  }
  return result;
}

/** The items of a list. Empty ones stay where an item may be unset, and are left out where not. */
function decodeItems(of: Type, items: readonly Part[], context: Context): Value[] {
  const decoded = items.map((item) => decode(of, item, context));
  return of.kind === 'pointer' ? decoded.map((item) => item ?? null) : decoded.filter((item) => item !== undefined);
}

/** Reads a node as the given type, as strictly as Talos does; null and absent are undefined. */
export function decode(type: Type, node: Part, context: Context): Value {
  const target = follow(node, context);
  if (isNull(target)) return undefined;
  switch (type.kind) {
    case 'pointer':
      return decode(type.to, target, context);
    case 'leaf':
      return decodeLeaf(type.leaf, target, context);
    case 'enum': {
      const text = textOf(target, context);
      const known = type.values.find((value) => value.toLowerCase() === text.toLowerCase());
      if (known !== undefined && !known.includes('(')) return known;
      return fail(
        target,
        context,
        'unknown',
        `${JSON.stringify(text)} is none of ${type.values.filter((value) => !value.includes('(')).join(', ')}`,
      );
    }
    case 'list':
      if (!isSeq(target)) return fail(target, context, 'type', `expected a list, found ${shown(target)}`);
      return decodeItems(type.of, target.items as Part[], context);
    case 'map':
      if (!isMap(target)) return fail(target, context, 'type', `expected a map, found ${shown(target)}`);
      return new Map(entries(target, context).map(({ key, value }) => [key, decode(type.of, value, context) ?? null]));
    case 'struct':
      return decodeStruct(type.struct, target, context);
  }
}
