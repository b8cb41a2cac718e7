import { MachineConfigError } from '../error.ts';
import { copy, isStruct, type StructValue, type Value } from './value.ts';

/** One operation of a JSON patch (RFC 6902), as it stands in the patch: nothing is checked until it is applied. */
export type Operation = ReadonlyMap<string, Value>;

function refuse(what: string): never {
  throw new MachineConfigError('patch', `failure applying rfc6902 patches to talos machine config: ${what}`);
}

function textField(operation: Operation, key: string): string {
  const value = operation.get(key);
  return typeof value === 'string' ? value : refuse(`the operation has no ${key}`);
}

function pointer(path: string): string[] {
  if (path !== '' && !path.startsWith('/')) return refuse(`path ${path} does not start with /`);
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function index(list: readonly Value[], key: string, adding: boolean): number {
  if (adding && key === '-') return list.length;
  if (!/^-?\d+$/.test(key)) return refuse(`${key} is not a place in a list`);
  const limit = list.length + (adding ? 1 : 0);
  const at = Number(key) < 0 ? Number(key) + limit : Number(key);
  return at >= 0 && at < limit ? at : refuse(`${key} is outside the list`);
}

function child(parent: Value, key: string): Value {
  if (Array.isArray(parent)) return parent[index(parent, key, false)];
  return isStruct(parent) ? parent.get(key) : undefined;
}

/** The container that holds the last part of the path, and that part. */
function locate(
  root: Value,
  path: string,
  what: string,
): { readonly holder: StructValue | Value[]; readonly key: string } {
  const parts = pointer(path);
  const key = parts.pop();
  if (key === undefined) return refuse(`${what} operation does not apply to the whole document`);
  let holder: Value = root;
  for (const part of parts) {
    holder = child(holder, part);
    if (!isStruct(holder) && !Array.isArray(holder))
      return refuse(`${what} operation does not apply: doc is missing path: ${path}`);
  }
  return isStruct(holder) || Array.isArray(holder)
    ? { holder, key }
    : refuse(`${what} operation does not apply: doc is missing path: ${path}`);
}

function read(root: Value, path: string, what: string): Value {
  if (path === '') return root;
  const { holder, key } = locate(root, path, what);
  return child(holder, key);
}

function put(root: Value, path: string, value: Value, what: string): void {
  const { holder, key } = locate(root, path, what);
  if (isStruct(holder)) holder.set(key, value);
  else if (what === 'replace') holder[index(holder, key, false)] = value;
  else holder.splice(index(holder, key, true), 0, value);
}

function remove(root: Value, path: string, what: string): void {
  const { holder, key } = locate(root, path, what);
  if (Array.isArray(holder)) holder.splice(index(holder, key, false), 1);
  else if (!holder.delete(key)) refuse(`${what}: unable to remove nonexistent key: ${key}`);
}

function equal(left: Value, right: Value): boolean {
  if (Array.isArray(left) && Array.isArray(right))
    return left.length === right.length && left.every((item, at) => equal(item, right[at]));
  if (isStruct(left) && isStruct(right))
    return left.size === right.size && [...left].every(([key, item]) => right.has(key) && equal(item, right.get(key)));
  return (left ?? null) === (right ?? null);
}

function valueOf(operation: Operation): Value {
  return copy(operation.get('value') ?? null);
}

/** Applies the operations one after another to a copy of the document. The first that does not apply refuses them all. */
export function applyJsonPatch(document: Value, operations: readonly Operation[]): Value {
  let root = copy(document);
  for (const operation of operations) {
    const kind = textField(operation, 'op');
    switch (kind) {
      case 'add':
      case 'replace':
        if (kind === 'replace' && textField(operation, 'path') === '') root = valueOf(operation);
        else put(root, textField(operation, 'path'), valueOf(operation), kind);
        break;
      case 'remove':
        remove(root, textField(operation, 'path'), kind);
        break;
      case 'move': {
        const value = read(root, textField(operation, 'from'), kind);
        remove(root, textField(operation, 'from'), kind);
        put(root, textField(operation, 'path'), value, kind);
        break;
      }
      case 'copy':
        put(root, textField(operation, 'path'), copy(read(root, textField(operation, 'from'), kind) ?? null), kind);
        break;
      case 'test': {
        const path = textField(operation, 'path');
        if (!equal(read(root, path, kind), valueOf(operation))) refuse(`testing value ${path} failed: test failed`);
        break;
      }
      default:
        refuse(`Unexpected kind: ${kind}`);
    }
  }
  return root;
}
