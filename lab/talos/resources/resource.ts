import { stringify } from 'yaml';

/** A COSI resource as the machine's state gives rise to it now; version and times are the store's. */
export interface Resource {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
  readonly owner: string;
  readonly yaml: string;
  readonly proto?: Uint8Array;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface StoredResource extends Resource {
  readonly version: number;
  readonly created: Date;
  readonly updated: Date;
}

/** YAML as Talos writes a spec: four spaces, no line breaks inside values. */
export const specYaml = (spec: unknown): string => stringify(spec, { indent: 4, lineWidth: 0 });

export const resourceKey = (resource: Pick<Resource, 'namespace' | 'type' | 'id'>): string =>
  `${resource.namespace}\n${resource.type}\n${resource.id}`;
