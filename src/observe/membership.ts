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
  const answers = await firstAnswers(look, addresses, (address, signal) =>
    ask({ ...look, signal }, `${source} of ${address}`, TIMEOUTS.talosFirstMs, async (own) =>
      (await systems.talos(address).list('cluster', 'Members.cluster.talos.dev', own)).map((resource) =>
        memberSpec.parse(resource.spec),
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

/** Discovery tells every node the same: once one has answered, the others get this long and no longer. */
const OTHERS_MS = 400;

async function firstAnswers<T>(
  look: Look,
  addresses: readonly string[],
  question: (address: string, signal: AbortSignal) => Promise<Fact<T>>,
): Promise<Fact<T>[]> {
  const enough = new AbortController();
  const signal = look.signal === undefined ? enough.signal : AbortSignal.any([look.signal, enough.signal]);
  const late = unknown('not waited for: another node had answered', 'talos Members');
  let known = false;
  const asked = addresses.map(async (address) => {
    const answer = await question(address, signal).catch((error: unknown) => {
      if (look.signal?.aborted === true) throw error;
      return late;
    });
    if (answer.kind === 'known' && !known) {
      known = true;
      look.clock.sleep(OTHERS_MS, signal).then(
        () => enough.abort(),
        () => {},
      );
    }
    return answer;
  });
  try {
    return await Promise.all(asked);
  } finally {
    enough.abort();
  }
}
