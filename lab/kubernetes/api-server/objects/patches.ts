import { ApiError, badRequest, unsupportedMediaType } from './status.ts';
import { strategicMerge } from './strategic-merge.ts';
import { copyOf, isRecord, type Json, type JsonRecord } from './types.ts';

/** RFC 7396. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isRecord(patch)) return patch;
  const result: JsonRecord = isRecord(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

const refused = (): ApiError =>
  new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});

const pointer = (text: string): string[] => {
  if (text === '') return [];
  if (!text.startsWith('/')) throw refused();
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
};

function readAt(document: Json, path: readonly string[]): Json {
  let at: Json | undefined = document;
  for (const part of path) {
    if (Array.isArray(at)) at = /^(0|[1-9]\d*)$/.test(part) ? at[Number(part)] : undefined;
    else at = isRecord(at) && Object.hasOwn(at, part) ? at[part] : undefined;
    if (at === undefined) throw refused();
  }
  return at;
}

function change(document: Json, path: readonly string[], value: Json | undefined, replacing: boolean): Json {
  const last = path.at(-1);
  if (last === undefined) return value ?? null;
  const parent = readAt(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    const index = last === '-' && value !== undefined && !replacing ? parent.length : Number(last);
    const limit = value === undefined || replacing ? parent.length - 1 : parent.length;
    if (!Number.isInteger(index) || index < 0 || index > limit) throw refused();
    if (value === undefined) parent.splice(index, 1);
    else parent.splice(index, replacing ? 1 : 0, value);
    return document;
  }
  if (!isRecord(parent) || ((value === undefined || replacing) && !Object.hasOwn(parent, last))) throw refused();
  if (value === undefined) delete parent[last];
  else Object.defineProperty(parent, last, { value, writable: true, enumerable: true, configurable: true });
  return document;
}

const same = (a: Json | undefined, b: Json | undefined): boolean => {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (isRecord(a) && isRecord(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].every((name) => same(a[name], b[name]));
  }
  return a === b;
};

/** RFC 6902. */
export function jsonPatch(target: Json, operations: Json): Json {
  if (!Array.isArray(operations)) throw badRequest('error decoding patch: a JSON patch is a list of operations');
  let document = copyOf(target);
  for (const operation of operations) {
    if (!isRecord(operation)) throw badRequest('error decoding patch: an operation is an object');
    const { op, path, from, value } = operation;
    if (typeof path !== 'string') throw refused();
    const to = pointer(path);
    if (op === 'add' || op === 'replace' || op === 'test') {
      if (value === undefined) throw refused();
      if (op !== 'test') document = change(document, to, copyOf(value), op === 'replace');
      else if (!same(readAt(document, to), value)) throw refused();
    } else if (op === 'remove') document = change(document, to, undefined, false);
    else if ((op === 'move' || op === 'copy') && typeof from === 'string') {
      const moved = copyOf(readAt(document, pointer(from)));
      if (op === 'move') document = change(document, pointer(from), undefined, false);
      document = change(document, to, moved, false);
    } else throw refused();
  }
  return document;
}

/** Applies a patch by its content type; server-side apply is none of these. */
export function applyPatch(contentType: string, target: JsonRecord, patch: Json): JsonRecord {
  const patched = ((): Json => {
    switch (contentType) {
      case 'application/json-patch+json':
        return jsonPatch(target, patch);
      case 'application/merge-patch+json':
        return mergePatch(target, patch);
      case 'application/strategic-merge-patch+json':
        return strategicMerge(target, patch);
      default:
        throw unsupportedMediaType();
    }
  })();
  if (!isRecord(patched)) throw badRequest('the patch leaves no object');
  return patched;
}
