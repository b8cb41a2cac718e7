/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonRecord;

export interface JsonRecord {
  [key: string]: Json | undefined;
}

export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  [key: string]: Json | undefined;
}

/** A Kubernetes object as it travels and as it is stored. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [key: string]: Json | ObjectMeta | undefined;
}

export const isRecord = (value: unknown): value is JsonRecord =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The record at a path of names; undefined where the path leaves the records. */
export function recordAt(value: unknown, ...path: readonly string[]): JsonRecord | undefined {
  let at: unknown = value;
  for (const name of path) {
    if (!isRecord(at)) return undefined;
    at = at[name];
  }
  return isRecord(at) ? at : undefined;
}

/** The string at a path of names, or undefined. */
export function stringAt(value: unknown, ...path: readonly string[]): string | undefined {
  const last = path.at(-1);
  if (last === undefined) return typeof value === 'string' ? value : undefined;
  const found = recordAt(value, ...path.slice(0, -1))?.[last];
  return typeof found === 'string' ? found : undefined;
}

/** The list at a path of names; empty where there is none. */
export function listAt(value: unknown, ...path: readonly string[]): readonly Json[] {
  const last = path.at(-1);
  const found = last === undefined ? undefined : recordAt(value, ...path.slice(0, -1))?.[last];
  return Array.isArray(found) ? found : [];
}

/** Whole seconds, as Kubernetes writes times. */
export const kubeTime = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** A deep copy of JSON data. */
export const copyOf = <T>(value: T): T => structuredClone(value);
