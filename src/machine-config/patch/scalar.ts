import { isScalar, type Node, Scalar } from 'yaml';

/** What a YAML scalar is before a type asks for it, by the rules of the YAML library that Talos uses (YAML 1.2 with remains of 1.1). */
export type Resolved =
  | { readonly tag: 'null' }
  | { readonly tag: 'str'; readonly text: string }
  | { readonly tag: 'bool'; readonly text: string; readonly value: boolean }
  | { readonly tag: 'int'; readonly text: string; readonly value: bigint }
  | { readonly tag: 'float'; readonly text: string; readonly value: number };

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUES = new Set(['true', 'True', 'TRUE']);
const FALSES = new Set(['false', 'False', 'FALSE']);
const OLD_TRUES = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']);
const OLD_FALSES = new Set(['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF']);
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const SPECIAL = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
]);

function integer(text: string): bigint | undefined {
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/.exec(text.replaceAll('_', ''));
  if (match?.[2] === undefined) return undefined;
  const digits = /^0[0-7]/.test(match[2]) ? `0o${match[2].slice(1)}` : match[2].toLowerCase();
  const value = BigInt(digits);
  return match[1] === '-' ? -value : value;
}

function resolvePlain(text: string, oldBools: boolean): Resolved {
  if (NULLS.has(text)) return { tag: 'null' };
  if (TRUES.has(text) || (oldBools && OLD_TRUES.has(text))) return { tag: 'bool', text, value: true };
  if (FALSES.has(text) || (oldBools && OLD_FALSES.has(text))) return { tag: 'bool', text, value: false };
  const whole = integer(text);
  if (whole !== undefined) return { tag: 'int', text, value: whole };
  const special = SPECIAL.get(text.toLowerCase().replace(/^([-+]?)\./, '$1'));
  if (special !== undefined && text.includes('.')) return { tag: 'float', text, value: special };
  if (FLOAT.test(text.replaceAll('_', ''))) return { tag: 'float', text, value: Number(text.replaceAll('_', '')) };
  return { tag: 'str', text };
}

/** The text of a scalar as its type would see it: as written when plain, without the quotes when quoted; '' for anything else. */
export function scalarText(node: unknown): string {
  if (!isScalar(node)) return '';
  if ((node.type === Scalar.PLAIN || node.type === undefined) && node.source !== undefined) return node.source;
  return typeof node.value === 'string' ? node.value : '';
}

/** `oldBools`: whether yes, no, on and off count as booleans where nothing asks for a type. */
export function resolve(node: Node | null | undefined, oldBools = false): Resolved {
  if (!isScalar(node)) return { tag: 'null' };
  const text = scalarText(node);
  if (node.tag === 'tag:yaml.org,2002:str' || node.tag === '!') return { tag: 'str', text };
  if (node.type !== undefined && node.type !== Scalar.PLAIN && node.tag === undefined) return { tag: 'str', text };
  return resolvePlain(text, oldBools);
}

/** What a field of type bool makes of a scalar; undefined when it is none. */
export function asBool(resolved: Resolved): boolean | undefined {
  if (resolved.tag === 'bool') return resolved.value;
  if (resolved.tag === 'str' && OLD_TRUES.has(resolved.text)) return true;
  if (resolved.tag === 'str' && OLD_FALSES.has(resolved.text)) return false;
  return undefined;
}

/** A whole number as JavaScript holds it best. */
export const number = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
