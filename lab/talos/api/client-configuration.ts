import { stringify } from 'yaml';
import { toTalosPair, toBase64 } from '../../pki/keys.ts';
import { issueLeaf } from '../control-plane/certificates.ts';
import type { Machine } from '../machine.ts';

export interface ClientConfiguration {
  readonly ca: string;
  readonly crt: string;
  readonly key: string;
  readonly talosconfig: string;
}

/** A client certificate with these roles, and a talosconfig around it whose endpoint is this machine. */
export async function clientConfiguration(
  machine: Machine,
  roles: readonly string[],
  lifetimeMs: number,
): Promise<ClientConfiguration> {
  const derived = machine.active?.derived;
  if (derived === undefined) throw new Error('the machine has no configuration');
  const pair = await issueLeaf(
    machine.ports.clock,
    derived.pki.machineCA,
    { commonName: '', organizations: roles, usages: ['clientAuth'] },
    lifetimeMs,
  );
  const { crt, key } = toTalosPair(pair);
  const ca = derived.pki.machineCA.crt;
  const name = derived.clusterName;
  const talosconfig = stringify(
    {
      context: name,
      contexts: { [name]: { endpoints: [machine.facts.publicIPv4], ca: toBase64(ca), crt, key } },
    },
    { indent: 4, lineWidth: 0 },
  );
  return { ca, crt: pair.cert, key: pair.key, talosconfig };
}
