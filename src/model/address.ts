import type { FloatingIP } from '../systems/hetzner/types.ts';
import { endpointUrl } from './endpoint.ts';
import type { CloudObservation } from './observation.ts';

/** What the configuration asks for, as far as the nouns need it; a loaded configuration is one. */
export interface Wish {
  readonly config: {
    readonly name: string;
    readonly endpoint: { readonly host?: string | undefined; readonly port: number };
    readonly address: {
      readonly adopt?:
        | { readonly name?: string | undefined; readonly id?: number | undefined; readonly ip?: string | undefined }
        | undefined;
      readonly create?: { readonly name: string; readonly location: string } | undefined;
    };
  };
}

/** What fairlead writes on an address that it reserved, so that it knows it again. */
export const OWNER_LABEL = 'fairlead.dev/cluster';

export type AddressState =
  | { readonly kind: 'found'; readonly floatingIP: FloatingIP }
  /** Nothing there yet, and the configuration says to reserve one. */
  | { readonly kind: 'to-create'; readonly name: string; readonly location: string }
  | { readonly kind: 'missing'; readonly what: string; readonly seen: readonly string[] }
  | { readonly kind: 'ambiguous'; readonly what: string; readonly candidates: readonly FloatingIP[] }
  /** An address of the name is there, but fairlead did not reserve it for this cluster. */
  | { readonly kind: 'foreign'; readonly what: string; readonly floatingIP: FloatingIP }
  | { readonly kind: 'unknown'; readonly why: string };

/** Which floating IP the configuration means. More than one is never a choice. */
export function findAddress(cloud: CloudObservation, wish: Wish): AddressState {
  if (cloud.floatingIPs.kind === 'unknown') return { kind: 'unknown', why: cloud.floatingIPs.why };
  const all = cloud.floatingIPs.value;
  const { adopt, create } = wish.config.address;
  const seen = all.map((f) => `${f.name} (id ${f.id}, ${f.ip})`);
  if (adopt !== undefined) {
    const what =
      adopt.id !== undefined
        ? `id ${adopt.id}`
        : adopt.ip !== undefined
          ? `IP ${adopt.ip}`
          : `name ${adopt.name ?? ''}`;
    const matches = all.filter(
      (f) =>
        (adopt.id === undefined || f.id === adopt.id) &&
        (adopt.ip === undefined || f.ip === adopt.ip) &&
        (adopt.name === undefined || f.name === adopt.name),
    );
    return judge(matches, what, seen);
  }
  if (create === undefined) return { kind: 'unknown', why: 'the configuration names no address' };
  const named = all.filter((f) => f.name === create.name);
  const own = named.filter((f) => f.labels[OWNER_LABEL] === wish.config.name);
  if (own.length > 0) return judge(own, `name ${create.name}`, seen);
  const [stranger] = named;
  if (stranger !== undefined) return { kind: 'foreign', what: `name ${create.name}`, floatingIP: stranger };
  return { kind: 'to-create', name: create.name, location: create.location };
}

function judge(matches: readonly FloatingIP[], what: string, seen: readonly string[]): AddressState {
  const [first, second] = matches;
  if (first === undefined) return { kind: 'missing', what, seen };
  if (second !== undefined) return { kind: 'ambiguous', what, candidates: matches };
  return { kind: 'found', floatingIP: first };
}

/** The endpoint that is wanted; undefined while the address is not known and no name is configured. */
export function wantedEndpoint(
  cloud: CloudObservation,
  wish: Wish,
): { readonly host: string; readonly port: number; readonly url: string } | undefined {
  const address = findAddress(cloud, wish);
  const host = wish.config.endpoint.host ?? (address.kind === 'found' ? address.floatingIP.ip : undefined);
  if (host === undefined) return undefined;
  const port = wish.config.endpoint.port;
  return { host, port, url: endpointUrl(host, port) };
}
