import { checkName, type Labels } from './names.ts';

/** The codes of an answer that this server gives. */
export const RCODE = { ok: 0, malformed: 1, failed: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

export const IN = 1;
export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AAAA: 28,
  SRV: 33,
  DS: 43,
  TLSA: 52,
  CAA: 257,
} as const;
export type TypeName = keyof typeof TYPE;
/** Ask for everything, for a whole zone, for the changes of one; and EDNS' own pseudo-record. */
export const QTYPE = { ANY: 255, AXFR: 252, IXFR: 251, OPT: 41 } as const;

export interface Question {
  readonly name: Labels;
  readonly type: number;
  readonly class: number;
}

export interface ResourceRecord {
  readonly name: Labels;
  readonly type: number;
  readonly ttl: number;
  /** In wire form. */
  readonly data: Buffer;
}

export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  readonly question: Question;
  /** Largest UDP answer that the client takes, if it speaks EDNS. */
  readonly payloadSize: number | undefined;
}

export interface Answer {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
}

/** A datagram that is a query, one that is to be answered with a refusal, or one that no server answers. */
export type Incoming =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'bad'; readonly rcode: Rcode; readonly id: number; readonly opcode: number }
  | { readonly kind: 'ignored' };

const HEADER = 12;
/** What we say we take; it keeps answers below the size at which packets are cut. */
const OWN_PAYLOAD_SIZE = 1_232;

/** Reads what came in; never throws. */
export function readQuery(message: Buffer): Incoming {
  if (message.length < HEADER) return { kind: 'ignored' };
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  const opcode = (flags >> 11) & 0xf;
  // An answer; to answer it could go on for ever.
  if ((flags & 0x8000) !== 0) return { kind: 'ignored' };
  if (opcode !== 0) return { kind: 'bad', rcode: RCODE.notImplemented, id, opcode };
  const bad = { kind: 'bad', rcode: RCODE.malformed, id, opcode } as const;
  if (message.readUInt16BE(4) !== 1) return bad;
  try {
    const name = readName(message, HEADER);
    const question = {
      name: name.labels,
      type: message.readUInt16BE(name.end),
      class: message.readUInt16BE(name.end + 2),
    };
    const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
    const payloadSize = readPayloadSize(message, name.end + 4, records);
    const recursionDesired = (flags & 0x0100) !== 0;
    return { kind: 'query', query: { id, opcode, recursionDesired, question, payloadSize } };
  } catch (error) {
    if (error instanceof RangeError) return bad;
    throw error;
  }
}

/** The size in the OPT record behind the question, if there is one; what else it says is left unread, as it may be. */
function readPayloadSize(message: Buffer, from: number, records: number): number | undefined {
  let at = from;
  for (let n = 0; n < records; n += 1) {
    const { end } = readName(message, at);
    if (message.readUInt16BE(end) === QTYPE.OPT) return message.readUInt16BE(end + 2);
    at = end + 10 + message.readUInt16BE(end + 8);
  }
  return undefined;
}

function readName(message: Buffer, from: number): { labels: Labels; end: number } {
  const labels: string[] = [];
  let at = from;
  let end: number | undefined;
  for (let jumps = 0; ;) {
    const length = message.readUInt8(at);
    if (length === 0) return { labels: checkName(labels), end: end ?? at + 1 };
    if ((length & 0xc0) === 0xc0) {
      jumps += 1;
      if (jumps > 32) throw new RangeError('a name points in circles');
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
      continue;
    }
    if (length > 63) throw new RangeError('a label has at most 63 bytes');
    if (at + 1 + length > message.length) throw new RangeError('a label goes beyond the message');
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** A name in wire form. */
export const writeName = (labels: Labels): Buffer =>
  Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ]);

/** The answer to a query in wire form; cut to nothing but its header where it is longer than `limit` bytes. */
export function writeAnswer(query: Query, answer: Answer, limit: number): Buffer {
  const whole = write(query, answer, false);
  return whole.length <= limit ? whole : write(query, { ...answer, answers: [], authority: [], additional: [] }, true);
}

function write(query: Query, answer: Answer, truncated: boolean): Buffer {
  const { question } = query;
  const edns = query.payloadSize !== undefined;
  const fixed = Buffer.alloc(4);
  fixed.writeUInt16BE(question.type, 0);
  fixed.writeUInt16BE(question.class, 2);
  // Names that are the question's, as almost all are, point at it.
  const asked = question.name.join('.');
  const records = [...answer.answers, ...answer.authority, ...answer.additional].map((record) => {
    const name = record.name.join('.') === asked ? Buffer.from([0xc0, HEADER]) : writeName(record.name);
    const head = Buffer.alloc(10);
    head.writeUInt16BE(record.type, 0);
    head.writeUInt16BE(IN, 2);
    head.writeUInt32BE(record.ttl, 4);
    head.writeUInt16BE(record.data.length, 8);
    return Buffer.concat([name, head, record.data]);
  });
  const flags =
    0x8000 |
    (query.opcode << 11) |
    (answer.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (query.recursionDesired ? 0x0100 : 0) |
    answer.rcode;
  const counts = [1, answer.answers.length, answer.authority.length, answer.additional.length + (edns ? 1 : 0)];
  const options = edns
    ? [Buffer.from([0, 0, QTYPE.OPT, OWN_PAYLOAD_SIZE >> 8, OWN_PAYLOAD_SIZE & 0xff, 0, 0, 0, 0, 0, 0])]
    : [];
  return Buffer.concat([header(query.id, flags, counts), writeName(question.name), fixed, ...records, ...options]);
}

/** A refusal of something that could not be read as a query. */
export const writeRefusal = (id: number, opcode: number, rcode: Rcode): Buffer =>
  header(id, 0x8000 | (opcode << 11) | rcode, [0, 0, 0, 0]);

function header(id: number, flags: number, counts: readonly number[]): Buffer {
  const bytes = Buffer.alloc(HEADER);
  for (const [n, value] of [id, flags, ...counts].entries()) bytes.writeUInt16BE(value, n * 2);
  return bytes;
}

/** Bytes of an answer over UDP: what the client takes, never less than 512. */
export const udpLimit = (query: Query): number => Math.min(OWN_PAYLOAD_SIZE, Math.max(512, query.payloadSize ?? 512));
