import { X509Certificate } from 'node:crypto';
import { Code, ConnectError } from '@connectrpc/connect';
import { textOf } from '../../base/failure.ts';

export type TalosErrorCode =
  /** No connection: nothing listens, no route, no such name. */
  | 'unreachable'
  /** One side does not accept the other's certificate; `reason` says which. */
  | 'unauthenticated'
  | 'permission-denied'
  | 'not-found'
  /** The node does not offer this call (a control-plane call on a worker, an older or newer Talos). */
  | 'unimplemented'
  /** The node understood the request and refused it. */
  | 'refused'
  | 'timeout'
  | 'other';

export type TalosTrustProblem =
  | 'client-certificate-missing'
  | 'client-certificate-refused'
  | 'client-certificate-expired'
  | 'server-untrusted'
  | 'server-name';

/** Whatever went wrong on the way to, or at, one node's Talos API. */
export class TalosError extends Error {
  override readonly name = 'TalosError';
  readonly code: TalosErrorCode;
  /** The node's address, as dialled. */
  readonly address: string;
  /** Why the two do not trust each other; only with `unauthenticated`. */
  readonly reason: TalosTrustProblem | undefined;

  constructor(
    code: TalosErrorCode,
    address: string,
    message: string,
    options?: ErrorOptions & { readonly reason?: TalosTrustProblem | undefined },
  ) {
    super(`${address}: ${message}`, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.address = address;
    this.reason = options?.reason;
  }
}

const TRUST_TEXT: Readonly<Record<TalosTrustProblem, string>> = {
  'client-certificate-missing':
    'the node asks for a client certificate and got none: the talosconfig has no crt and key for this context',
  'client-certificate-refused':
    'the node does not accept our client certificate: the talosconfig belongs to another cluster, or its certificate was replaced',
  'client-certificate-expired': 'the node says our client certificate has expired: renew the talosconfig',
  'server-untrusted':
    'the node shows a certificate that the talosconfig’s CA did not sign: another cluster answers at this address, or the node is in maintenance mode',
  'server-name': 'the node’s certificate does not cover the address that was dialled',
};

/** TLS alerts the node sends about our certificate. Go answers with bad_certificate or unknown_ca for a foreign one. */
const ALERTS: readonly (readonly [RegExp, TalosTrustProblem])[] = [
  [/CERTIFICATE_REQUIRED/, 'client-certificate-missing'],
  [/ALERT_CERTIFICATE_EXPIRED/, 'client-certificate-expired'],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|ACCESS_DENIED|DECRYPT_ERROR|HANDSHAKE_FAILURE|UNSUPPORTED_CERTIFICATE)/,
    'client-certificate-refused',
  ],
];

/** What our own check of the node's certificate says. */
const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'INVALID_CA',
]);

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
]);

const GRPC: Readonly<Record<Code, TalosErrorCode>> = {
  [Code.Canceled]: 'other',
  [Code.Unknown]: 'other',
  [Code.InvalidArgument]: 'refused',
  [Code.DeadlineExceeded]: 'timeout',
  [Code.NotFound]: 'not-found',
  [Code.AlreadyExists]: 'refused',
  [Code.PermissionDenied]: 'permission-denied',
  [Code.ResourceExhausted]: 'other',
  [Code.FailedPrecondition]: 'refused',
  [Code.Aborted]: 'refused',
  [Code.OutOfRange]: 'refused',
  [Code.Unimplemented]: 'unimplemented',
  [Code.Internal]: 'other',
  [Code.Unavailable]: 'unreachable',
  [Code.DataLoss]: 'other',
  [Code.Unauthenticated]: 'unauthenticated',
};

/** The gRPC code's number as a class of ours; numbers that gRPC does not define are `other`. */
export const classOfGrpcCode = (code: number): TalosErrorCode =>
  (GRPC as Readonly<Record<number, TalosErrorCode>>)[code] ?? 'other';

