import { emptyText, isTextLeaf } from './text-leaf.ts';
import { fieldsOf, type LeafName, type Type } from './types.ts';
import { isStruct, type StructValue, type Value } from './value.ts';

function isEmptyLeaf(leaf: LeafName, value: Value): boolean {
  if (isStruct(value)) return (leaf === 'object' || leaf === 'args') && value.size === 0;
  if (Array.isArray(value)) return value.length === 0;
  return value === '' || value === 0 || value === 0n || value === false || value === emptyText(leaf);
}

/** Whether Talos leaves the value out of a field that may be left out. */
function isEmpty(type: Type, value: Value): boolean {
  if (value === undefined || value === null) return true;
  switch (type.kind) {
    case 'pointer':
      return false;
    case 'leaf':
      return isEmptyLeaf(type.leaf, value);
    case 'enum':
      return value === type.values[0];
    case 'list':
      return Array.isArray(value) && value.length === 0;
    case 'map':
      return isStruct(value) && value.size === 0;
    case 'struct':
      return !isStruct(value) || fieldsOf(type.struct).every((field) => isEmpty(field.type, value.get(field.name)));
  }
}

function emptyLeaf(leaf: LeafName): Value {
  if (leaf === 'string' || isTextLeaf(leaf)) return emptyText(leaf);
  if (leaf === 'bool') return false;
  if (leaf === 'manifests') return [];
  if (leaf === 'object' || leaf === 'args') return new Map();
  return 0;
}

const KILO = 1000n;
const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const FACTORS = new Map([
  ...SIZES.map((unit, power): [string, bigint] => [unit.toLowerCase(), KILO ** BigInt(power)]),
  ...['', 'k', 'm', 'g', 't', 'p', 'e'].map((unit, power): [string, bigint] => [unit, KILO ** BigInt(power)]),
  ...['ki', 'mi', 'gi', 'ti', 'pi', 'ei'].flatMap((unit, power): [string, bigint][] => [
    [unit, 1024n ** BigInt(power + 1)],
    [`${unit}b`, 1024n ** BigInt(power + 1)],
  ]),
]);

/** A partition size: bytes, or the human form where that loses nothing. */
function diskSize(text: string): Value {
  const match = /^([\d.]+) *([a-zA-Z]*)$/.exec(text);
  const factor = FACTORS.get((match?.[2] ?? '?').toLowerCase());
  if (match?.[1] === undefined || factor === undefined) return text;
  const bytes = Math.trunc(Number(match[1]) * Number(factor));
  if (bytes % 1000 !== 0) return bytes;
  let power = 0;
  let rest = bytes;
  while (rest >= 1000 && power < SIZES.length - 1) {
    rest /= 1000;
    power += 1;
  }
  const rounded = rest < 10 ? Math.floor(rest * 10 + 0.5) / 10 : Math.floor(rest + 0.5);
  const human = `${rest < 10 ? rounded.toFixed(1).replace(/^(\d+)\.0$/, power === 0 ? '$1' : '$1.0') : rounded} ${SIZES[power]}`;
  return rounded * 1000 ** power === bytes ? human : bytes;
}

function encodeLeaf(leaf: LeafName, value: Value): Value {
  if (leaf === 'disksize' && typeof value === 'string') return diskSize(value);
  return value;
}

function encodeArgs(value: Value, minor: number): Value {
  if (!isStruct(value)) return new Map();
  // From Talos 1.13 an argument may be a list, and an empty text is written back as null.
  return new Map([...value].map(([key, item]) => [key, item === '' && minor >= 13 ? null : item]));
}

function encodeFields(struct: string, value: Value, minor: number): StructValue {
  const given: StructValue = isStruct(value) ? value : new Map();
  const result: StructValue = new Map();
  for (const field of fieldsOf(struct)) {
    const item = given.get(field.name);
    if (field.since > minor || (field.omitSince <= minor && isEmpty(field.type, item))) continue;
    result.set(field.name, encode(field.type, item, minor));
  }
  return result;
}

/** The value as Talos writes it: fields in its order, empty ones left out where it leaves them out and filled in where it does not. */
export function encode(type: Type, value: Value, minor: number): Value {
  if (type.kind === 'struct') return encodeFields(type.struct, value, minor);
  if (type.kind === 'leaf' && type.leaf === 'args') return encodeArgs(value, minor);
  if (type.kind === 'leaf' && type.leaf === 'manifests' && Array.isArray(value)) {
    return value.map((item) => encodeFields('ClusterInlineManifest', item, minor));
  }
  switch (type.kind) {
    case 'pointer':
      return value === undefined || value === null ? null : encode(type.to, value, minor);
    case 'leaf':
      return value === undefined || value === null ? emptyLeaf(type.leaf) : encodeLeaf(type.leaf, value);
    case 'enum':
      return value ?? type.values[0];
    case 'list':
      return Array.isArray(value) ? value.map((item) => encode(type.of, item, minor)) : [];
    case 'map':
      return isStruct(value)
        ? new Map([...value].map(([key, item]) => [key, encode(type.of, item, minor)]))
        : new Map();
  }
}
