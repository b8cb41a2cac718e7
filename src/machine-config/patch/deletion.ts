import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { MachineConfigError } from '../error.ts';
import type { YamlDocument } from '../yaml-text.ts';
import { type ConfigDocument, LEGACY_KIND, topText } from './document.ts';
import { scalarText } from './scalar.ts';
import { fieldsOf, type Type } from './types.ts';
import { isStruct, type StructValue, type Value } from './value.ts';

/** One `$patch: delete` of a patch: the document it means, the way to what goes, and for a list's item the key and value it is known by. */
export interface Deletion {
  readonly kind: string;
  readonly name: string | undefined;
  readonly path: readonly string[];
  readonly item: { readonly key: string; readonly value: string } | undefined;
}

const isMarker = (pair: { key: unknown; value: unknown }): boolean =>
  scalarText(pair.key) === '$patch' && isScalar(pair.value) && scalarText(pair.value) === 'delete';

interface Walk {
  readonly document: YamlDocument;
  readonly root: YAMLMap;
  readonly found: Deletion[];
}

function refuse(walk: Walk, node: Node, what: string): never {
  throw new MachineConfigError('patch', what, walk.document.positionOf(node));
}

function selector(walk: Walk, path: readonly string[], node: YAMLMap, inList: boolean): Deletion {
  const apiVersion = topText(walk.root, 'apiVersion');
  const kind = topText(walk.root, 'kind');
  if (path.length === 0 && apiVersion === '')
    return refuse(walk, node, 'missing apiVersion in document for which $patch: delete is used');
  if (path.length === 0 && kind === '')
    return refuse(walk, node, 'missing kind in document for which $patch: delete is used');
  if ((kind === '') !== (apiVersion === ''))
    return refuse(walk, node, `kind and apiVersion must be both set for path ${path.join('.')}`);
  const name = topText(walk.root, 'name');
  const first = inList ? node.items.find((pair) => !isMarker(pair)) : undefined;
  if (inList && first === undefined)
    return refuse(walk, node, `no key:val found in sequence node for path ${path.join('.')}`);
  return {
    kind: kind === '' ? LEGACY_KIND : kind,
    name: name === '' ? undefined : name,
    path: [...path],
    item: first === undefined ? undefined : { key: scalarText(first.key), value: scalarText(first.value) },
  };
}

/** Collects the deletions below `node` and takes them out of the tree; true when nothing is left of the node. */
function visit(walk: Walk, node: unknown, path: readonly string[], inList: boolean): boolean {
  if (isMap(node)) {
    if (node.items.some(isMarker)) {
      if (!inList && path.some((part) => part.startsWith('['))) {
        return refuse(walk, node, `cannot delete an inner key in '${path.join('.')}'`);
      }
      walk.found.push(selector(walk, path, node, inList));
      return true;
    }
    const before = node.items.length;
    node.items = node.items.filter((pair) => !visit(walk, pair.value, [...path, scalarText(pair.key)], false));
    return before > 0 && node.items.length === 0;
  }
  if (isSeq(node)) {
    const before = node.items.length;
    const kept: unknown[] = [];
    // Talos counts the items that are left, so that the number in its errors is the item's place after earlier deletions.
    for (const item of node.items) if (!visit(walk, item, [...path, `[${kept.length}]`], true)) kept.push(item);
    node.items = kept;
    return before > 0 && kept.length === 0;
  }
  return false;
}

const NAMING = new Set(['version', 'kind', 'name']);

/** Takes the `$patch: delete` marks out of a patch's document. `empty` says that the document held nothing else. */
export function takeDeletions(document: YamlDocument): {
  readonly deletions: readonly Deletion[];
  readonly empty: boolean;
} {
  const root = document.ast.contents;
  if (!isMap(root)) return { deletions: [], empty: false };
  const walk: Walk = { document, root: root as YAMLMap, found: [] };
  const gone = visit(walk, root, [], false);
  const bare = root.items.every(
    (pair) => isScalar(pair.key) && isScalar(pair.value) && NAMING.has(scalarText(pair.key)),
  );
  return { deletions: walk.found, empty: gone || bare };
}