export interface CallFacts {
  readonly address: string;
  readonly timeoutMs: number | undefined;
  /** PEM of the client certificate that was shown; undefined when there was none. */
  readonly crt: string | undefined;
  /** Whether the TLS handshake of the latest connection ended well, as the client sees it. */
  readonly secured: boolean;
  /** Whether that connection ever carried an answer. */
  readonly answered: boolean;
}

/** Turns what the gRPC library threw into the one error type of this room. */
export function toTalosError(error: unknown, facts: CallFacts): TalosError {
  if (error instanceof TalosError) return error;
  const { address } = facts;
  const chain = causes(error);
  const codes = chain.map((e) => ('code' in e && typeof e.code === 'string' ? e.code : ''));
  const trust = trustProblem(codes, chain, facts);
  if (trust !== undefined) {
    const detail = trust === 'server-untrusted' || trust === 'server-name' ? ` (${rootText(chain)})` : '';
    return new TalosError('unauthenticated', address, `${TRUST_TEXT[trust]}${detail}`, { cause: error, reason: trust });
  }
  if (codes.some((code) => code === 'ETIMEDOUT')) {
    return new TalosError('timeout', address, 'the node does not answer', { cause: error });
  }
  if (codes.some((code) => UNREACHABLE.has(code) || code === 'ECONNRESET')) {
    return new TalosError('unreachable', address, unreachableText(codes, chain), { cause: error });
  }
  if (!(error instanceof ConnectError)) return new TalosError('other', address, textOf(error), { cause: error });
  if (error.code === Code.DeadlineExceeded) {
    const within = facts.timeoutMs === undefined ? '' : ` within ${facts.timeoutMs} ms`;
    return new TalosError('timeout', address, `no answer${within}`, { cause: error });
  }
  const text = error.rawMessage === '' ? `gRPC ${Code[error.code]}` : error.rawMessage;
  return new TalosError(classOfGrpcCode(error.code), address, text, { cause: error });
}

function trustProblem(
  codes: readonly string[],
  chain: readonly Error[],
  facts: CallFacts,
): TalosTrustProblem | undefined {
  for (const code of codes) {
    if (UNTRUSTED.has(code)) return 'server-untrusted';
    if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'server-name';
    const alert = ALERTS.find(([pattern]) => code.startsWith('ERR_SSL_') && pattern.test(code));
    if (alert !== undefined) return facts.crt === undefined ? 'client-certificate-missing' : alert[1];
  }
  // In TLS 1.3 a client is done before the server has judged its certificate. A server that then hangs up without an
  // alert, before its first byte, has judged.
  const hungUp =
    codes.includes('ECONNRESET') || chain.some((e) => e instanceof ConnectError && e.code === Code.Canceled);
  if (!facts.secured || facts.answered || !hungUp) return undefined;
  if (facts.crt === undefined) return 'client-certificate-missing';
  return hasExpired(facts.crt) ? 'client-certificate-expired' : 'client-certificate-refused';
}

function hasExpired(pem: string): boolean {
  try {
    return new X509Certificate(pem).validToDate < new Date();
  } catch {
    return false;
  }
}

function unreachableText(codes: readonly string[], chain: readonly Error[]): string {
  if (codes.includes('ECONNREFUSED')) return 'nothing listens there (connection refused)';
  if (codes.includes('ENOTFOUND') || codes.includes('EAI_AGAIN')) return 'the name cannot be resolved';
  if (codes.includes('ECONNRESET')) return 'the connection was reset';
  return rootText(chain);
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let next = error;
  while (next instanceof Error && !chain.includes(next)) {
    chain.push(next);
    if (next instanceof AggregateError) chain.push(...next.errors.filter((e): e is Error => e instanceof Error));
    next = next.cause;
  }
  return chain;
}

const rootText = (chain: readonly Error[]): string => chain.at(-1)?.message ?? 'unknown cause';
