import { z } from 'zod';
import { ApiError } from './errors.ts';
import { checkLabels } from './labels.ts';

/** Ids come as numbers, or as text with a number in it. */
export const id = z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]);
/** An id or a name. */
export const idOrName = z.union([z.int(), z.string().min(1)]);
export const labels = z.record(z.string(), z.string()).transform((map) => checkLabels(map));
/** A host name of one or more labels (RFC 1123). */
export const hostname = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i, 'must be a valid hostname');

/** Reads a request body by its schema; throws `invalid_input` with the fields that do not fit. Unknown fields pass. */
export function readBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const fields = new Map<string, string[]>();
  for (const issue of result.error.issues) {
    const name = issue.path.map(String).join('.');
    fields.set(name, [...(fields.get(name) ?? []), issue.message]);
  }
  const [first = ''] = fields.keys();
  throw new ApiError(422, 'invalid_input', `invalid input in field '${first}'`, {
    fields: [...fields].map(([name, messages]) => ({ name, messages })),
  });
}
