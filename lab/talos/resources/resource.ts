import { stringify } from 'yaml';
import { encodeSpec } from './encoding/encode.ts';
import { SPEC_SCHEMAS } from './encoding/schemas.ts';

/** A COSI resource as the machine's state gives rise to it now; version and times are the store's. */
export interface Resource {
  readonly namespace: string;
  readonly type: string;
  readonly id: string;
  readonly owner: string;
  /** As Talos writes it in YAML, keys in its order. */
  readonly spec: unknown;
  /** Where the two forms do not follow from the spec. */
  readonly verbatim?: { readonly yaml: string; readonly proto: Uint8Array };
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface StoredResource extends Resource {
  readonly version: number;
  readonly created: Date;
  readonly updated: Date;
}

/** YAML as Talos writes a spec: four spaces, no line breaks inside values. */
export const specYaml = (spec: unknown): string => stringify(spec, { indent: 4, lineWidth: 0 });

export const yamlOf = (resource: Resource): string => resource.verbatim?.yaml ?? specYaml(resource.spec);

/** Throws on a type without a message: that is a mistake of ours. */
export function protoOf(resource: Resource): Uint8Array {
  if (resource.verbatim !== undefined) return resource.verbatim.proto;
  const schema = SPEC_SCHEMAS[resource.type];
  if (schema === undefined) throw new Error(`${resource.type} has no message`);
  return encodeSpec(schema, resource.spec);
}

export const resourceKey = (resource: Pick<Resource, 'namespace' | 'type' | 'id'>): string =>
  `${resource.namespace}\n${resource.type}\n${resource.id}`;
