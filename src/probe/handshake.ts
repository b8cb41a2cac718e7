import type { X509Certificate } from 'node:crypto';
import { isIP, type LookupFunction } from 'node:net';
import tls from 'node:tls';
import { certificateProblem, failedConnection, timedOut } from '../systems/connection-failure.ts';
import type { HandshakeResult } from './types.ts';

export interface HandshakeOptions {
  /** PEM: the only authority that counts. */
  readonly ca: string;
  /** The name to ask for (SNI) and to be covered by the certificate. Default: `host`. */
  readonly servername?: string;
  readonly timeoutMs: number;
  /** How a name is resolved; absent: as this machine does. */
  readonly lookup?: LookupFunction;
}

/**
 * Shakes hands with a TLS server and says what it showed: which certificate, whether the cluster's CA signed it, whether
 * it covers the host, whether it is in date. The handshake is completed even with a server that is not to be trusted,
 * because the certificate is what we came for; nothing is sent over it, no credential is shown. Never rejects.
 */
export function handshake(host: string, port: number, options: HandshakeOptions): Promise<HandshakeResult> {
  const identity = options.servername ?? host;
  return new Promise((resolve) => {
    let socket: tls.TLSSocket;
    const finish = (result: HandshakeResult): void => {
      clearTimeout(timer);
      resolve(result);
      // Said goodbye to, a server does not log a broken handshake; one that does not answer that is dropped.
      if (result.kind === 'served') socket.end(() => socket.destroySoon());
      else socket.destroy();
    };
    const timer = setTimeout(() => finish(timedOut(options.timeoutMs)), options.timeoutMs);
    try {
      socket = tls.connect({
        host,
        port,
        ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
        // In a list, because an empty text alone would mean the public authorities.
        ca: [options.ca],
        minVersion: 'TLSv1.2',
        rejectUnauthorized: false,
        servername: isIP(identity) === 0 ? identity : '',
        checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(identity, certificate),
      });
    } catch (error) {
      clearTimeout(timer);
      resolve(failedConnection(error));
      return;
    }
    socket.on('error', (error) => finish(failedConnection(error)));
    socket.on('close', () => finish({ kind: 'failed', reason: 'reset', message: 'the connection was closed' }));
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) {
        finish({ kind: 'failed', reason: 'tls', message: 'the server showed no certificate' });
        return;
      }
      finish(served(certificate, socket, identity));
    });
  });
}

function served(certificate: X509Certificate, socket: tls.TLSSocket, identity: string): HandshakeResult {
  const names = subjectNames(certificate.subjectAltName ?? '');
  const facts = {
    kind: 'served',
    serial: certificate.serialNumber,
    ...names,
    notAfter: certificate.validToDate,
  } as const;
  if (socket.authorized) return { ...facts, trusted: true };
  // Node's types promise an Error here; what comes is the code as a string.
  const code = String(socket.authorizationError);
  const covered = `covers ${[...names.dnsNames, ...names.ipAddresses].join(', ') || 'no name at all'}`;
  const problem =
    code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? `the certificate does not cover ${identity}; it ${covered}`
      : (certificateProblem(code) ?? `the certificate is not accepted (${code})`);
  return { ...facts, trusted: false, problem };
}

/** The names out of the text form that Node gives to a subjectAltName; a name with odd characters comes quoted. */
export function subjectNames(text: string): { dnsNames: string[]; ipAddresses: string[] } {
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  for (const [, kind, raw] of text.matchAll(/(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)) {
    if (raw === undefined) continue;
    if (kind === 'DNS') dnsNames.push(raw.startsWith('"') ? String(JSON.parse(raw)) : raw);
    else ipAddresses.push(isIP(raw) === 6 ? new URL(`http://[${raw}]`).hostname.slice(1, -1) : raw);
  }
  return { dnsNames, ipAddresses };
}
