import { createAuthority, issue } from '../../pki/pki.ts';
import type { KeyPair } from '../../pki/types.ts';
import type { Machine } from '../machine.ts';

const NAME = 'maintenance-service.talos.dev';
const DAY_MS = 24 * 3600 * 1000;

/** The certificate of a machine that has no config: of an authority that nobody knows, made anew at each boot. */
export async function maintenanceCertificate(machine: Machine): Promise<KeyPair> {
  const now = machine.ports.clock.wall().getTime();
  const life = { notBefore: new Date(now - 10_000), notAfter: new Date(now + DAY_MS) };
  const authority = await createAuthority('ed25519', { organization: 'talos', ...life });
  const { publicIPv4, privateIPv4 } = machine.facts;
  return issue(authority, {
    commonName: NAME,
    dnsNames: [NAME],
    ipAddresses: [publicIPv4, privateIPv4].filter((address) => address !== ''),
    usages: ['serverAuth'],
    ...life,
  });
}
