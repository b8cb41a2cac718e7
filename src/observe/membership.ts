import { isIP } from 'node:net';
import * as z from 'zod';
import { type Fact, known, unknown, valueOf } from '../model/fact.ts';
import type { CloudObservation } from '../model/observation.ts';
import { ask, type Look } from './look.ts';
import type { Systems } from './systems.ts';
import { TIMEOUTS } from './timeouts.ts';

export interface Member {
  readonly name: string;
  readonly role: 'control-plane' | 'worker' | 'unknown';
  /** Without any floating IP: a node's addresses are its own. */
  readonly addresses: readonly string[];
}

const memberSpec = z.looseObject({
  hostname: z.string(),
  machineType: z.string(),
  addresses: z.array(z.string()).nullish(),
});

const hostOf = (endpoint: string): string => {
  const bare = endpoint.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return isIP(bare) === 6 ? bare : bare.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
};

/**
 * Who belongs to the cluster, as Talos' own discovery says: asked at every address of the talosconfig; where none answers, at the
 * servers of the project (mutual TLS tells a stranger from a member). Floating IPs are never a node's address.
 */
export async function observeMembers(
  systems: Systems,
  look: Look,
  floating: ReadonlySet<string>,
  cloud: CloudObservation,
): Promise<Fact<readonly Member[]>> {
  const { endpoints, nodes } = systems.talosContext;
  const listed = [...new Set([...endpoints, ...nodes].map(hostOf))].filter((host) => !floating.has(host));
  const first = await askAll(systems, look, listed, floating);
  if (first.kind === 'known') return first;
  const others = (valueOf(cloud.servers) ?? [])
    .flatMap((server) => server.publicIPv4 ?? [])
    .filter((ip) => !listed.includes(ip));
  const second = others.length === 0 ? first : await askAll(systems, look, others, floating);
  return second.kind === 'known' ? second : first;
}

async function askAll(
  systems: Systems,
  look: Look,
  addresses: readonly string[],
  floating: ReadonlySet<string>,
): Promise<Fact<readonly Member[]>> {
  const source = 'talos Members';
  if (addresses.length === 0) return unknown('the talosconfig names no node', source);
  const answers = await Promise.all(
    addresses.map((address) =>
      ask(look, `${source} of ${address}`, TIMEOUTS.talosFirstMs, async (signal) =>
        (await systems.talos(address).list('cluster', 'Members.cluster.talos.dev', signal)).map((resource) =>
          memberSpec.parse(resource.spec),
        ),
      ),
    ),
  );
  const members = new Map<string, Member>();
  for (const answer of answers) {
    for (const spec of valueOf(answer) ?? []) {
      const former = members.get(spec.hostname)?.addresses ?? [];
      const own = (spec.addresses ?? []).filter((address) => !floating.has(address));
      members.set(spec.hostname, {
        name: spec.hostname,
        role: spec.machineType === 'worker' ? 'worker' : 'control-plane',
        addresses: [...new Set([...former, ...own])],
      });
    }
  }
  if (members.size > 0) return known([...members.values()], source, look.clock.wall().toISOString());
  const reasons = answers.map(
    (answer, i) => `${addresses[i]}: ${answer.kind === 'unknown' ? answer.why : 'no members'}`,
  );
  return unknown(reasons.join('; '), source);
}
