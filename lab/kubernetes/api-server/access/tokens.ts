import { createHash, createPrivateKey, createPublicKey, randomUUID, sign, verify, type KeyObject } from 'node:crypto';
import { isRecord, listAt, stringAt, type JsonRecord } from '../objects/types.ts';

/** A public key that signs, or once signed, service-account tokens. */
export interface TokenKey {
  readonly id: string;
  readonly algorithm: 'RS256' | 'ES256' | 'ES384' | 'ES512';
  readonly key: KeyObject;
}

export interface ServiceAccountClaims {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly tokenId: string;
  readonly audiences: readonly string[];
}

const algorithms = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' } as const;
const digests = { RS256: 'sha256', ES256: 'sha256', ES384: 'sha384', ES512: 'sha512' } as const;

function describe(key: KeyObject): TokenKey {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  // kube-apiserver names a key by the SHA-256 of its DER form.
  const id = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  if (publicKey.asymmetricKeyType === 'rsa') return { id, algorithm: 'RS256', key: publicKey };
  const curve = publicKey.asymmetricKeyDetails?.namedCurve;
  if (curve === 'prime256v1' || curve === 'secp384r1' || curve === 'secp521r1')
    return { id, algorithm: algorithms[curve], key: publicKey };
  throw new TypeError(`a service-account key must be RSA or ECDSA, not ${publicKey.asymmetricKeyType ?? 'unknown'}`);
}

/** Every key of a PEM file: private ones stand for their public half, as kube-apiserver reads them. */
export function readPublicKeys(pem: string): TokenKey[] {
  const blocks = pem.match(/-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----/g) ?? [];
  return blocks.filter((block) => !block.includes('EC PARAMETERS')).map((block) => describe(createPublicKey(block)));
}

export interface TokenSigner {
  readonly key: TokenKey;
  sign(claims: JsonRecord): string;
}

export function createSigner(pem: string): TokenSigner {
  const privateKey = createPrivateKey(pem);
  const key = describe(privateKey);
  return {
    key,
    sign: (claims) => {
      const text = `${encode({ alg: key.algorithm, kid: key.id })}.${encode(claims)}`;
      const signature = sign(digests[key.algorithm], Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${text}.${signature.toString('base64url')}`;
    },
  };
}

const encode = (value: JsonRecord): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The claims of a service-account token (times in seconds since 1970), as TokenRequest makes them. */
export const claimsFor = (
  account: { readonly namespace: string; readonly name: string; readonly uid: string },
  issuer: string,
  audiences: readonly string[],
  nowSeconds: number,
  lifetimeSeconds: number,
): JsonRecord => ({
  aud: [...audiences],
  exp: nowSeconds + lifetimeSeconds,
  iat: nowSeconds,
  iss: issuer,
  jti: randomUUID(),
  'kubernetes.io': {
    namespace: account.namespace,
    serviceaccount: { name: account.name, uid: account.uid },
  },
  nbf: nowSeconds,
  sub: `system:serviceaccount:${account.namespace}:${account.name}`,
});

export interface TokenRules {
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly keys: readonly TokenKey[];
  readonly nowSeconds: number;
}

/** Accepts or refuses a token by its text alone; whether its account still exists is the caller's question. */
export function verifyToken(
  token: string,
  rules: TokenRules,
): { readonly claims: ServiceAccountClaims } | { readonly refused: string } {
  const [head, body, signature, ...more] = token.split('.');
  if (head === undefined || body === undefined || signature === undefined || more.length > 0)
    return { refused: 'invalid bearer token' };
  const header = decode(head);
  const payload = decode(body);
  if (header === undefined || payload === undefined) return { refused: 'invalid bearer token' };
  const issuer = stringAt(payload, 'iss');
  if (issuer === undefined || !rules.issuers.includes(issuer)) return { refused: 'invalid bearer token' };
  const known = rules.keys.filter((key) => key.algorithm === header['alg']);
  const named = known.filter((key) => key.id === header['kid']);
  const bytes = Buffer.from(signature, 'base64url');
  const signed = (named.length > 0 ? named : known).some((key) =>
    verify(digests[key.algorithm], Buffer.from(`${head}.${body}`), { key: key.key, dsaEncoding: 'ieee-p1363' }, bytes),
  );
  if (!signed) return { refused: 'invalid bearer token' };
  const { exp, nbf, aud } = payload;
  if (typeof exp !== 'number' || rules.nowSeconds >= exp)
    return { refused: '[invalid bearer token, service account token has expired]' };
  if (typeof nbf === 'number' && rules.nowSeconds < nbf)
    return { refused: '[invalid bearer token, service account token is not valid yet]' };
  const inToken = typeof aud === 'string' ? [aud] : listAt(payload, 'aud').filter((one) => typeof one === 'string');
  const audiences = inToken.filter((one) => rules.audiences.includes(one));
  if (audiences.length === 0) {
    const quoted = (list: readonly string[]): string => list.map((one) => JSON.stringify(one)).join(' ');
    return {
      refused: `[invalid bearer token, token audiences [${quoted(inToken)}] is invalid for the target audiences [${quoted(rules.audiences)}]]`,
    };
  }
  const bound = payload['kubernetes.io'];
  const namespace = stringAt(bound, 'namespace');
  const name = stringAt(bound, 'serviceaccount', 'name');
  const uid = stringAt(bound, 'serviceaccount', 'uid');
  if (namespace === undefined || name === undefined || uid === undefined) return { refused: 'invalid bearer token' };
  return { claims: { namespace, name, uid, tokenId: stringAt(payload, 'jti') ?? '', audiences } };
}

function decode(part: string): JsonRecord | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The keys as /openid/v1/jwks publishes them. */
export const jwks = (keys: readonly TokenKey[]): JsonRecord => ({
  keys: keys.map((key) => {
    const jwk = key.key.export({ format: 'jwk' });
    const { kty, n, e, crv, x, y } = jwk;
    return {
      use: 'sig',
      ...(kty === undefined ? {} : { kty }),
      kid: key.id,
      ...(crv === undefined ? {} : { crv }),
      alg: key.algorithm,
      ...(n === undefined ? {} : { n }),
      ...(e === undefined ? {} : { e }),
      ...(x === undefined ? {} : { x }),
      ...(y === undefined ? {} : { y }),
    };
  }),
});