const lookupFailed = (path: readonly string[]): never => {
  throw new MachineConfigError('patch', `patch delete: failed to delete path '${path.join('.')}': lookup failed`);
};

function deleteItem(type: Extract<Type, { kind: 'list' }>, list: readonly Value[], deletion: Deletion): Value[] {
  const of = type.of.kind === 'pointer' ? type.of.to : type.of;
  const field = of.kind === 'struct' ? fieldsOf(of.struct).find(({ name }) => name === deletion.item?.key) : undefined;
  const isText =
    field?.type.kind === 'enum' ||
    (field?.type.kind === 'leaf' &&
      !['bool', 'int', 'u8', 'u16', 'u32', 'u64', 'object', 'pem'].includes(field.type.leaf));
  const index = isText
    ? list.findIndex((entry) => isStruct(entry) && (entry.get(deletion.item?.key ?? '') ?? '') === deletion.item?.value)
    : -1;
  return index < 0 ? lookupFailed(deletion.path) : list.toSpliced(index, 1);
}

function deleteFromAny(value: Value, path: readonly string[], deletion: Deletion): Value {
  const [key = '', ...rest] = path;
  if (!isStruct(value) || !value.has(key)) return lookupFailed(deletion.path);
  const result: StructValue = new Map(value);
  if (rest.length === 0) result.delete(key);
  else result.set(key, deleteFromAny(value.get(key), rest, deletion));
  return result;
}

/** What is left of `value` without what `path` names; undefined when the value itself goes. */
function without(type: Type, value: Value, path: readonly string[], deletion: Deletion, minor: number): Value {
  const [key = '', ...rest] = path;
  switch (type.kind) {
    case 'pointer':
      return value === undefined || value === null
        ? lookupFailed(deletion.path)
        : without(type.to, value, path, deletion, minor);
    case 'struct': {
      const field = fieldsOf(type.struct).find(({ name, since }) => name === key && since <= minor);
      if (field === undefined) return lookupFailed(deletion.path);
      const result: StructValue = new Map(isStruct(value) ? value : []);
      const left = rest.length === 0 ? undefined : without(field.type, result.get(key), rest, deletion, minor);
      if (left === undefined) result.delete(key);
      else result.set(key, left);
      return result;
    }
    case 'map': {
      if (!isStruct(value) || !value.has(key)) return lookupFailed(deletion.path);
      const result: StructValue = new Map(value);
      if (rest.length === 0) result.delete(key);
      else result.set(key, without(type.of, value.get(key), rest, deletion, minor));
      return result;
    }
    case 'list':
      if (rest.length > 0 || !Array.isArray(value)) return lookupFailed(deletion.path);
      return deleteItem(type, value, deletion);
    case 'leaf':
      if (type.leaf === 'args' || (type.leaf === 'object' && minor >= 12)) return deleteFromAny(value, path, deletion);
      if (type.leaf === 'manifests' && Array.isArray(value) && rest.length === 0) {
        return deleteItem(
          { kind: 'list', of: { kind: 'struct', struct: 'ClusterInlineManifest' }, rule: undefined },
          value,
          deletion,
        );
      }
      return lookupFailed(deletion.path);
    case 'enum':
      return lookupFailed(deletion.path);
  }
}

/** Applies a deletion to the document it means; undefined when the whole document goes. */
export function applyDeletion(document: ConfigDocument, deletion: Deletion, minor: number): ConfigDocument | undefined {
  if (deletion.path.length === 0) return undefined;
  const fields = without({ kind: 'struct', struct: document.struct }, document.fields, deletion.path, deletion, minor);
  return { ...document, fields: isStruct(fields) ? fields : new Map() };
}
