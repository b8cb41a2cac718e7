import { isDeepStrictEqual } from 'node:util';
import { fieldsOf, fromFieldsV1, removeAt, textOfField, toFieldsV1, valueAt, type FieldPath } from './field-sets.ts';
import { ApiError, type StatusCause } from './status.ts';
import { strategicMerge } from './strategic-merge.ts';
import { copyOf, isRecord, listAt, stringAt, type Json, type JsonRecord } from './types.ts';

export interface Applier {
  readonly manager: string;
  readonly force: boolean;
  readonly apiVersion: string;
  /** RFC 3339. */
  readonly time: string;
}

export interface Applied {
  readonly object: JsonRecord;
  readonly managedFields: Json[];
}

/**
 * Server-side apply: the applied fields go in, those that this manager applied before and no longer does go out unless
 * somebody else applied them too, and a field that another manager applied with another value is a conflict (409) unless
 * it is forced. Owners are kept of what was applied; what came by other writes belongs to nobody and gives way.
 */
export function applyFields(live: JsonRecord | undefined, applied: JsonRecord, applier: Applier): Applied {
  const entries = listAt(live, 'metadata', 'managedFields').filter(isRecord);
  const own = entries.find((entry) => stringAt(entry, 'manager') === applier.manager);
  const others = entries.filter((entry) => entry !== own);
  const fields = fieldsOf(applied);
  const conflicts = others.flatMap((entry) =>
    pathsOf(entry)
      .filter((path) => has(fields, path) && !isDeepStrictEqual(valueAt(live, path), valueAt(applied, path)))
      .map((path) => ({ manager: stringAt(entry, 'manager') ?? '', path })),
  );
  if (conflicts.length > 0 && !applier.force) throw conflicted(conflicts);
  const merged = strategicMerge(copyOf(live), applied);
  const gone = pathsOf(own).filter((path) => !has(fields, path) && !others.some((entry) => has(pathsOf(entry), path)));
  // Items of lists after what is in them.
  for (const path of gone.toSorted((a, b) => Number(a.at(-1) === '.') - Number(b.at(-1) === '.')))
    removeAt(merged, path);
  const kept = others.flatMap((entry) => {
    const manager = stringAt(entry, 'manager');
    const lost = conflicts.filter((conflict) => conflict.manager === manager).map(({ path }) => path);
    const left = pathsOf(entry).filter((path) => !has(lost, path));
    if (lost.length === 0) return [entry];
    return left.length === 0 ? [] : [{ ...entry, fieldsV1: toFieldsV1(left) }];
  });
  const fieldsV1 = toFieldsV1(fields);
  const unchanged = own !== undefined && isDeepStrictEqual(own['fieldsV1'], fieldsV1);
  const entry: JsonRecord = {
    manager: applier.manager,
    operation: 'Apply',
    apiVersion: applier.apiVersion,
    time: unchanged ? (stringAt(own, 'time') ?? applier.time) : applier.time,
    fieldsType: 'FieldsV1',
    fieldsV1,
  };
  return { object: isRecord(merged) ? merged : {}, managedFields: [entry, ...kept] };
}

const pathsOf = (entry: JsonRecord | undefined): FieldPath[] => fromFieldsV1(entry?.['fieldsV1']);

const has = (paths: readonly FieldPath[], path: FieldPath): boolean =>
  paths.some((one) => isDeepStrictEqual(one, path));

function conflicted(conflicts: readonly { manager: string; path: FieldPath }[]): ApiError {
  const causes = conflicts.map(({ manager, path }): StatusCause => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "${manager}"`,
    field: textOfField(path),
  }));
  const [first] = causes;
  const managers = [...new Set(causes.map(({ message }) => message))].toSorted();
  const fieldsUnder = (message: string): string[] =>
    causes.filter((one) => one.message === message).map(({ field }) => field);
  const text =
    causes.length === 1
      ? `${first?.message ?? ''}: ${first?.field ?? ''}`
      : managers
          .map((message) => {
            const list = fieldsUnder(message).map((field) => `- ${field}`);
            return `${message.replace('conflict with', 'conflicts with')}:\n${list.join('\n')}`;
          })
          .join('\n');
  return new ApiError(
    409,
    'Conflict',
    `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}: ${text}`,
    { causes: causes.map((cause): Json => ({ ...cause })) },
  );
}
