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
} from '@peculiar/x509';
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { SecurityService } from '../../../src/generated/security/security_pb.ts';
import { readKey } from '../../pki/keys.ts';
import type { KeyPair } from '../../pki/types.ts';
import { machineToken } from '../apply/inputs.ts';
import type { Derived } from '../config/types.ts';
import type { Machine } from '../machine.ts';
import { TRUSTD_PORT } from './ports.ts';

const DAY_MS = 24 * 3600 * 1000;
const ALGORITHM = { name: 'Ed25519' };

/** trustd on a control plane: signs the request of whoever knows the machine token. */
export function trustRoutes(machine: Machine) {
  return (router: ConnectRouter): void => {
    router.service(SecurityService, {
      async certificate(request, context) {
        const active = machine.active;
        if (active === undefined || context.requestHeader.get('token') !== machineToken(active.text)) {
          throw new ConnectError('invalid token', Code.Unauthenticated);
        }
        const { crt, key } = active.derived.pki.machineCA;
        const csr = new Pkcs10CertificateRequest(new TextDecoder().decode(request.csr));
        if (key === undefined || !(await csr.verify())) throw new ConnectError('invalid CSR', Code.InvalidArgument);
        const names = csr.extensions.filter((extension) => extension instanceof SubjectAlternativeNameExtension);
        const now = machine.ports.clock.wall().getTime();
        const cert = await X509CertificateGenerator.create({
          serialNumber: `40${randomBytes(15).toString('hex')}`,
          subject: csr.subjectName,
          issuer: new X509Certificate(crt).subjectName,
          notBefore: new Date(now - 10_000),
          notAfter: new Date(now + DAY_MS),
          publicKey: csr.publicKey,
          signingKey: cryptoKey(readKey(key)),
          signingAlgorithm: ALGORITHM,
          extensions: [
            new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
            new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
            new BasicConstraintsExtension(false, undefined, true),
            ...names,
          ],
        });
        const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
        return { ca: encode(crt), crt: encode(`${cert.toString('pem').trimEnd()}\n`) };
      },
    });
  };
}

/** A worker's serving certificate for the Talos API, from the first control plane that gives one. Asks until then. */
export async function certificateFromPeers(
  machine: Machine,
  derived: Derived,
  token: string,
  signal: AbortSignal,
): Promise<KeyPair> {
  const { clock, peers } = machine.ports;
  const keys = generateKeyPairSync('ed25519');
  const names = derived.talosApiCertificate;
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [machine.facts.hostname] }],
    keys: { publicKey: cryptoKey(keys.publicKey), privateKey: cryptoKey(keys.privateKey) },
    signingAlgorithm: ALGORITHM,
    extensions: [
      new SubjectAlternativeNameExtension([
        ...names.dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...names.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  });
  for (;;) {
    signal.throwIfAborted();
    for (const peer of peers().filter((candidate) => candidate.role === 'control-plane')) {
      const baseUrl = `https://${peer.privateIPv4}:${TRUSTD_PORT}`;
      const sessionManager = new Http2SessionManager(baseUrl, {}, { ca: derived.pki.machineCA.crt });
      try {
        const client = createClient(SecurityService, createGrpcTransport({ baseUrl, sessionManager }));
        const answer = await client.certificate(
          { csr: new TextEncoder().encode(csr.toString('pem')) },
          { headers: { token }, signal, timeoutMs: 5_000 },
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

const cryptoKey = (key: KeyObject): CryptoKey =>
  key.toCryptoKey(ALGORITHM, true, [key.type === 'private' ? 'sign' : 'verify']) as CryptoKey;
