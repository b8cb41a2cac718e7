import { badRequest } from './status.ts';
import { copyOf, isRecord, type Json, type JsonRecord } from './types.ts';

/** The field that tells the items of a list apart, by the list's name; lists that are not here are replaced whole. */
export const mergeKeys: Readonly<Record<string, string>> = {
  addresses: 'type',
  conditions: 'type',
  containers: 'name',
  imagePullSecrets: 'name',
  initContainers: 'name',
  ownerReferences: 'uid',
  ports: 'port',
  secrets: 'name',
  taints: 'key',
  volumes: 'name',
};

/** Lists of plain values that are merged as sets. */
export const sets = new Set(['finalizers', 'podCIDRs']);

/**
 * Kubernetes' strategic merge patch: as RFC 7396, but lists with a merge key are merged item by item, and the directives
 * `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder` and `$retainKeys` are obeyed.
 */
export function strategicMerge(target: Json | undefined, patch: Json): Json {
  if (!isRecord(patch)) return patch;
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  if (patch['$patch'] === 'delete') return {};
  const result: JsonRecord = isRecord(target) ? { ...target } : {};
  const retained = patch['$retainKeys'];
  if (Array.isArray(retained))
    for (const name of Object.keys(result)) if (!retained.includes(name)) delete result[name];
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined || name === '$patch' || name === '$retainKeys') continue;
    const directive = /^\$(deleteFromPrimitiveList|setElementOrder)\/(.+)$/.exec(name);
    if (directive?.[1] === 'deleteFromPrimitiveList') {
      const listed = result[directive[2] ?? ''];
      if (Array.isArray(listed) && Array.isArray(value))
        result[directive[2] ?? ''] = listed.filter((item) => !value.includes(item));
    } else if (directive === null) {
      if (value === null) delete result[name];
      else if (Array.isArray(value)) result[name] = mergeList(name, result[name], value);
      else result[name] = strategicMerge(result[name], value);
    }
  }
  for (const [name, order] of Object.entries(patch)) {
    const list = /^\$setElementOrder\/(.+)$/.exec(name)?.[1];
    const current = list === undefined ? undefined : result[list];
    if (list !== undefined && Array.isArray(current) && Array.isArray(order))
      result[list] = inOrder(list, current, order);
  }
  return result;
}

function mergeList(name: string, target: Json | undefined, patch: readonly Json[]): Json[] {
  const before = Array.isArray(target) ? target : [];
  if (sets.has(name)) return [...before, ...patch.filter((item) => !before.includes(item))];
  const key = mergeKeys[name];
  if (key === undefined) return patch.map(withoutDirectives);
  const replace = patch.some((item) => isRecord(item) && item['$patch'] === 'replace' && item[key] === undefined);
  const result: Json[] = replace ? [] : copyOf(before);
  for (const item of patch) {
    if (!isRecord(item)) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    const id = item[key];
    if (id === undefined) {
      if (item['$patch'] === 'replace') continue;
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    }
    const index = result.findIndex((one) => isRecord(one) && one[key] === id);
    if (item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) result[index] = strategicMerge(result[index], item);
    else result.push(withoutDirectives(item));
  }
  return result;
}

function inOrder(name: string, items: readonly Json[], order: readonly Json[]): Json[] {
  const key = mergeKeys[name];
  const idOf = (item: Json): Json | undefined => (key !== undefined && isRecord(item) ? item[key] : item);
  const ids = order.map(idOf);
  const place = (item: Json): number => {
    const index = ids.indexOf(idOf(item) ?? null);
    return index < 0 ? ids.length : index;
  };
  return items.toSorted((a, b) => place(a) - place(b));
}

function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, item]) => !name.startsWith('$') && item !== undefined && item !== null)
      .map(([name, item]) => [name, item === undefined ? null : withoutDirectives(item)]),
  );
}
