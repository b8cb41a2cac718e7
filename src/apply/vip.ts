import { Failure, textOf } from '../base/failure.ts';
import { waitFor } from '../base/retry.ts';
import { findAddress } from '../model/address.ts';
import { bareAddress } from '../model/cluster.ts';
import type { Action } from '../model/plan.ts';
import { observeLinks } from '../observe/node.ts';
import { contextAt } from './api-server.ts';
import { patiently } from './patiently.ts';
import type { Plane, Run } from './run.ts';
import { TIMINGS } from './timings.ts';

type NodeAction = Extract<Action, { kind: 'node-config' }>;

/**
 * Waits until the address works: exactly one control plane has it on a link, the cloud routes it to that very server, and a TLS
 * handshake and `/readyz` through the address succeed. Talos does not wait for the cloud, so all three come at their own time.
 */
export async function awaitVip(run: Run, action: NodeAction, ip: string): Promise<readonly string[]> {
  run.reporter.report({
    kind: 'waiting',
    what: `exactly one claim of ${ip}, the cloud's route and a probe through it to agree`,
  });
  const operator = await awaitOperator(run, action, ip);
  const settled = await awaitSettled(run, ip);
  if (settled.kind === 'settled') return [...operator, ...settled.evidence];
  throw new Failure({
    code: 'vip-not-settled',
    what: `The address ${ip} did not come up after the change on ${action.node}`,
    why: `${settled.last} (waited ${TIMINGS.vipMs / 1000} s)`,
    state: `The VIP entry is on ${action.node}; the endpoint of the cluster was not changed, clients are as they were.`,
    next: `Look at Talos' own words (talosctl -n ${action.address} dmesg | grep -i vip): a wrong token or another project shows there. Then run fairlead verify.`,
  });
}

/** Waits until exactly one control plane has the address, the cloud routes it there, and `/readyz` through it is good. */
export async function awaitSettled(
  run: Run,
  ip: string,
  /** A control plane that must not be the one. */
  not?: string,
): Promise<
  { readonly kind: 'settled'; readonly evidence: readonly string[] } | { readonly kind: 'late'; readonly last: string }
> {
  const hetzner = run.systems.hetzner(run.loaded.hetznerToken);
  const { port } = run.loaded.config.endpoint;
  const through = contextAt(run.systems.kubeContext, ip, port);
  let last = 'nothing seen yet';
  let cloudAt = Number.NEGATIVE_INFINITY;
  const options = {
    everyMs: TIMINGS.lookEveryMs,
    timeoutMs: TIMINGS.vipMs,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
  const evidence = await waitFor(run.systems.clock, options, async () => {
    const claims = await claimsOf(run, ip);
    if (claims.length !== 1) {
      last =
        claims.length === 0
          ? `no control plane has ${ip} on a link`
          : `${claims.map((p) => p.name).join(' and ')} have ${ip}`;
      return undefined;
    }
    if (claims[0]?.name === not) {
      last = `${not} still has ${ip} on a link`;
      return undefined;
    }
    const answer = await run.systems.ready(through, '/readyz', { timeoutMs: 2_000 });
    if (answer.kind === 'failed' || answer.status !== 200) {
      last = `claimed by ${claims[0]?.name}; /readyz through ${ip}: ${answer.kind === 'failed' ? `${answer.reason}: ${answer.message}` : answer.status}`;
      return undefined;
    }
    const now = run.systems.clock.now();
    if (now - cloudAt < TIMINGS.cloudEveryMs) return undefined;
    cloudAt = now;
    const state = findAddress(
      {
        ...EMPTY_CLOUD,
        floatingIPs: { kind: 'known', value: await hetzner.floatingIPs(run.signal), source: 'hetzner', at: '' },
      },
      run.loaded,
    );
    const assigned = state.kind === 'found' ? state.floatingIP.server : undefined;
    if (assigned !== claims[0]?.server?.id) {
      last = `claimed by ${claims[0]?.name}, but assigned to server ${assigned ?? 'none'}`;
      return undefined;
    }
    return [
      `${claims[0]?.name} has ${ip} on a link, the cloud routes it there (server ${assigned}), /readyz through it answers 200`,
    ];
  });
  return evidence === undefined ? { kind: 'late', last } : { kind: 'settled', evidence };
}

const none = { kind: 'unknown', why: 'not asked', source: 'hetzner' } as const;
const EMPTY_CLOUD = { servers: none, floatingIPs: none, locations: none, token: none, nodeToken: undefined } as const;

/** Control planes that have the address on a link, asked side by side. */
export async function claimsOf(run: Run, ip: string): Promise<Plane[]> {
  const answers = await Promise.all(
    run.planes.map(async (plane) => {
      const links = await patiently(run, () => observeLinks(run.systems.talos(plane.address), run.signal));
      return links.some((link) => bareAddress(link.address) === ip) ? [plane] : [];
    }),
  );
  return answers.flat();
}

/**
 * A wrong link or a selector without a match gives no error anywhere: the operator's own resource tells. Where this Talos does not
 * let it be read, that is said and the address itself must prove it.
 */
async function awaitOperator(run: Run, action: NodeAction, ip: string): Promise<readonly string[]> {
  const talos = run.systems.talos(action.address);
  const options = {
    everyMs: TIMINGS.lookEveryMs,
    timeoutMs: 20_000,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
  try {
    const found = await waitFor(run.systems.clock, options, async () => {
      const specs = await patiently(run, () => talos.list('network', 'OperatorSpecs.net.talos.dev', run.signal));
      return specs.find((spec) => JSON.stringify(spec.spec).includes(`"${ip}"`))?.id;
    });
    if (found !== undefined) return [`VIP operator ${found} runs on ${action.node}`];
  } catch (error) {
    run.signal?.throwIfAborted();
    return [`the VIP operator of ${action.node} could not be looked at: ${textOf(error)}`];
  }
  throw new Failure({
    code: 'vip-operator-missing',
    what: `Talos made no VIP operator on ${action.node}`,
    why: `the machine config has the entry, but no operator for ${ip} exists: its link was not found`,
    state: `The VIP entry is on ${action.node}; the endpoint of the cluster was not changed, clients are as they were.`,
    next: `Compare the link in the entry with talosctl -n ${action.address} get links.`,
  });
}
