/** Codes of our own, beside those of the API: `unreachable`, `request_timeout`, `invalid_answer`, `invalid_token`, `action_timeout`. */
export interface HetznerErrorParts {
  readonly code: string;
  readonly message: string;
  /** HTTP status; undefined when there was no answer. */
  readonly status?: number | undefined;
  /** X-Correlation-Id: what Hetzner's support asks for. */
  readonly requestId?: string | undefined;
  readonly retryable: boolean;
  readonly cause?: unknown;
}

/** Whatever went wrong with one call to the Hetzner Cloud API. The token is in no message. */
export class HetznerError extends Error {
  override readonly name = 'HetznerError';
  readonly code: string;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  /** Whether the same call may succeed later by itself. */
  readonly retryable: boolean;

  constructor(parts: HetznerErrorParts) {
    const id = parts.requestId === undefined ? '' : `, request ${parts.requestId}`;
    super(`${parts.message} (${parts.code}${id})`, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = parts.code;
    this.status = parts.status;
    this.requestId = parts.requestId;
    this.retryable = parts.retryable;
  }
}

/**
 * What may pass by itself: another action runs on the resource, the budget is used up for now, the API or its gateway
 * stumbled. Hetzner answers 423 both for `locked` (passes) and for `protected` (does not), so the code decides first.
 */
const PASSING = new Set([
  'conflict',
  'locked',
  'rate_limit_exceeded',
  'bad_gateway',
  'unavailable',
  'timeout',
  'server_error',
  'service_error',
]);

export const passes = (code: string, status: number): boolean =>
  PASSING.has(code) || (!KNOWN_FINAL.has(code) && (status === 429 || status >= 500));

const KNOWN_FINAL = new Set(['maintenance', 'resource_locked', 'protected']);

/** A code for an answer without one (a proxy's page, an empty body). */
export function codeOfStatus(status: number): string {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'not_found';
    case 409:
      return 'conflict';
    case 423:
      return 'locked';
    case 429:
      return 'rate_limit_exceeded';
    case 500:
      return 'server_error';
    case 502:
      return 'bad_gateway';
    case 503:
      return 'unavailable';
    case 504:
      return 'timeout';
    default:
      return `http_${status}`;
  }
}
