import 'reflect-metadata';
import { Code, ConnectError, createClient, type ConnectRouter } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
  type JsonName,
} from '@peculiar/x509';
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { SecurityService } from '../../../src/generated/security/security_pb.ts';
import { keyKind, readKey } from '../../pki/keys.ts';
import type { KeyPair } from '../../pki/types.ts';
import { machineToken } from '../apply/inputs.ts';
import type { ActiveConfig, Machine } from '../machine.ts';
import { TRUSTD_PORT } from './ports.ts';

const DAY_MS = 24 * 3600 * 1000;
const ED25519 = { name: 'Ed25519' };
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' };

/**
 * What a certificate is asked for. `kubelet` is the lab's own: with no controller-manager to sign kubelets' requests,
 * a worker asks trustd, which knows it by the machine token.
 */
type Purpose = 'talos' | 'kubelet';
const PURPOSE_HEADER = 'lab-purpose';

/** trustd on a control plane: signs the request of whoever knows the machine token. */
export function trustRoutes(machine: Machine) {
  return (router: ConnectRouter): void => {
    router.service(SecurityService, {
      async certificate(request, context) {
        const active = machine.active;
        if (active === undefined || context.requestHeader.get('token') !== machineToken(active.text)) {
          throw new ConnectError('invalid token', Code.Unauthenticated);
        }
        const { pki } = active.derived;
        const kubelet = context.requestHeader.get(PURPOSE_HEADER) === 'kubelet';
        const authority = kubelet ? pki.clusterCA : pki.machineCA;
        const csr = new Pkcs10CertificateRequest(new TextDecoder().decode(request.csr));
        if (authority.key === undefined || !(await csr.verify())) {
          throw new ConnectError('invalid CSR', Code.InvalidArgument);
        }
        const crt = await sign(machine, { crt: authority.crt, key: authority.key }, csr, kubelet);
        return { ca: encode(authority.crt), crt: encode(crt) };
      },
    });
  };
}

async function sign(
  machine: Machine,
  authority: { readonly crt: string; readonly key: string },
  csr: Pkcs10CertificateRequest,
  client: boolean,
): Promise<string> {
  const now = machine.ports.clock.wall().getTime();
  const key = readKey(authority.key);
  const ecdsa = keyKind(key) === 'ecdsa';
  const cert = await X509CertificateGenerator.create({
    serialNumber: `40${randomBytes(15).toString('hex')}`,
    subject: csr.subjectName,
    issuer: new X509Certificate(authority.crt).subjectName,
    notBefore: new Date(now - 10_000),
    notAfter: new Date(now + DAY_MS),
    publicKey: csr.publicKey,
    signingKey: cryptoKey(key, ecdsa ? ECDSA : ED25519),
    signingAlgorithm: ecdsa ? { ...ECDSA, hash: 'SHA-256' } : ED25519,
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([client ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth]),
      new BasicConstraintsExtension(false, undefined, true),
      ...csr.extensions.filter((extension) => extension instanceof SubjectAlternativeNameExtension),
    ],
  });
  return `${cert.toString('pem').trimEnd()}\n`;
}

/** A worker's serving certificate for the Talos API, from the first control plane that gives one. Asks until then. */
export const servingCertificateFromPeers = (
  machine: Machine,
  active: ActiveConfig,
  signal: AbortSignal,
): Promise<KeyPair> => {
  const names = active.derived.talosApiCertificate;
  const extension = new SubjectAlternativeNameExtension([
    ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...names.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ]);
  return askPeers(
    machine,
    active,
    'talos',
    { name: [{ CN: [machine.facts.hostname] }], extensions: [extension] },
    signal,
  );
};

/** A worker's kubelet credential, in the same way. */
export const kubeletCertificateFromPeers = (
  machine: Machine,
  active: ActiveConfig,
  signal: AbortSignal,
): Promise<KeyPair> => {
  const name = [{ O: ['system:nodes'] }, { CN: [`system:node:${machine.facts.hostname}`] }];
  return askPeers(machine, active, 'kubelet', { name, extensions: [] }, signal);
};

async function askPeers(
  machine: Machine,
  active: ActiveConfig,
  purpose: Purpose,
  subject: { readonly name: JsonName; readonly extensions: Extension[] },
  signal: AbortSignal,
): Promise<KeyPair> {
  const { clock, peers, host } = machine.ports;
  const keys = generateKeyPairSync('ed25519');
  const csr = await Pkcs10CertificateRequestGenerator.create({
    ...subject,
    keys: { publicKey: cryptoKey(keys.publicKey, ED25519), privateKey: cryptoKey(keys.privateKey, ED25519) },
    signingAlgorithm: ED25519,
  });
  const headers = { token: machineToken(active.text), [PURPOSE_HEADER]: purpose };
  for (;;) {
    signal.throwIfAborted();
    for (const peer of peers().filter((candidate) => candidate.role === 'control-plane')) {
      const baseUrl = `https://${peer.privateIPv4}:${TRUSTD_PORT}`;
      const tls = { ca: active.derived.pki.machineCA.crt, localAddress: host.hidden };
      const sessionManager = new Http2SessionManager(baseUrl, {}, tls);
      try {
        const client = createClient(SecurityService, createGrpcTransport({ baseUrl, sessionManager }));
        const answer = await client.certificate(
          { csr: encode(csr.toString('pem')) },
          { headers, signal, timeoutMs: 5_000 },
        );
        const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
        return { cert: new TextDecoder().decode(answer.crt), key };
      } catch {
        // The next control plane, or the next round.
      } finally {
        sessionManager.abort();
      }
    }
    await clock.sleep(Math.max(100, machine.times.campaignRetryMs), signal);
  }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const cryptoKey = (key: KeyObject, algorithm: { name: string; namedCurve?: string }): CryptoKey =>
  key.toCryptoKey(algorithm as { name: 'Ed25519' }, true, [key.type === 'private' ? 'sign' : 'verify']) as CryptoKey;
