// @peculiar/x509 needs the decorator metadata to be there before it loads.
import 'reflect-metadata';
import { randomBytes, type KeyObject } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
  type JsonName,
} from '@peculiar/x509';
import { exportKey, generateKey, keyKind, readKey, type KeyKind } from './keys.ts';
import type { KeyPair, LeafSpec } from './types.ts';

const USAGES = { serverAuth: ExtendedKeyUsage.serverAuth, clientAuth: ExtendedKeyUsage.clientAuth } as const;

export interface AuthoritySpec {
  readonly commonName?: string;
  /** Talos: `talos` for its own API, `kubernetes`, `etcd`; the aggregator's authority has an empty name. */
  readonly organization?: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A self-signed certificate authority with the extensions Talos gives its own; a few milliseconds. */
export async function createAuthority(kind: KeyKind, spec: AuthoritySpec): Promise<KeyPair> {
  const keys = generateKey(kind);
  const name = nameOf(spec.commonName, spec.organization === undefined ? [] : [spec.organization]);
  const publicKey = cryptoKey(kind, keys.publicKey);
  const cert = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: name,
    issuer: name,
    notBefore: spec.notBefore,
    notAfter: spec.notAfter,
    publicKey,
    signingKey: cryptoKey(kind, keys.privateKey),
    signingAlgorithm: signingAlgorithm(kind),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, true),
      new ExtendedKeyUsageExtension([USAGES.serverAuth, USAGES.clientAuth]),
      new BasicConstraintsExtension(true, undefined, true),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { cert: pemOf(cert), key: exportKey(keys.privateKey) };
}

/**
 * A new key of the authority's kind, and a certificate for it signed by that authority. The key in `authority` may be
 * spelled as Talos does or as everyone does; the one that comes back is spelled as everyone does.
 */
export async function issue(authority: KeyPair, leaf: LeafSpec): Promise<KeyPair> {
  const signer = readKey(authority.key);
  const kind = keyKind(signer);
  const issuer = new X509Certificate(authority.cert);
  const keys = generateKey(kind);
  const publicKey = cryptoKey(kind, keys.publicKey);
  const extensions: Extension[] = [
    new KeyUsagesExtension(
      kind === 'ecdsa'
        ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment
        : KeyUsageFlags.digitalSignature,
      true,
    ),
    new ExtendedKeyUsageExtension(leaf.usages.map((usage) => USAGES[usage])),
    new BasicConstraintsExtension(false, undefined, true),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await authorityKeyIdentifier(issuer),
  ];
  const names = [
    ...(leaf.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(leaf.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
  const cert = await X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: nameOf(leaf.commonName === '' ? undefined : leaf.commonName, leaf.organizations ?? []),
    issuer: issuer.subjectName,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    publicKey,
    signingKey: cryptoKey(kind, signer),
    signingAlgorithm: signingAlgorithm(kind),
    extensions,
  });
  return { cert: pemOf(cert), key: exportKey(keys.privateKey) };
}

/**
 * The authority's own key identifier, word for word: newer Go makes it from another digest than everyone else, and a
 * certificate that names a different one does not chain.
 */
function authorityKeyIdentifier(issuer: X509Certificate): Promise<AuthorityKeyIdentifierExtension> {
  const own = issuer.getExtension(SubjectKeyIdentifierExtension);
  return own === null
    ? AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    : Promise.resolve(new AuthorityKeyIdentifierExtension(own.keyId));
}

/** 127 random bits: a serial number is a positive integer. */
function randomSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

const nameOf = (commonName: string | undefined, organizations: readonly string[]): JsonName => [
  ...organizations.map((organization) => ({ O: [organization] })),
  ...(commonName === undefined ? [] : [{ CN: [commonName] }]),
];

const signingAlgorithm = (kind: KeyKind): { name: string; hash?: string } =>
  kind === 'ed25519' ? { name: 'Ed25519' } : { name: 'ECDSA', hash: 'SHA-256' };

function cryptoKey(kind: KeyKind, key: KeyObject): CryptoKey {
  const algorithm = kind === 'ed25519' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' };
  // Node's own CryptoKey type and the DOM's differ in words only.
  return key.toCryptoKey(algorithm, true, [key.type === 'private' ? 'sign' : 'verify']) as CryptoKey;
}

/** With the line feed at the end that Go writes. */
const pemOf = (cert: X509Certificate): string => `${cert.toString('pem').trimEnd()}\n`;
