import { MachineConfigError } from '../error.ts';
import { emptyText } from './text-leaf.ts';
import { type Field, fieldsOf, type LeafName, type ListRule, type Type } from './types.ts';
import { mergeUrls } from './url.ts';
import { copy, isStruct, type StructValue, type Value } from './value.ts';

export interface MergeContext {
  readonly minor: number;
}

const isZeroScalar = (value: Value): boolean =>
  value === undefined || value === null || value === '' || value === 0 || value === 0n || value === false;

const same = (left: Value, right: Value): boolean => {
  if (isStruct(left) && isStruct(right)) {
    const keys = new Set([...left.keys(), ...right.keys()]);
    return [...keys].every((key) => same(left.get(key), right.get(key)));
  }
  return left === right || (isZeroScalar(left) && isZeroScalar(right));
};

/** Free-form content: maps are merged, lists appended, kinds must agree. */
function mergeAny(left: Value, right: Value): Value {
  if (left === undefined || left === null) return copy(right);
  if (isStruct(left) && isStruct(right)) {
    const result: StructValue = new Map(left);
    for (const [key, value] of right) result.set(key, result.has(key) ? mergeAny(result.get(key), value) : copy(value));
    return result;
  }
  if (Array.isArray(left) && Array.isArray(right)) return [...left, ...copy(right)];
  if (
    right === undefined ||
    right === null ||
    typeof left !== typeof right ||
    Array.isArray(left) ||
    Array.isArray(right) ||
    isStruct(left)
  ) {
    throw new MachineConfigError(
      'patch',
      'the patch has another kind of value here than the configuration (merge type mismatch)',
    );
  }
  return typeof right !== 'boolean' && isZeroScalar(right) ? left : right;
}

/** Sizes and addresses that Talos' merge treats in its own way. */
function mergeText(leaf: LeafName, left: Value, right: Value, context: MergeContext): Value {
  if (leaf === 'cel' || leaf === 'bytesize' || (leaf === 'size' && context.minor < 12)) return right;
  if (leaf === 'url')
    return typeof left === 'string' && typeof right === 'string' ? mergeUrls(left, right) : (right ?? left);
  if (leaf === 'size' && typeof left === 'string' && left !== '' && !left.includes('%')) {
    return typeof right === 'string' && right !== '' && !right.includes('%') ? right : left;
  }
  if ((leaf === 'prefix' || leaf === 'addr' || leaf === 'addrport' || leaf === 'ip') && context.minor < 14) {
    throw new MachineConfigError(
      'patch',
      'this Talos version cannot merge a document that holds an address (merge not possible)',
    );
  }
  return right === undefined || right === emptyText(leaf) ? left : right;
}

const byKey = (list: readonly Value[], key: string, item: StructValue): number =>
  list.findIndex((entry) => isStruct(entry) && same(entry.get(key), item.get(key)));

function deviceIndex(list: readonly Value[], item: StructValue): number {
  if (!isZeroScalar(item.get('interface'))) return byKey(list, 'interface', item);
  const selector = item.get('deviceSelector');
  if (!isStruct(selector)) return -1;
  return list.findIndex((entry) => {
    const other = isStruct(entry) ? entry.get('deviceSelector') : undefined;
    // Talos compares the selectors' memory: `physical` is a pointer there, so two selectors that name it are never the same.
    return isStruct(other) && !selector.has('physical') && !other.has('physical') && same(other, selector);
  });
}

const KEYS = { 'by-vlanId': 'vlanId', 'by-name': 'name', 'by-mountPath': 'mountPath', 'put-image': 'image' } as const;

function mergeByRule(
  rule: ListRule,
  of: Type,
  left: readonly Value[],
  right: readonly Value[],
  context: MergeContext,
): Value[] {
  const result = [...left];
  const images = rule === 'put-image' ? [...left] : undefined;
  for (const item of right) {
    if (!isStruct(item))
      throw new MachineConfigError('patch', 'a list of the patch has an empty item (talosctl crashes here)');
    const index = !isStruct(item)
      ? -1
      : rule === 'devices'
        ? deviceIndex(result, item)
        : byKey(images ?? result, KEYS[rule], item);
    if (index < 0) result.push(copy(item));
    else
      result[index] =
        rule === 'put-image'
          ? copy(item)
          : merge(of.kind === 'pointer' ? of.to : of, result[index], item, context, false, false);
  }
  return result;
}

