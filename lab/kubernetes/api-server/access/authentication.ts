import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { unauthorized } from '../objects/status.ts';
import { verifyToken, type TokenKey } from './tokens.ts';

/** Who asks. */
export interface User {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface AuthenticationRules {
  readonly clientCas: readonly X509Certificate[];
  readonly requestHeader: {
    readonly cas: readonly X509Certificate[];
    readonly names: readonly string[];
    readonly userHeaders: readonly string[];
    readonly groupHeaders: readonly string[];
  };
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly tokenKeys: readonly TokenKey[];
  /** Whether a request without credentials may be anonymous on this path. */
  readonly anonymousOn: (path: string) => boolean;
}

export interface Credentials {
  readonly certificate: X509Certificate | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
}

/** Tells whether a service account exists under this uid; the answer may be some seconds old. */
export type AccountLookup = (namespace: string, name: string, uid: string) => Promise<boolean>;

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

/** Whether one of the CAs signed this certificate for clients, and it is valid now. (Chains are one step long, as Talos issues them.) */
export function isSignedBy(certificate: X509Certificate, cas: readonly X509Certificate[], now: Date): boolean {
  if (now < certificate.validFromDate || now > certificate.validToDate) return false;
  const usages: readonly string[] | undefined = certificate.keyUsage;
  if (usages !== undefined && usages.length > 0 && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE))
    return false;
  return cas.some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
}

/**
 * Finds out who asks, in kube-apiserver's order: front proxy, client certificate, service-account token. Credentials
 * that prove nothing are refused even where anonymous requests are allowed.
 */
export async function authenticate(
  credentials: Credentials,
  rules: AuthenticationRules,
  now: Date,
  accountExists: AccountLookup,
): Promise<User> {
  const { certificate, headers } = credentials;
  if (certificate !== undefined) {
    const proxied = fromFrontProxy(certificate, headers, rules, now);
    if (proxied !== undefined) return proxied;
    if (isSignedBy(certificate, rules.clientCas, now)) return fromCertificate(certificate);
  }
  const bearer = /^bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) {
    const user = await fromToken(bearer, rules, now, accountExists);
    if (user === undefined) throw unauthorized();
    return user;
  }
  if (certificate !== undefined || headers.authorization !== undefined || !rules.anonymousOn(credentials.path))
    throw unauthorized();
  return { name: 'system:anonymous', uid: '', groups: ['system:unauthenticated'], extra: {} };
}

export async function fromToken(
  token: string,
  rules: Pick<AuthenticationRules, 'issuers' | 'audiences' | 'tokenKeys'>,
  now: Date,
  accountExists: AccountLookup,
): Promise<User | undefined> {
  const verdict = verifyToken(token, {
    issuers: rules.issuers,
    audiences: rules.audiences,
    keys: rules.tokenKeys,
    nowSeconds: now.getTime() / 1000,
  });
  if (!('claims' in verdict)) return undefined;
  const { namespace, name, uid, tokenId } = verdict.claims;
  if (!(await accountExists(namespace, name, uid))) return undefined;
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: tokenId === '' ? {} : { 'authentication.kubernetes.io/credential-id': [`JTI=${tokenId}`] },
  };
}

/** The subject's fields by their short names; a field that occurs twice is a list. */
function subjectOf(certificate: X509Certificate): {
  readonly names: readonly string[];
  readonly organizations: readonly string[];
} {
  const subject: Readonly<Record<string, unknown>> = { ...certificate.toLegacyObject().subject };
  const texts = (value: unknown): string[] =>
    (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string');
  return { names: texts(subject['CN']), organizations: texts(subject['O']) };
}

function fromCertificate(certificate: X509Certificate): User {
  const { names, organizations } = subjectOf(certificate);
  const name = names[0];
  if (name === undefined) throw unauthorized();
  const digest = createHash('sha256').update(certificate.raw).digest('hex');
  return {
    name,
    uid: '',
    groups: [...organizations, 'system:authenticated'],
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${digest}`] },
  };
}

function fromFrontProxy(
  certificate: X509Certificate,
  headers: IncomingHttpHeaders,
  rules: AuthenticationRules,
  now: Date,
): User | undefined {
  const { cas, names, userHeaders, groupHeaders } = rules.requestHeader;
  if (!isSignedBy(certificate, cas, now)) return undefined;
  if (names.length > 0 && !subjectOf(certificate).names.some((name) => names.includes(name))) return undefined;
  const values = (name: string): string[] => {
    const value = headers[name.toLowerCase()];
    return (Array.isArray(value) ? value : (value ?? '').split(','))
      .map((one) => one.trim())
      .filter((one) => one !== '');
  };
  const name = userHeaders.flatMap(values)[0];
  if (name === undefined) return undefined;
  return { name, uid: '', groups: [...groupHeaders.flatMap(values), 'system:authenticated'], extra: {} };
}
