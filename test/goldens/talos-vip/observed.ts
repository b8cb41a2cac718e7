import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export type Told = Readonly<Record<string, unknown>>;

export interface ObservedRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly status?: number;
  readonly body?: unknown;
}

/** What Talos' own operator was seen to do: a document with `measured` and `requests`, wherever it lies. */
export function findObserved(folder: string): { readonly file: string; readonly observed: Told }[] {
  return jsonBelow(folder).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    if (!text.includes('"hcloud_go_version"')) return [];
    const value: unknown = JSON.parse(text);
    return isTold(value) && isTold(value['measured']) && isTold(value['requests']) ? [{ file, observed: value }] : [];
  });
}

function jsonBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  if (statSync(folder).isFile()) return folder.endsWith('.json') ? [folder] : [];
  return readdirSync(folder)
    .flatMap((name) => jsonBelow(path.join(folder, name)))
    .toSorted();
}

export const isTold = (value: unknown): value is Told => typeof value === 'object' && value !== null && !Array.isArray(value);

export const at = (value: unknown, ...keys: readonly string[]): unknown =>
  keys.reduce<unknown>((found, key) => (isTold(found) ? found[key] : undefined), value);

export function requestsAt(value: unknown, ...keys: readonly string[]): ObservedRequest[] {
  const found = at(value, ...keys);
  if (!Array.isArray(found)) return [];
  const requests = found.filter((item): item is ObservedRequest & { readonly t?: number } => isTold(item) && 'method' in item);
  // Written down as they were answered; sent in the order of their times.
  return requests.toSorted((a, b) => (a.t ?? 0) - (b.t ?? 0));
}

/** `GET /floating_ips/{id}`: numbers of one world say nothing in another. */
export const plainPath = (text: string): string =>
  text
    .replace(/^\/v1/, '')
    .replace(/\{own id\}/, '{id}')
    .replaceAll(/\/\d+(?=\/|$)/g, '/{id}');
