import { randomBytes, randomInt } from 'node:crypto';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import type { Clock } from '../../src/base/clock.ts';
import { createServiceAccountKey, toBase64, toTalosPair } from '../pki/keys.ts';
import { createAuthority } from '../pki/pki.ts';
import type { Secrets } from './types.ts';

const YEAR = 365 * 24 * 3_600_000;
/** Clocks differ a little: a certificate is valid from slightly before it was made. */
const BACKDATE = 10_000;

/** Fresh secrets for a new cluster: three kinds of authority, tokens, keys; valid for ten years from now. */
export async function createSecrets(ports: { readonly clock: Clock }): Promise<Secrets> {
  const now = ports.clock.wall().getTime();
  const validity = { notBefore: new Date(now - BACKDATE), notAfter: new Date(now + 10 * YEAR) };
  const [os, k8s, etcd, aggregator] = await Promise.all([
    createAuthority('ed25519', { organization: 'talos', ...validity }),
    createAuthority('ecdsa', { organization: 'kubernetes', ...validity }),
    createAuthority('ecdsa', { organization: 'etcd', ...validity }),
    createAuthority('ecdsa', validity),
  ]);
  return {
    cluster: { id: randomKey(), secret: randomKey() },
    secrets: { bootstraptoken: randomToken(), secretboxencryptionsecret: randomKey() },
    trustdinfo: { token: randomToken() },
    certs: {
      etcd: toTalosPair(etcd),
      k8s: toTalosPair(k8s),
      k8saggregator: toTalosPair(aggregator),
      k8sserviceaccount: { key: toBase64(createServiceAccountKey()) },
      os: toTalosPair(os),
    },
  };
}

export const secretsText = (secrets: Secrets): string => stringify(secrets, { indent: 4, lineWidth: 0 });

const pair = z.strictObject({ crt: z.base64(), key: z.base64() });
const schema = z.strictObject({
  cluster: z.strictObject({ id: z.string(), secret: z.string() }),
  secrets: z.strictObject({ bootstraptoken: z.string(), secretboxencryptionsecret: z.string() }),
  trustdinfo: z.strictObject({ token: z.string() }),
  certs: z.strictObject({
    etcd: pair,
    k8s: pair,
    k8saggregator: pair,
    k8sserviceaccount: z.strictObject({ key: z.base64() }),
    os: pair,
  }),
});

/** Reads a secrets bundle, also one that `talosctl gen secrets` made. Throws a ZodError or YAMLParseError. */
export const parseSecrets = (text: string): Secrets => schema.parse(parse(text));

const randomKey = (): string => randomBytes(32).toString('base64');

/** The shape of a Kubernetes bootstrap token, `[a-z0-9]{6}.[a-z0-9]{16}`; Talos uses it for its join token too. */
function randomToken(): string {
  const characters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  const text = (length: number): string =>
    Array.from({ length }, () => characters.charAt(randomInt(characters.length))).join('');
  return `${text(6)}.${text(16)}`;
}
