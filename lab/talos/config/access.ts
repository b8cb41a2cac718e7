import type { Value } from './decode.ts';

/** Readers of decoded values: a path of keys in, the value in the wished type or undefined out. */
export type Section = { readonly [key: string]: Value };

export function at(root: Value | undefined, ...path: readonly string[]): Value | undefined {
  let value = root;
  for (const key of path) value = isSection(value) ? value[key] : undefined;
  return value;
}

export const isSection = (value: Value | undefined): value is Section =>
  typeof value === 'object' && !Array.isArray(value);

export function textAt(root: Value | undefined, ...path: readonly string[]): string | undefined {
  const value = at(root, ...path);
  return typeof value === 'string' ? value : undefined;
}

export function numberAt(root: Value | undefined, ...path: readonly string[]): number | undefined {
  const value = at(root, ...path);
  return typeof value === 'number' ? value : undefined;
}

export function textsAt(root: Value | undefined, ...path: readonly string[]): readonly string[] {
  const value = at(root, ...path);
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

export function sectionsAt(root: Value | undefined, ...path: readonly string[]): readonly Section[] {
  const value = at(root, ...path);
  return Array.isArray(value) ? (value as readonly Value[]).filter(isSection) : [];
}

export const isTrue = (root: Value | undefined, ...path: readonly string[]): boolean => at(root, ...path) === true;

/** The arguments of a component: each with its values, one for a plain text. */
export function argumentsAt(
  root: Value | undefined,
  ...path: readonly string[]
): Readonly<Record<string, readonly string[]>> {
  const value = at(root, ...path);
  return isSection(value) ? Object.fromEntries(Object.keys(value).map((name) => [name, textsAt(value, name)])) : {};
}
