import https from 'node:https';

/** What somebody who asks over HTTPS gets to see. `http`: an answer came, with its status. */
export type Seen =
  | 'silent'
  | 'refused'
  | 'reset'
  | 'unknown-authority'
  | 'name-missing'
  | 'expired'
  | 'not-yet-valid'
  | 'unresolved'
  | 'failed'
  | `http ${number}`;

export interface Question {
  /** https://address:port/path */
  readonly url: string;
  /** PEM; who signs what the server has to show. */
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  readonly userAgent?: string;
  readonly timeoutMs: number;
}

export interface Sight {
  readonly seen: Seen;
  /** Body of the answer, or the error's text. */
  readonly text: string;
}

const CODES: Readonly<Record<string, Seen>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'silent',
  EHOSTUNREACH: 'silent',
  ENOTFOUND: 'unresolved',
  ERR_TLS_CERT_ALTNAME_INVALID: 'name-missing',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not-yet-valid',
  CERT_SIGNATURE_FAILURE: 'unknown-authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown-authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown-authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown-authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown-authority',
};

/** Asks once, on a new connection, and never skips a check. */
export function ask(question: Question): Promise<Sight> {
  const { url, ca, cert, key, token, timeoutMs } = question;
  return new Promise((resolve) => {
    const request = https.get(
      url,
      {
        ca,
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
        agent: false,
        headers: {
          'user-agent': question.userAgent ?? 'operator',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => end({ seen: `http ${response.statusCode ?? 0}`, text }));
        response.on('error', (error) => end({ seen: 'reset', text: error.message }));
      },
    );
    const timer = setTimeout(() => end({ seen: 'silent', text: `nothing for ${timeoutMs} ms` }), timeoutMs);
    const end = (sight: Sight): void => {
      clearTimeout(timer);
      resolve(sight);
      request.destroy();
    };
    request.on('error', (error) => {
      const code = 'code' in error ? String(error.code) : '';
      end({ seen: CODES[code] ?? 'failed', text: `${code} ${error.message}`.trim() });
    });
  });
}
