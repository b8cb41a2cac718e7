import type { LoadedConfig } from '../config/loaded.ts';
import type { Fact } from '../model/fact.ts';
import type { CloudObservation } from '../model/observation.ts';
import { ask, type Look } from './look.ts';
import type { Systems } from './systems.ts';
import { TIMEOUTS } from './timeouts.ts';

/**
 * The cloud: servers, addresses, locations, and what both tokens may do. What does not change within a run (locations, tokens) is
 * taken over from an earlier look, because the project's request budget is shared with everybody else.
 */
export async function observeCloud(
  systems: Systems,
  loaded: LoadedConfig,
  look: Look,
  earlier: CloudObservation | undefined,
): Promise<CloudObservation> {
  const client = systems.hetzner(loaded.hetznerToken);
  const read = <T>(what: string, question: (signal: AbortSignal) => Promise<T>) =>
    ask(look, `hetzner ${what}`, TIMEOUTS.cloudMs, question);
  const again = <T extends { readonly kind: string }>(fact: T | undefined): T | undefined =>
    fact?.kind === 'known' ? fact : undefined;
  const [servers, floatingIPs, locations, token, first] = await Promise.all([
    recent(earlier?.servers, look) ?? read('servers', (signal) => client.servers(signal)),
    read('floating IPs', (signal) => client.floatingIPs(signal)),
    again(earlier?.locations) ?? read('locations', (signal) => client.locations(signal)),
    again(earlier?.token) ?? read('token', (signal) => client.tokenClass(signal)),
    observeNodeToken(systems, loaded, look, earlier?.nodeToken),
  ]);
  // An address that is newer than the remembered answer: ask again.
  const remembered = first?.floatingIPs.kind === 'known' ? first.floatingIPs.value.map((f) => f.id) : [];
  const fresh =
    earlier !== undefined && floatingIPs.kind === 'known' && !floatingIPs.value.every((f) => remembered.includes(f.id));
  const nodeToken = fresh ? await observeNodeToken(systems, loaded, look, undefined) : first;
  return { servers, floatingIPs, locations, token, nodeToken };
}

/** Servers come and go slowly; within a run a list of a moment ago will do. Assignments are always asked anew. */
const SERVERS_GOOD_MS = 10_000;

function recent<T>(fact: Fact<T> | undefined, look: Look): Fact<T> | undefined {
  if (fact?.kind !== 'known') return undefined;
  return look.clock.wall().getTime() - Date.parse(fact.at) < SERVERS_GOOD_MS ? fact : undefined;
}

async function observeNodeToken(
  systems: Systems,
  loaded: LoadedConfig,
  look: Look,
  earlier: CloudObservation['nodeToken'],
): Promise<CloudObservation['nodeToken']> {
  const { vipToken } = loaded;
  if (vipToken === undefined) return undefined;
  if (earlier?.class.kind === 'known' && earlier.floatingIPs.kind === 'known') return earlier;
  const client = systems.hetzner(vipToken);
  const [tokenClass, floatingIPs] = await Promise.all([
    ask(look, 'hetzner token of the nodes', TIMEOUTS.cloudMs, (signal) => client.tokenClass(signal)),
    ask(look, 'hetzner floating IPs, by the token of the nodes', TIMEOUTS.cloudMs, async (signal) =>
      (await client.floatingIPs(signal)).map(({ id, ip }) => ({ id, ip })),
    ),
  ]);
  return { same: vipToken.reveal() === loaded.hetznerToken.reveal(), class: tokenClass, floatingIPs };
}
