import type { LoadedConfig } from '../config/loaded.ts';
import { type AddressState, findAddress, wantedEndpoint } from '../model/address.ts';
import { configuredEndpoints, controlPlanes } from '../model/cluster.ts';
import { endpointUrl, isIPv4, parseEndpoint } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import { type IssuerState, issuerState } from '../model/issuer.ts';
import type { Observation } from '../model/observation.ts';
import type { FloatingIP } from '../systems/hetzner/types.ts';

/**
 * Stands for an address that is still to be reserved, so that the plan can show everything that follows. It is a documentation
 * address and is shown as `<address>`; nothing made with it is ever carried out, because apply plans anew after each change.
 */
const STAND_IN = '192.0.2.1';

/** What the phases of a plan are computed from. */
export interface PlanContext {
  readonly observation: Observation;
  readonly loaded: LoadedConfig;
  readonly address: AddressState;
  readonly floatingIP: FloatingIP | undefined;
  readonly ip: string;
  readonly wanted: { readonly host: string; readonly port: number; readonly url: string };
  /** Whether `ip` is a stand-in. */
  readonly provisional: boolean;
  readonly issuer: IssuerState;
  /** What certificates must name: the address, the endpoint's name, the hosts that clients still use. */
  readonly names: readonly string[];
}

export function planContext(observation: Observation, loaded: LoadedConfig): PlanContext {
  const address = findAddress(observation.cloud, loaded);
  const floatingIP = address.kind === 'found' ? address.floatingIP : undefined;
  const ip = floatingIP?.ip ?? STAND_IN;
  const { port, host = ip } = loaded.config.endpoint;
  const wanted = wantedEndpoint(observation.cloud, loaded) ?? { host, port, url: endpointUrl(host, port) };
  const issuer = issuerState(observation);
  return {
    observation,
    loaded,
    address,
    floatingIP,
    ip,
    wanted,
    provisional: floatingIP === undefined,
    issuer,
    names: [...new Set([ip, wanted.host, ...oldHosts(observation, wanted.url, issuer)])],
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

/** Puts the reader's word in the place of the stand-in. */
export const shown = (context: PlanContext, text: string): string =>
  context.provisional ? text.replaceAll(STAND_IN, '<address>') : text;

/** A name as endpoint host has to lead to the address; an address as host is the address. */
export const isName = (host: string): boolean => !isIPv4(host) && !host.includes(':');
