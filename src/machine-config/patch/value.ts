/**
 * A decoded value. `undefined` is Go's nil or absent; a struct is a map of the fields that were given; a map with free keys is a
 * map too (the type tells them apart); null stands in free-form objects and as an empty entry of a list only.
 */
export type Value = undefined | null | string | number | bigint | boolean | Value[] | StructValue;
export type StructValue = Map<string, Value>;

export const isStruct = (value: Value): value is StructValue => value instanceof Map;

/** A deep copy: what is merged never shares parts with what it came from. */
export function copy<T extends Value>(value: T): T;
export function copy(value: Value): Value {
  if (Array.isArray(value)) return value.map((item) => copy(item));
  if (isStruct(value)) return new Map([...value].map(([key, item]) => [key, copy(item)]));
  return value;
}
