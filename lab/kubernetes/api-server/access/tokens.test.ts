import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { claimsFor, createSigner, jwks, readPublicKeys, verifyToken } from './tokens.ts';

const NEW = 'https://new:6443';
const OLD = 'https://old:6443';
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const rsa = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
const ec = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
const account = { namespace: 'default', name: 'default', uid: 'u1' };

describe.each([
  ['RSA', rsa, 'RS256'],
  ['ECDSA', ec, 'ES256'],
])('service-account tokens signed with %s', (_name, key, algorithm) => {
  const signer = createSigner(key);
  const keys = readPublicKeys(key);
  const rules = { issuers: [NEW, OLD], audiences: [NEW, OLD], keys, nowSeconds: 1000 };
  const mint = (issuer: string, audiences: readonly string[], from = 900) =>
    signer.sign(claimsFor(account, issuer, audiences, from, 600));

  test('are accepted from every listed issuer for a listed audience', () => {
    for (const issuer of [NEW, OLD])
      expect(verifyToken(mint(issuer, [issuer]), rules)).toMatchObject({ claims: { ...account, audiences: [issuer] } });
  });

  test('are refused from another issuer, for another audience, too early, too late, or changed', () => {
    const refused = (token: string, change = {}) => 'refused' in verifyToken(token, { ...rules, ...change });
    expect(refused(mint('https://other', [NEW]))).toBe(true);
    expect(refused(mint(OLD, [OLD]), { issuers: [NEW] })).toBe(true);
    expect(refused(mint(NEW, ['elsewhere']))).toBe(true);
    expect(refused(mint(NEW, [NEW]), { nowSeconds: 1500 })).toBe(true);
    expect(refused(mint(NEW, [NEW]), { nowSeconds: 899 })).toBe(true);
    const [head = '', body = '', signature = ''] = mint(NEW, [NEW]).split('.');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'system:serviceaccount:kube-system:x' })).toString(
      'base64url',
    );
    expect(refused(`${head}.${forged}.${signature}`)).toBe(true);
    expect(refused(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`)).toBe(true);
    expect(refused('a.b.c')).toBe(true);
  });

  test('name their key as the published key set does', () => {
    const [head = ''] = mint(NEW, [NEW]).split('.');
    const { kid, alg } = JSON.parse(Buffer.from(head, 'base64url').toString());
    expect(alg).toBe(algorithm);
    expect(jwks(keys)).toMatchObject({ keys: [{ kid, alg, use: 'sig' }] });
  });
});

test('a token of a key that is not in the files is refused, also when it claims the name of one that is', () => {
  const other = createSigner(pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey));
  const rules = { issuers: [NEW], audiences: [NEW], keys: readPublicKeys(rsa), nowSeconds: 1000 };
  expect(verifyToken(other.sign(claimsFor(account, NEW, [NEW], 900, 600)), rules)).toEqual({
    refused: 'invalid bearer token',
  });
});
