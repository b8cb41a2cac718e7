import type { IncomingMessage } from 'node:http';
import { parse } from 'yaml';
import { ApiError, badRequest } from '../objects/status.ts';
import type { Json } from '../objects/types.ts';
import type { BodyType } from './media-types.ts';
import { PROTOBUF, readProtobuf } from './protobuf.ts';

/** kube-apiserver's limit for one request body, bytes. */
const LARGEST = 3 * 1024 * 1024;

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes: Buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > LARGEST)
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${LARGEST}`, {});
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** A body as data, by its media type; an empty one is `{}`. */
export function parseBody(body: Buffer, type: BodyType, kind: string): Json {
  if (type === PROTOBUF) return readProtobuf(body);
  const text = body.toString();
  if (text.trim() === '') return {};
  try {
    const value: unknown = type === 'application/yaml' ? parse(text) : JSON.parse(text);
    return value as Json;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const must = kind === '' ? '' : ` (must be of type ${kind})`;
    throw badRequest(`the object provided is unrecognized${must}: couldn't get version/kind; json parse error: ${why}`);
  }
}