function mergeList(
  type: Extract<Type, { kind: 'list' }>,
  left: Value,
  right: Value,
  context: MergeContext,
  replace: boolean,
): Value {
  if (!Array.isArray(right)) return left;
  const base = Array.isArray(left) ? left : [];
  if (type.rule !== undefined) return right.length === 0 ? left : mergeByRule(type.rule, type.of, base, right, context);
  return replace ? copy(right) : [...base, ...copy(right)];
}

function mergeMap(of: Type, left: Value, right: Value, context: MergeContext): Value {
  if (!isStruct(right)) return left;
  const result: StructValue = new Map(isStruct(left) ? left : []);
  for (const [key, value] of right) {
    const there = result.get(key);
    const absent = !result.has(key) || ((there === undefined || there === null) && of.kind === 'pointer');
    result.set(key, absent ? copy(value) : merge(of, there, value, context, false, false));
  }
  return result;
}

function mergeFields(fields: readonly Field[], left: Value, right: Value, context: MergeContext): StructValue {
  const result: StructValue = new Map(isStruct(left) ? left : []);
  const patch: StructValue = isStruct(right) ? right : new Map();
  for (const field of fields) {
    if (field.since > context.minor) continue;
    const value = merge(field.type, result.get(field.name), patch.get(field.name), context, field.replace, false);
    if (value === undefined) result.delete(field.name);
    else result.set(field.name, value);
  }
  return result;
}

function mergeLeaf(
  leaf: LeafName,
  left: Value,
  right: Value,
  context: MergeContext,
  replace: boolean,
  overwrite: boolean,
): Value {
  switch (leaf) {
    case 'args':
      return isStruct(right) && right.size > 0 ? new Map([...(isStruct(left) ? left : []), ...copy(right)]) : left;
    case 'object':
      return !isStruct(right) || right.size === 0 ? left : replace ? copy(right) : mergeAny(left, right);
    case 'pem':
    case 'pemcert':
    case 'pemkey':
    case 'base64':
    case 'mac':
      return right === undefined ? left : copy(right);
    case 'manifests':
      return Array.isArray(right) ? [...(Array.isArray(left) ? left : []), ...copy(right)] : left;
    case 'bool':
      return right ?? false;
    case 'string':
    case 'int':
    case 'u8':
    case 'u16':
    case 'u32':
    case 'u64':
    case 'disksize':
    case 'mode':
    case 'ports':
      return isZeroScalar(right) && !overwrite ? left : right;
    case 'addr':
    case 'ip':
    case 'prefix':
    case 'addrport':
    case 'url':
    case 'size':
    case 'bytesize':
    case 'cel':
    case 'trimmed':
    case 'duration':
    case 'table':
      return mergeText(leaf, left, right, context);
  }
}

/**
 * Merges `right` over `left` by the rules of Talos' strategic merge: what is empty says nothing, lists are appended, maps and
 * structs are merged, and some fields are replaced. From Talos 1.12 a value that may be unset overrides even when it is zero.
 */
export function merge(
  type: Type,
  left: Value,
  right: Value,
  context: MergeContext,
  replace: boolean,
  overwrite: boolean,
): Value {
  switch (type.kind) {
    case 'pointer':
      if (right === undefined || right === null) return left;
      if (left === undefined || left === null) return copy(right);
      return merge(type.to, left, right, context, replace, context.minor >= 12);
    case 'leaf':
      return mergeLeaf(type.leaf, left, right, context, replace, overwrite);
    case 'enum':
      return (right === undefined || right === type.values[0]) && !overwrite ? left : right;
    case 'list':
      return mergeList(type, left, right, context, replace);
    case 'map':
      return mergeMap(type.of, left, right, context);
    case 'struct':
      return mergeFields(fieldsOf(type.struct), left, right, context);
  }
}
