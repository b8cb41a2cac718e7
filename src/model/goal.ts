import type { FloatingIP } from '../systems/hetzner/types.ts';
import { type AddressState, findAddress, type Wish } from './address.ts';
import { configuredEndpoints, controlPlanes } from './cluster.ts';
import { endpointUrl, parseEndpoint } from './endpoint.ts';
import { valueOf } from './fact.ts';
import { type IssuerState, issuerState } from './issuer.ts';
import type { Observation } from './observation.ts';

/**
 * Stands for an address that is still to be reserved, so that everything that follows can be shown. It is a documentation address;
 * nothing made with it is ever carried out, because apply plans anew after each change.
 */
export const STAND_IN = '192.0.2.1';

/** Where a cluster is to be led: what the configuration asks for, made definite by what is there. */
export interface Goal {
  readonly address: AddressState;
  readonly floatingIP: FloatingIP | undefined;
  readonly ip: string;
  readonly wanted: { readonly host: string; readonly port: number; readonly url: string };
  /** Whether `ip` is a stand-in. */
  readonly provisional: boolean;
  readonly issuer: IssuerState;
  /** The issuer that has to be written down because it would follow the endpoint; undefined where none has. */
  readonly pin: string | undefined;
  /** What certificates must name: the address, the endpoint's name, the hosts that clients still use. */
  readonly names: readonly string[];
}

export function goalOf(observation: Observation, wish: Wish): Goal {
  const address = findAddress(observation.cloud, wish);
  const floatingIP = address.kind === 'found' ? address.floatingIP : undefined;
  const ip = floatingIP?.ip ?? STAND_IN;
  const { port, host = ip } = wish.config.endpoint;
  const wanted = { host, port, url: endpointUrl(host, port) };
  const issuer = issuerState(observation);
  return {
    address,
    floatingIP,
    ip,
    wanted,
    provisional: floatingIP === undefined,
    issuer,
    pin: issuer.kind === 'known' && issuer.issuer !== wanted.url ? issuer.issuer : undefined,
    names: [...new Set([ip, host, ...oldHosts(observation, wanted.url, issuer)])],
  };
}

/**
 * Hosts of the endpoints that came before. They are in the certificates only because they are the endpoint, and would leave with
 * it. Once no node has the old endpoint any more, the pinned issuer still remembers it; it counts as a host only where every
 * control plane lists it, because an issuer may also be a name that was never an endpoint.
 */
function oldHosts(observation: Observation, wantedUrl: string, issuer: IssuerState): string[] {
  const current = configuredEndpoints(observation)
    .filter((endpoint) => endpoint !== wantedUrl)
    .flatMap((endpoint) => parseEndpoint(endpoint)?.host ?? []);
  const remembered =
    issuer.kind === 'known' && issuer.issuer !== wantedUrl ? parseEndpoint(issuer.issuer)?.host : undefined;
  const listed =
    remembered !== undefined &&
    controlPlanes(observation).every((node) => valueOf(node.config)?.certSANs.includes(remembered) === true);
  return listed ? [...current, remembered] : current;
}
