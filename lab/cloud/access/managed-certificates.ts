import { randomBytes, X509Certificate } from 'node:crypto';
import { createAuthority, issue } from '../../pki/pki.ts';
import type { KeyPair } from '../../pki/types.ts';
import { ActionError } from '../actions.ts';
import type { CloudContext } from '../routes.ts';
import type { Zone } from '../zones/state.ts';
import type { Certificate, IssuedCertificate } from './certificate-state.ts';

const DAY_MS = 86_400_000;
/** As the authority Hetzner orders from. */
const VALID_DAYS = 90;

/**
 * Issues managed certificates by an authority of this cloud's own, which is the last certificate of each chain. As Hetzner
 * does, only for names whose primary zone is in the project and delegated to its name servers: an ActionError else.
 */
export function managedCertificates({
  project,
  options,
  knobs,
}: Pick<CloudContext, 'project' | 'options' | 'knobs'>): (certificate: Certificate) => Promise<IssuedCertificate> {
  let authority: Promise<KeyPair> | undefined;

  const zoneOf = (name: string): Zone | undefined => {
    const bare = name.replace(/^\*\./, '');
    return [...project.zones.values()].find((zone) => bare === zone.name || bare.endsWith(`.${zone.name}`));
  };
  const check = (name: string): void => {
    const zone = zoneOf(name);
    if (zone === undefined) throw refusal('dns_zone_not_found', `no DNS zone of the project covers ${name}`);
    if (zone.mode === 'secondary')
      throw refusal('dns_zone_is_secondary_zone', `the DNS zone of ${name} is a secondary zone`);
    if (knobs.delegationStatus !== 'valid')
      throw refusal('could_not_verify_domain_delegated_to_zone', `${name} is not delegated to its DNS zone`);
  };

  return async ({ domainNames }) => {
    for (const name of domainNames) check(name);
    const now = options.clock.wall().getTime();
    const notBefore = new Date(now - 3_600_000);
    authority ??= createAuthority('ecdsa', {
      commonName: `Managed certificates of this lab ${randomBytes(4).toString('hex')}`,
      notBefore,
      notAfter: new Date(now + 3_650 * DAY_MS),
    });
    const ca = await authority;
    const notAfter = new Date(now + VALID_DAYS * DAY_MS);
    const [commonName = ''] = domainNames;
    const leaf = await issue(ca, { commonName, dnsNames: domainNames, usages: ['serverAuth'], notBefore, notAfter });
    const { fingerprint256: fingerprint } = new X509Certificate(leaf.cert);
    return { pem: `${leaf.cert.trimEnd()}\n${ca.cert}`, key: leaf.key, fingerprint, notBefore, notAfter };
  };
}

const refusal = (code: string, message: string): ActionError => new ActionError({ code, message });
