import { stringify } from 'yaml';
import type { Clock } from '../../src/base/clock.ts';
import { fromTalosPair, toTalosPair } from '../pki/keys.ts';
import { issue } from '../pki/pki.ts';
import type { Secrets } from './types.ts';

const YEAR = 365 * 24 * 3_600_000;

/**
 * A talosconfig with one context and a client certificate of its own, as `talosctl gen config` writes one.
 * @param options.roles organisations of the certificate, `os:admin` by default; lifetime one year by default
 */
export async function renderTalosconfig(
  ports: { readonly clock: Clock },
  secrets: Secrets,
  options: {
    readonly name: string;
    readonly endpoints: readonly string[];
    readonly nodes?: readonly string[];
    readonly roles?: readonly string[];
    readonly lifetimeMs?: number;
  },
): Promise<string> {
  const now = ports.clock.wall().getTime();
  const client = await issue(fromTalosPair(secrets.certs.os), {
    commonName: '',
    organizations: options.roles ?? ['os:admin'],
    usages: ['clientAuth'],
    notBefore: new Date(now - 10_000),
    notAfter: new Date(now + (options.lifetimeMs ?? YEAR)),
  });
  const context = {
    endpoints: options.endpoints,
    ...(options.nodes === undefined ? {} : { nodes: options.nodes }),
    ca: secrets.certs.os.crt,
    ...toTalosPair(client),
  };
  return stringify({ context: options.name, contexts: { [options.name]: context } }, { indent: 4, lineWidth: 0 });
}
