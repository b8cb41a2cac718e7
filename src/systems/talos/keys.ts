/**
 * Talos writes Ed25519 keys as PKCS#8 under the label `ED25519 PRIVATE KEY`, which Go reads and OpenSSL does not. The
 * bytes are the same: only the label has to change before Node can use the key.
 */
export const opensslKey = (pem: string): string =>
  pem.replaceAll(/(-----(?:BEGIN|END) )ED25519 (PRIVATE KEY-----)/g, '$1$2');
