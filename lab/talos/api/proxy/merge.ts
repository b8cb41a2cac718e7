import { create, toBinary } from '@bufbuild/protobuf';
import { MetadataSchema } from '../generated/common/common_pb.ts';

/** Why a node of several gave no answer: a gRPC status. */
export interface NodeFailure {
  readonly code: number;
  readonly text: string;
}

/** Names of the status codes as Go prints them. */
const CODES = (
  'OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted ' +
  'FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated'
).split(' ');

/** `common.Metadata` of a node in a merged answer, as field 1 of a message. */
export function metadataField(node: string, failure?: NodeFailure): Uint8Array {
  const body = toBinary(
    MetadataSchema,
    create(MetadataSchema, {
      hostname: node,
      ...(failure === undefined
        ? {}
        : {
            error: `rpc error: code = ${CODES[failure.code] ?? 'Unknown'} desc = ${failure.text}`,
            status: { code: failure.code, message: failure.text },
          }),
    }),
  );
  return field(1, body);
}

/**
 * A unary answer of one node, made ready to be merged: every entry of its `messages` says which node it is of. Answers of
 * several nodes are merged by writing them one after the other, as protobuf lists add up.
 */
export function labelMessages(answer: Uint8Array, metadata: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let labelled = false;
  for (const { number, start, bodyStart, end, lengthDelimited } of fields(answer)) {
    if (number === 1 && lengthDelimited) {
      labelled = true;
      // A second `metadata` in the same message is merged into the first by whoever reads it.
      parts.push(field(1, concat([answer.subarray(bodyStart, end), metadata])));
    } else parts.push(answer.subarray(start, end));
  }
  if (!labelled) parts.push(field(1, metadata));
  return concat(parts);
}

/** A message of a stream with the name of its node. */
export const labelMessage = (message: Uint8Array, metadata: Uint8Array): Uint8Array => concat([message, metadata]);

interface Field {
  readonly number: number;
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
  readonly lengthDelimited: boolean;
}

/** The top-level fields of a protobuf message. Throws at what is none. */
function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error('protobuf message ends early');
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    const kind = tag % 8;
    let bodyStart = at;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else if (kind === 2) {
      const length = varint();
      bodyStart = at;
      at += length;
    } else throw new Error(`protobuf wire type ${kind} is not known`);
    if (at > bytes.length) throw new Error('protobuf message ends early');
    yield { number: Math.floor(tag / 8), start, bodyStart, end: at, lengthDelimited: kind === 2 };
  }
}

function field(number: number, body: Uint8Array): Uint8Array {
  const header = [number * 8 + 2];
  let length = body.length;
  while (length >= 0x80) {
    header.push((length % 0x80) + 0x80);
    length = Math.floor(length / 0x80);
  }
  header.push(length);
  return concat([Uint8Array.from(header), body]);
}

const concat = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
