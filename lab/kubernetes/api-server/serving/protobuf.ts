import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { badRequest, unsupportedMediaType } from '../objects/status.ts';
import { isRecord, kubeTime, type Json, type JsonRecord } from '../objects/types.ts';

/** The media type in which Go clients send what they create. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

type Scalar = 'string' | 'integer' | 'boolean' | 'base64' | 'time' | 'micro-time';

/** How a field is read: a scalar, a message, a list of either, or a map of texts to a scalar. `ignored`: read past. */
type Type =
  | Scalar
  | Message
  | { readonly list: 'string' | Message }
  | { readonly map: 'string' | 'base64' }
  | 'ignored';

interface Field {
  readonly name: string;
  readonly type: Type;
}

/** Fields by number. */
interface Message {
  readonly fields: Readonly<Record<number, Field>>;
}

const message = (fields: Readonly<Record<number, readonly [string, Type]>>): Message => ({
  fields: Object.fromEntries(Object.entries(fields).map(([number, [name, type]]) => [number, { name, type }])),
});

const metadata = message({
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  4: ['selfLink', 'ignored'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['generation', 'integer'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  10: ['deletionGracePeriodSeconds', 'integer'],
  11: ['labels', { map: 'string' }],
  12: ['annotations', { map: 'string' }],
  13: [
    'ownerReferences',
    {
      list: message({
        1: ['kind', 'string'],
        3: ['name', 'string'],
        4: ['uid', 'string'],
        5: ['apiVersion', 'string'],
        6: ['controller', 'boolean'],
        7: ['blockOwnerDeletion', 'boolean'],
      }),
    },
  ],
  14: ['finalizers', { list: 'string' }],
  // This server keeps no record of who owns which field.
  17: ['managedFields', 'ignored'],
});

const reference = message({
  1: ['kind', 'string'],
  2: ['namespace', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['fieldPath', 'string'],
});

const resourceAttributes = message({
  1: ['namespace', 'string'],
  2: ['verb', 'string'],
  3: ['group', 'string'],
  4: ['version', 'string'],
  5: ['resource', 'string'],
  6: ['subresource', 'string'],
  7: ['name', 'string'],
});

const nonResourceAttributes = message({ 1: ['path', 'string'], 2: ['verb', 'string'] });

const withSpec = (spec: Message): Message =>
  message({ 1: ['metadata', metadata], 2: ['spec', spec], 3: ['status', 'ignored'] });

/** The kinds that clients of the lab create in this form; numbers as in Kubernetes' published API. */
const kinds: Readonly<Record<string, Message>> = {
  'v1/ConfigMap': message({
    1: ['metadata', metadata],
    2: ['data', { map: 'string' }],
    3: ['binaryData', { map: 'base64' }],
    4: ['immutable', 'boolean'],
  }),
  'v1/Secret': message({
    1: ['metadata', metadata],
    2: ['data', { map: 'base64' }],
    3: ['type', 'string'],
    4: ['stringData', { map: 'string' }],
    5: ['immutable', 'boolean'],
  }),
  'v1/Namespace': withSpec(message({ 1: ['finalizers', { list: 'string' }] })),
  'v1/ServiceAccount': message({
    1: ['metadata', metadata],
    2: ['secrets', { list: reference }],
    3: ['imagePullSecrets', { list: message({ 1: ['name', 'string'] }) }],
    4: ['automountServiceAccountToken', 'boolean'],
  }),
  'v1/Event': message({
    1: ['metadata', metadata],
    2: ['involvedObject', reference],
    3: ['reason', 'string'],
    4: ['message', 'string'],
    5: ['source', message({ 1: ['component', 'string'], 2: ['host', 'string'] })],
    6: ['firstTimestamp', 'time'],
    7: ['lastTimestamp', 'time'],
    8: ['count', 'integer'],
    9: ['type', 'string'],
    10: ['eventTime', 'micro-time'],
    12: ['action', 'string'],
    13: ['related', reference],
    14: ['reportingComponent', 'string'],
    15: ['reportingInstance', 'string'],
  }),
  'coordination.k8s.io/v1/Lease': withSpec(
    message({
      1: ['holderIdentity', 'string'],
      2: ['leaseDurationSeconds', 'integer'],
      3: ['acquireTime', 'micro-time'],
      4: ['renewTime', 'micro-time'],
      5: ['leaseTransitions', 'integer'],
      6: ['strategy', 'string'],
      7: ['preferredHolder', 'string'],
    }),
  ),
  'authentication.k8s.io/v1/TokenRequest': withSpec(
    message({
      1: ['audiences', { list: 'string' }],
      3: [
        'boundObjectRef',
        message({ 1: ['kind', 'string'], 2: ['apiVersion', 'string'], 3: ['name', 'string'], 4: ['uid', 'string'] }),
      ],
      4: ['expirationSeconds', 'integer'],
    }),
  ),
  'authentication.k8s.io/v1/TokenReview': withSpec(
    message({ 1: ['token', 'string'], 2: ['audiences', { list: 'string' }] }),
  ),
  'authentication.k8s.io/v1/SelfSubjectReview': message({ 1: ['metadata', metadata], 2: ['status', 'ignored'] }),
  'authorization.k8s.io/v1/SelfSubjectAccessReview': withSpec(
    message({ 1: ['resourceAttributes', resourceAttributes], 2: ['nonResourceAttributes', nonResourceAttributes] }),
  ),
  'authorization.k8s.io/v1/SelfSubjectRulesReview': withSpec(message({ 1: ['namespace', 'string'] })),
  'authorization.k8s.io/v1/SubjectAccessReview': withSpec(
    message({
      1: ['resourceAttributes', resourceAttributes],
      2: ['nonResourceAttributes', nonResourceAttributes],
      3: ['user', 'string'],
      4: ['groups', { list: 'string' }],
      5: ['extra', 'ignored'],
      6: ['uid', 'string'],
    }),
  ),
  // Deletions carry the version of what they delete, or of meta.k8s.io; the kind alone tells.
  DeleteOptions: message({
    1: ['gracePeriodSeconds', 'integer'],
    2: ['preconditions', message({ 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] })],
    3: ['orphanDependents', 'boolean'],
    4: ['propagationPolicy', 'string'],
    5: ['dryRun', { list: 'string' }],
    6: ['ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean'],
  }),
};

/** Paths of fields that the kind does not have; of kinds that are not listed above nothing is known. */
export function unknownFields(apiVersion: string, kind: string, body: Json): string[] {
  const known = kinds[`${apiVersion}/${kind}`];
  if (known === undefined || !isRecord(body)) return [];
  const { apiVersion: _version, kind: _kind, ...content } = body;
  return strangers(content, known, '');
}

function strangers(value: JsonRecord, of: Message, at: string): string[] {
  const fields = new Map(Object.values(of.fields).map(({ name, type }) => [name, type]));
  return Object.entries(value).flatMap(([name, item]) => {
    const type = fields.get(name);
    if (type === undefined) return [`${at}${name}`];
    if (typeof type === 'object' && 'fields' in type && isRecord(item)) return strangers(item, type, `${at}${name}.`);
    return [];
  });
}

const MAGIC = Buffer.from('k8s\0');
const envelope = message({
  1: ['typeMeta', message({ 1: ['apiVersion', 'string'], 2: ['kind', 'string'] })],
  2: ['raw', 'base64'],
  3: ['contentEncoding', 'ignored'],
  4: ['contentType', 'ignored'],
});

/** Reads a body in Kubernetes' protobuf form as the JSON it stands for. A kind that is not listed here is refused: 415. */
export function readProtobuf(body: Buffer): JsonRecord {
  if (body.length === 0) return {};
  if (!body.subarray(0, 4).equals(MAGIC))
    throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  let kind = '';
  try {
    const outer = read(new BinaryReader(body.subarray(4)), body.length - 4, envelope, 'Unknown');
    const type = outer['typeMeta'] as JsonRecord | undefined;
    const apiVersion = typeof type?.['apiVersion'] === 'string' ? type['apiVersion'] : '';
    kind = typeof type?.['kind'] === 'string' ? type['kind'] : '';
    const known = kinds[`${apiVersion}/${kind}`] ?? kinds[kind];
    if (known === undefined) throw unsupportedMediaType();
    const raw = Buffer.from(typeof outer['raw'] === 'string' ? outer['raw'] : '', 'base64');
    return { apiVersion, kind, ...read(new BinaryReader(raw), raw.length, known, kind) };
  } catch (error) {
    if (error instanceof RangeError) throw badRequest(`unable to decode ${kind}: ${error.message}`);
    throw error;
  }
}

function read(reader: BinaryReader, length: number, of: Message, path: string): JsonRecord {
  const end = reader.pos + length;
  const result: JsonRecord = {};
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    const field = of.fields[number];
    if (field === undefined) throw badRequest(`field ${number} of ${path} is not known to this server`);
    if (field.type === 'ignored') {
      reader.skip(wire, number);
      continue;
    }
    const { name, type } = field;
    if (typeof type === 'object' && 'list' in type) {
      const before = result[name];
      const item = value(reader, type.list, `${path}.${name}`);
      result[name] = [...(Array.isArray(before) ? before : []), ...(item === undefined ? [] : [item])];
    } else if (typeof type === 'object' && 'map' in type) {
      const entry = read(
        reader,
        reader.uint32(),
        message({ 1: ['key', 'string'], 2: ['value', type.map] }),
        `${path}.${name}`,
      );
      const key = typeof entry['key'] === 'string' ? entry['key'] : '';
      result[name] = { ...(result[name] as JsonRecord | undefined), [key]: entry['value'] ?? '' };
    } else {
      const found = value(reader, type, `${path}.${name}`);
      if (found !== undefined) result[name] = found;
    }
    if (wire === WireType.StartGroup || wire === WireType.EndGroup) throw new RangeError('groups are not used');
  }
  return result;
}

/** A field's value; undefined for the empty text and the zero time, which Go writes where JSON leaves the field out. */
function value(reader: BinaryReader, type: Scalar | Message, path: string): Json | undefined {
  switch (type) {
    case 'string': {
      const text = reader.string();
      return text === '' ? undefined : text;
    }
    case 'integer':
      return Number(reader.int64());
    case 'boolean':
      return reader.bool();
    case 'base64':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'time':
    case 'micro-time': {
      const parts = read(
        reader,
        reader.uint32(),
        message({ 1: ['seconds', 'integer'], 2: ['nanos', 'integer'] }),
        path,
      );
      const { seconds, nanos } = parts;
      if (typeof seconds !== 'number') return undefined;
      const time = kubeTime(new Date(seconds * 1000));
      if (type === 'time') return time;
      const micros = Math.floor((typeof nanos === 'number' ? nanos : 0) / 1000);
      return time.replace('Z', `.${String(micros).padStart(6, '0')}Z`);
    }
    default:
      return read(reader, reader.uint32(), type, path);
  }
}
