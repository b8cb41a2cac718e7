import { createPrivateKey, X509Certificate } from 'node:crypto';

/**
 * PEM text out of the base64 that talosconfigs and kubeconfigs carry it in; undefined when it is not base64 of text.
 * Line breaks inside are allowed, as YAML block texts have them.
 */
export function decodeBase64(text: string): string | undefined {
  const compact = text.replaceAll(/\s/g, '');
  if (compact === '' || compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(compact, 'base64'));
  } catch {
    return undefined;
  }
}

/** The first certificate of a PEM text; undefined when there is none that can be read. */
export function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Whether a private key can be read and belongs to the certificate. */
export function keyFits(certificate: X509Certificate, keyPem: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}
