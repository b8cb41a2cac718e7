/** A refusal as the API words it. `details` is always sent, null if empty: an old client fails without it. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>> | null;

  constructor(status: number, code: string, message: string, details: Readonly<Record<string, unknown>> | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** How a message names a kind of resource. */
export const wordOf = (type: string): string => type.replaceAll('_', ' ').replace(/\bip\b/, 'IP');

export const notFound = (what: string, id: number | string): ApiError =>
  new ApiError(404, 'not_found', `${what} with ID '${id}' not found`);

export const invalidInput = (field: string, ...messages: string[]): ApiError =>
  new ApiError(422, 'invalid_input', `invalid input in field '${field}'`, { fields: [{ name: field, messages }] });

export const notUnique = (field: string, what: string): ApiError =>
  new ApiError(409, 'uniqueness_error', `${what} ${field} is already used`, { fields: [{ name: field }] });

export const limitExceeded = (limit: string, message: string): ApiError =>
  new ApiError(403, 'resource_limit_exceeded', message, { limits: [{ name: limit }] });

export const isProtected = (what: string): ApiError => new ApiError(423, 'protected', `${what} deletion is protected`);

export const isLocked = (what: string): ApiError =>
  new ApiError(423, 'locked', `cannot perform operation because ${what} is locked`);

/** Honest about the lab: the real API has this, the lab does not. */
export const notInTheLab = (what: string): ApiError =>
  new ApiError(422, 'unsupported_error', `this lab has no ${what}`);
