import { fromBinary, ScalarType, toBinary, type DescField, type DescMessage, type Message } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';

/** Names of the recorded world told in those of the lab: what is in a text, and what is in a number of a field. */
export interface Translator {
  text(value: string): string;
  number(field: string, value: bigint): bigint;
}

/** The same request with the lab's names; the very bytes where no name occurs in it. */
export function translateRequest(schema: DescMessage | undefined, bytes: Uint8Array, names: Translator): Uint8Array {
  if (schema === undefined) return bytes;
  const message = fromBinary(schema, bytes);
  return walk(schema, message, names) ? toBinary(schema, message) : bytes;
}

/** Changes the message in place; answers whether it did. */
function walk(schema: DescMessage, message: Message, names: Translator): boolean {
  const view = reflect(schema, message);
  let changed = false;
  for (const field of schema.fields) {
    if (!view.isSet(field)) continue;
    if (field.fieldKind === 'scalar') {
      const before: unknown = view.get(field);
      const after = scalar(field, before, names);
      if (after === before) continue;
      view.set(field, after);
      changed = true;
    } else if (field.fieldKind === 'message') {
      changed = walk(field.message, view.get(field).message, names) || changed;
    } else if (field.fieldKind === 'list') {
      const list = view.get(field);
      for (let n = 0; n < list.size; n += 1) {
        const item: unknown = list.get(n);
        if (field.listKind === 'message') {
          changed = walk(field.message, (item as { message: Message }).message, names) || changed;
        } else if (typeof item === 'string' && names.text(item) !== item) {
          list.set(n, names.text(item));
          changed = true;
        }
      }
    }
  }
  return changed;
}

function scalar(field: DescField & { fieldKind: 'scalar' }, value: unknown, names: Translator): unknown {
  if (typeof value === 'string') return names.text(value);
  if (typeof value === 'bigint') return names.number(field.name, value);
  if (field.scalar === ScalarType.BYTES && value instanceof Uint8Array) {
    const text = Buffer.from(value).toString('utf8');
    const after = names.text(text);
    return after === text ? value : Buffer.from(after, 'utf8');
  }
  return value;
}
