import { textOf } from '../../../../src/base/failure.ts';
import type { Json, JsonRecord } from './types.ts';

export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** A request that was refused: carries the Status object that the client gets, in Kubernetes' own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly reason: string | undefined;
  readonly details: JsonRecord | undefined;

  constructor(code: number, reason: string | undefined, message: string, details?: JsonRecord) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): JsonRecord {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      ...(this.reason === undefined ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

/** What an error is about: a resource (plural), its group, an object's name. */
export interface Subject {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

/** `configmaps`, `leases.coordination.k8s.io`: how messages name a resource. */
export const qualified = (subject: Subject): string =>
  subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`;

const qualifiedKind = (subject: Subject): string =>
  subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;

const detailsOf = (subject: Subject, name: string, kind = subject.plural): JsonRecord => ({
  ...(name === '' ? {} : { name }),
  ...(subject.group === '' ? {} : { group: subject.group }),
  kind,
});

export const unauthorized = (): ApiError => new ApiError(401, 'Unauthorized', 'Unauthorized');

export const notFound = (subject: Subject, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${qualified(subject)} "${name}" not found`, detailsOf(subject, name));

export const noSuchResource = (): ApiError =>
  new ApiError(404, 'NotFound', 'the server could not find the requested resource', {});

export const methodNotAllowed = (): ApiError =>
  new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const unsupportedMediaType = (): ApiError =>
  new ApiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});

export const alreadyExists = (subject: Subject, name: string): ApiError =>
  new ApiError(409, 'AlreadyExists', `${qualified(subject)} "${name}" already exists`, detailsOf(subject, name));

export const modified = (subject: Subject, name: string): ApiError =>
  conflict(
    subject,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

export const conflict = (subject: Subject, name: string, why: string, kind = subject.plural): ApiError =>
  new ApiError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${kind === subject.plural ? qualified(subject) : qualifiedKind(subject)} "${name}": ${why}`,
    detailsOf(subject, name, kind),
  );

export const forbidden = (subject: Subject, name: string, why: string): ApiError =>
  new ApiError(
    403,
    'Forbidden',
    name === '' ? `${qualified(subject)} is forbidden: ${why}` : `${qualified(subject)} "${name}" is forbidden: ${why}`,
    detailsOf(subject, name),
  );

export const pathForbidden = (why: string): ApiError => new ApiError(403, 'Forbidden', `forbidden: ${why}`, {});

export function invalid(subject: Subject, name: string, causes: readonly StatusCause[]): ApiError {
  const texts = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const text = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
  return new ApiError(422, 'Invalid', `${qualifiedKind(subject)} "${name}" is invalid: ${text}`, {
    ...detailsOf(subject, name, subject.kind),
    causes: causes.map((cause): Json => ({ ...cause })),
  });
}

export const gone = (message: string): ApiError => new ApiError(410, 'Expired', message);

/** The time-out of a request whose storage did not answer. */
const timedOut = (): ApiError =>
  new ApiError(
    504,
    'Timeout',
    'Timeout: request did not complete within requested timeout - context deadline exceeded',
    {},
  );

/**
 * What a failure of etcd looks like to the client of the API server: etcd's own sentence with 500, 410 for a revision
 * that was compacted away, 504 when nothing came in time.
 */
export function fromStorage(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const text = textOf(error);
  if (/required revision has been compacted/.test(text))
    return gone('The resourceVersion for the provided list is too old.');
  const sentence = /etcdserver: [a-z0-9 ,'-]+/i.exec(text)?.[0];
  if (sentence !== undefined) return new ApiError(500, undefined, sentence.trim());
  // etcd's own deadline for a write comes without a code; ours, and the client's, with one.
  const unknown = /^\[unknown\] (.+)$/.exec(text)?.[1];
  if (unknown !== undefined) return new ApiError(500, undefined, `rpc error: code = Unknown desc = ${unknown}`);
  if (/deadline.?exceeded|timed? ?out/i.test(text)) return timedOut();
  return new ApiError(500, undefined, `rpc error: code = Unavailable desc = ${text}`);
}
