import { createAuthority, issue } from '../../lab/pki/pki.ts';
import type { KeyPair } from '../../lab/pki/types.ts';
import { Redacted } from '../../src/base/redacted.ts';
import type { KubeContext } from '../../src/systems/kubernetes/types.ts';

const HOUR = 3_600_000;
export const VALID = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + HOUR) };
export const EXPIRED = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };

export interface TestPki {
  readonly ca: KeyPair;
  readonly server: KeyPair;
  readonly admin: KeyPair;
}

/** A cluster's authority, a server certificate for 127.0.0.1 and `api.lab.test`, an admin's client certificate. */
export async function testPki(): Promise<TestPki> {
  const ca = await createAuthority('ecdsa', { organization: 'kubernetes', ...VALID });
  return {
    ca,
    server: await serverFor(ca, ['127.0.0.1'], ['api.lab.test']),
    admin: await issue(ca, {
      commonName: 'admin',
      organizations: ['system:masters'],
      usages: ['clientAuth'],
      ...VALID,
    }),
  };
}

export const serverFor = (
  ca: KeyPair,
  ipAddresses: readonly string[],
  dnsNames: readonly string[] = [],
  dates: typeof VALID = VALID,
): Promise<KeyPair> => issue(ca, { commonName: 'server', ipAddresses, dnsNames, usages: ['serverAuth'], ...dates });

export const contextOf = (pki: TestPki, port: number): KubeContext => ({
  name: 'admin@test',
  cluster: 'test',
  user: 'admin',
  server: `https://127.0.0.1:${port}`,
  tlsServerName: undefined,
  ca: pki.ca.cert,
  auth: { kind: 'certificate', cert: pki.admin.cert, key: new Redacted(pki.admin.key) },
});
