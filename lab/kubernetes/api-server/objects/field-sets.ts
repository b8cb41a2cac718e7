import { mergeKeys, sets } from './strategic-merge.ts';
import { isRecord, type Json, type JsonRecord } from './types.ts';

/** One field of an object, step by step as managedFields name them: `f:data`, `k:{"name":"a"}`, `v:"x"`, `.` (an item itself). */
export type FieldPath = readonly string[];

const UNMANAGED = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'generation',
  'managedFields',
  'selfLink',
]);

/** The fields that an applied object sets: names and versions of the object itself aside. */
export function fieldsOf(object: JsonRecord): FieldPath[] {
  const { apiVersion: _version, kind: _kind, metadata, ...content } = object;
  const named = isRecord(metadata)
    ? Object.fromEntries(Object.entries(metadata).filter(([name]) => !UNMANAGED.has(name)))
    : {};
  return [...below(named, ['f:metadata']), ...below(content, [])].toSorted((a, b) =>
    a.join('\0') < b.join('\0') ? -1 : 1,
  );
}

function below(value: JsonRecord, at: FieldPath): FieldPath[] {
  return Object.entries(value).flatMap(([name, item]): FieldPath[] => {
    const path = [...at, `f:${name}`];
    if (item === undefined || item === null) return [];
    if (isRecord(item)) return Object.keys(item).length === 0 ? [path] : below(item, path);
    if (!Array.isArray(item)) return [path];
    if (sets.has(name)) return item.map((one) => [...path, `v:${JSON.stringify(one)}`]);
    const key = mergeKeys[name];
    if (key === undefined || item.length === 0) return [path];
    return item.flatMap((one): FieldPath[] => {
      if (!isRecord(one)) return [];
      const step = [...path, `k:${JSON.stringify({ [key]: one[key] ?? null })}`];
      return [[...step, '.'], ...below(one, step)];
    });
  });
}

/** As they travel in managedFields. */
export function toFieldsV1(paths: readonly FieldPath[]): JsonRecord {
  const tree: JsonRecord = {};
  for (const path of paths) {
    let at = tree;
    for (const step of path) {
      const next = at[step];
      const child: JsonRecord = isRecord(next) ? next : {};
      at[step] = child;
      at = child;
    }
  }
  return tree;
}

export function fromFieldsV1(tree: Json | undefined, at: FieldPath = []): FieldPath[] {
  if (!isRecord(tree)) return [];
  const entries = Object.entries(tree);
  return entries.length === 0 ? [at] : entries.flatMap(([step, child]) => fromFieldsV1(child, [...at, step]));
}

/** `.data.a`, `.status.conditions[type="Ready"].status`: as people read it. */
export const textOfField = (path: FieldPath): string =>
  path
    .map((step) => {
      if (step === '.') return '';
      if (step.startsWith('f:')) return `.${step.slice(2)}`;
      if (step.startsWith('v:')) return `[=${step.slice(2)}]`;
      return `[${step.slice(3, -1).replace(/^"([^"]+)":/, '$1=')}]`;
    })
    .join('');

const itemAt = (list: readonly Json[], step: string): number => {
  const wanted: unknown = JSON.parse(step.slice(2));
  if (!step.startsWith('k:') || !isRecord(wanted)) return list.indexOf(wanted as Json);
  return list.findIndex((one) => isRecord(one) && Object.entries(wanted).every(([key, is]) => one[key] === is));
};

/** The value of a field; undefined where the object has none. */
export function valueAt(object: Json | undefined, path: FieldPath): Json | undefined {
  let at: Json | undefined = object;
  for (const step of path) {
    if (step === '.') return at === undefined ? undefined : true;
    if (step.startsWith('f:')) at = isRecord(at) ? at[step.slice(2)] : undefined;
    else at = Array.isArray(at) ? at[itemAt(at, step)] : undefined;
  }
  return at;
}

/** Takes a field out of the object, and what is empty without it. */
export function removeAt(object: Json | undefined, path: FieldPath): void {
  const [step, ...rest] = path;
  if (step === undefined) return;
  const last = rest.length === 0 || rest[0] === '.';
  if (step.startsWith('f:')) {
    if (!isRecord(object)) return;
    const name = step.slice(2);
    if (!last) removeAt(object[name], rest);
    const child = object[name];
    const empty = Array.isArray(child) ? child.length === 0 : isRecord(child) && Object.keys(child).length === 0;
    if (last || empty) delete object[name];
  } else if (Array.isArray(object)) {
    const index = itemAt(object, step);
    if (index < 0) return;
    if (last) object.splice(index, 1);
    else removeAt(object[index], rest);
  }
}
