/** Values as JSON can hold them: maps, sets, dates, big integers and bytes become objects with one key that begins with `$`. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** Writes a value of plain data (no functions, no classes of our own) as JSON can hold it; what is undefined is left out. */
export function toPlain(value: unknown): Plain {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${value} cannot be kept`);
    return value;
  }
  if (typeof value === 'bigint') return { $int: String(value) };
  if (typeof value === 'object') {
    if (Array.isArray(value)) return value.map((each) => toPlain(each));
    if (value instanceof Date) return { $date: value.toISOString() };
    if (value instanceof Map) return { $map: [...value].map(([key, each]) => [toPlain(key), toPlain(each)]) };
    if (value instanceof Set) return { $set: [...value].map((each) => toPlain(each)) };
    if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .map(([key, each]) => [key, toPlain(each)]),
    );
  }
  throw new TypeError(`a ${typeof value} cannot be kept`);
}

/** Reads back what `toPlain` wrote. */
export function fromPlain(plain: Plain): unknown {
  if (plain === null || typeof plain !== 'object') return plain;
  if (isList(plain)) return plain.map((each) => fromPlain(each));
  const entries = Object.entries(plain);
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) {
    const [key, value] = only;
    if (key === '$int') return BigInt(textOf(value));
    if (key === '$date') return new Date(textOf(value));
    if (key === '$bytes') return new Uint8Array(Buffer.from(textOf(value), 'base64'));
    if (key === '$set' && isList(value)) return new Set(value.map((each) => fromPlain(each)));
    if (key === '$map' && isList(value))
      return new Map(value.filter(isList).map(([name = null, each = null]) => [fromPlain(name), fromPlain(each)]));
  }
  return Object.fromEntries(entries.map(([key, each]) => [key, fromPlain(each)]));
}

const textOf = (plain: Plain): string => (typeof plain === 'string' ? plain : '');
const isList = (plain: Plain): plain is readonly Plain[] => Array.isArray(plain);
