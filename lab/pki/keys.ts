import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { KeyPair } from './types.ts';

/** The two kinds of authority a Talos cluster has: Ed25519 for the Talos API, ECDSA P-256 for Kubernetes and etcd. */
export type KeyKind = 'ed25519' | 'ecdsa';

const TALOS_LABEL = 'ED25519 PRIVATE KEY';

/**
 * Private key PEM as OpenSSL, Node, etcd and kube-apiserver read it. Talos writes the PKCS #8 bytes of an Ed25519 key
 * under a label of its own ("ED25519 PRIVATE KEY"), which nothing else knows; other keys pass unchanged.
 */
export const standardKey = (pem: string): string => pem.replaceAll(TALOS_LABEL, 'PRIVATE KEY');

/** Private key PEM as Talos writes it into machine configs and talosconfigs: the opposite of `standardKey`. */
export function talosKey(pem: string): string {
  const key = readKey(pem);
  return key.asymmetricKeyType === 'ed25519' ? exportKey(key).replaceAll(' PRIVATE KEY', ` ${TALOS_LABEL}`) : pem;
}

/** The key object of a private key PEM in either spelling. Throws what node:crypto throws when it is not one. */
export const readKey = (pem: string): KeyObject => createPrivateKey(standardKey(pem));

/** Which kind of authority this key makes; throws when it is neither Ed25519 nor ECDSA on P-256. */
export function keyKind(key: KeyObject): KeyKind {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ecdsa';
  throw new TypeError(`a key of type ${key.asymmetricKeyType ?? 'secret'} signs no certificate here`);
}

export function generateKey(kind: KeyKind): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** Ed25519: PKCS #8 "PRIVATE KEY"; ECDSA: SEC 1 "EC PRIVATE KEY", as Talos does. */
export const exportKey = (key: KeyObject): string =>
  key.export({ type: key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs8', format: 'pem' }).toString();

/**
 * A fresh key that signs service-account tokens, PEM "RSA PRIVATE KEY". Talos makes RSA of 4096 bits, which costs
 * seconds; 2048 bits are the same to everyone who reads it (RS256) and take tens of milliseconds.
 */
export const createServiceAccountKey = (): string =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  }).privateKey;

/** Public half of a private key PEM, "PUBLIC KEY": what `--service-account-key-file` holds. */
export const publicKeyOf = (pem: string): string =>
  createPublicKey(readKey(pem)).export({ type: 'spki', format: 'pem' }).toString();

/** Text as Talos puts PEM into YAML: base64 on one line. */
export const toBase64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

export const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** A certificate and its key as a machine config (`ca: {crt, key}`) or a talosconfig holds them: base64 of PEM. */
export const toTalosPair = (pair: KeyPair): { readonly crt: string; readonly key: string } => ({
  crt: toBase64(pair.cert),
  key: toBase64(talosKey(pair.key)),
});

/** The opposite: PEM that everything reads. */
export const fromTalosPair = (pair: { readonly crt: string; readonly key: string }): KeyPair => ({
  cert: fromBase64(pair.crt),
  key: standardKey(fromBase64(pair.key)),
});
