import { textOf } from '../../base/failure.ts';
import { type ConnectionFailure, failedConnection } from '../connection-failure.ts';

export type KubernetesErrorCode =
  | ConnectionFailure
  /** 401 */
  | 'unauthorized'
  /** 403 */
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  /** 429 and 5xx: the server is there and cannot serve now. */
  | 'unavailable'
  | 'other';

/** Whatever went wrong with one ordinary Kubernetes call. */
export class KubernetesError extends Error {
  override readonly name = 'KubernetesError';
  readonly code: KubernetesErrorCode;
  /** HTTP status; undefined when there was no answer. */
  readonly status: number | undefined;
  readonly server: string;

  constructor(code: KubernetesErrorCode, server: string, message: string, status?: number) {
    super(`${server}: ${message}`);
    this.code = code;
    this.status = status;
    this.server = server;
  }
}

/**
 * The client library's exceptions in our words. Its own message holds all headers and the body, and goes nowhere: only
 * the Status object's message is kept.
 */
export function toKubernetesError(error: unknown, server: string): KubernetesError {
  if (error instanceof KubernetesError) return error;
  const status = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
  if (status !== undefined) return new KubernetesError(codeOf(status), server, saidBy(error, status), status);
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (cause instanceof Error && (cause.name === 'TimeoutError' || code.startsWith('UND_ERR_'))) {
    const timedOut = cause.name === 'TimeoutError' || code.includes('TIMEOUT');
    return new KubernetesError(timedOut ? 'timeout' : 'reset', server, timedOut ? 'no answer in time' : cause.message);
  }
  if (code === '' || code === 'undefined') return new KubernetesError('other', server, textOf(cause));
  const { reason, message } = failedConnection(cause);
  return new KubernetesError(reason, server, message);
}

function codeOf(status: number): KubernetesErrorCode {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'not-found';
    case 409:
      return 'conflict';
    default:
      return status === 429 || status >= 500 ? 'unavailable' : 'other';
  }
}

function saidBy(error: unknown, status: number): string {
  let body: unknown = error instanceof Error && 'body' in error ? error.body : undefined;
  if (typeof body === 'string') {
    try {
      body = JSON.parse(body);
    } catch {
      body = undefined;
    }
  }
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
  if (status === 401) return 'the API server does not accept the credentials';
  return typeof message === 'string' && message !== '' ? message : `the API server answered ${status}`;
}
