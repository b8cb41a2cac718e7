import { X509Certificate } from 'node:crypto';

/** What a certificate says, in plain values. */
export interface CertificateFacts {
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** One line a part, as OpenSSL prints them: `O=talos`. */
  readonly issuer: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Upper-case hexadecimal. */
  readonly serial: string;
  readonly isAuthority: boolean;
  /** Object identifiers of the extended key usages. */
  readonly usages: readonly string[];
  readonly keyType: string;
  /** SHA-256 of the DER bytes, upper-case with colons. */
  readonly fingerprint: string;
}

/** Reads the first certificate of a PEM text; throws what node:crypto throws when there is none. */
export function certificateFacts(pem: string): CertificateFacts {
  const cert = new X509Certificate(pem);
  // Absent, not empty, where the certificate has no subject: the types of Node do not say so.
  const subject = ((cert.subject as string | undefined) ?? '').split('\n').map((part) => part.split(/=(.*)/s));
  const values = (key: string): string[] => subject.filter(([name]) => name === key).map(([, value]) => value ?? '');
  const names = (cert.subjectAltName ?? '').split(', ');
  const withPrefix = (prefix: string): string[] =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return {
    commonName: values('CN')[0] ?? '',
    organizations: values('O'),
    issuer: (cert.issuer as string | undefined) ?? '',
    dnsNames: withPrefix('DNS:'),
    ipAddresses: withPrefix('IP Address:').map(compactAddress),
    notBefore: cert.validFromDate,
    notAfter: cert.validToDate,
    serial: cert.serialNumber,
    isAuthority: cert.ca,
    usages: (cert.keyUsage as string[] | undefined) ?? [],
    keyType: cert.publicKey.asymmetricKeyType ?? 'unknown',
    fingerprint: cert.fingerprint256,
  };
}

/** OpenSSL prints IPv6 addresses in full; everyone else writes them short. */
const compactAddress = (address: string): string =>
  address.includes(':') ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
