import { textOf } from '../base/failure.ts';

/** Why there was no answer; each is met differently by whoever reads it. */
export type ConnectionFailure = 'timeout' | 'refused' | 'reset' | 'unreachable' | 'tls' | 'dns';

export interface FailedConnection {
  readonly kind: 'failed';
  readonly reason: ConnectionFailure;
  readonly message: string;
}

const BY_CODE: Readonly<Record<string, readonly [ConnectionFailure, string]>> = {
  ETIMEDOUT: ['timeout', 'no answer'],
  ECONNREFUSED: ['refused', 'connection refused: nothing listens there'],
  ECONNRESET: ['reset', 'the connection was reset'],
  EPIPE: ['reset', 'the connection was reset'],
  ECONNABORTED: ['reset', 'the connection was aborted'],
  EHOSTUNREACH: ['unreachable', 'no route to the host'],
  ENETUNREACH: ['unreachable', 'the network is unreachable'],
  EHOSTDOWN: ['unreachable', 'the host is down'],
  EADDRNOTAVAIL: ['unreachable', 'the address cannot be dialled from here'],
  EACCES: ['unreachable', 'a local rule forbids the connection'],
  EPERM: ['unreachable', 'a local rule forbids the connection'],
  ENOTFOUND: ['dns', 'the name does not exist'],
  EAI_AGAIN: ['dns', 'the name server does not answer'],
  EAI_FAIL: ['dns', 'the name cannot be resolved'],
  ENODATA: ['dns', 'the name has no address'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['tls', 'what answers there does not speak TLS'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['tls', 'what answers there does not speak TLS'],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ['tls', 'the server offers no TLS 1.2 or newer'],
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: ['tls', 'the server offers no TLS 1.2 or newer'],
};

/** What is wrong with a certificate, by the name OpenSSL gives it. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate was signed by another authority than the cluster’s CA',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed, not signed by the cluster’s CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate was signed by another authority than the cluster’s CA',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate was signed by another authority than the cluster’s CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate was signed by another authority than the cluster’s CA',
  CERT_SIGNATURE_FAILURE: 'the certificate claims the cluster’s CA, but the signature is not its',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  CERT_NOT_YET_VALID: 'the certificate is not valid yet',
};

/** The words for a certificate problem; undefined when the code names none. */
export const certificateProblem = (code: string): string | undefined => CERTIFICATE[code];

/** Why a connection or request failed, as data: whatever Node threw, with a plain sentence. Never a stack, never a key. */
export function failedConnection(error: unknown): FailedConnection {
  const code = codeOf(error);
  const known = BY_CODE[code];
  if (known !== undefined) return { kind: 'failed', reason: known[0], message: known[1] };
  const certificate = CERTIFICATE[code];
  if (certificate !== undefined) return { kind: 'failed', reason: 'tls', message: certificate };
  if (code.startsWith('HPE_')) {
    return { kind: 'failed', reason: 'tls', message: 'what answers there speaks TLS but not HTTP' };
  }
  // What is left is TLS: ERR_TLS_CERT_ALTNAME_INVALID, ERR_SSL_*, EPROTO.
  return { kind: 'failed', reason: 'tls', message: textOf(error) };
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export const timedOut = (timeoutMs: number): FailedConnection => ({
  kind: 'failed',
  reason: 'timeout',
  message: `no answer within ${timeoutMs} ms`,
});
