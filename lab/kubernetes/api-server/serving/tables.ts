import { apiVersionOf, type Resource } from '../objects/resources.ts';
import type { Json, JsonRecord, KubeObject } from '../objects/types.ts';
import { columnsOf } from './columns.ts';

/** How much of each object a table carries beside its cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export const includeObject = (query: URLSearchParams): IncludeObject => {
  const value = query.get('includeObject');
  return value === 'None' || value === 'Object' ? value : 'Metadata';
};

/** Objects as a meta.k8s.io/v1 Table: what kubectl asks for when it prints columns. */
export function tableOf(
  resource: Resource,
  objects: readonly KubeObject[],
  metadata: JsonRecord,
  include: IncludeObject,
  now: Date,
  header = true,
): JsonRecord {
  const columns = columnsOf(resource);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: header
      ? columns.map(({ name, type, format, priority }): Json => ({ name, type, format, description: name, priority }))
      : null,
    rows: objects.map((object): Json => {
      const cells = columns.map((column) => column.cell(object, now));
      if (include === 'None') return { cells };
      const carried: JsonRecord =
        include === 'Object'
          ? { ...object, kind: resource.kind, apiVersion: apiVersionOf(resource) }
          : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
      return { cells, object: carried };
    }),
  };
}
