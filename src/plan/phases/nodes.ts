import { Redacted } from '../../base/redacted.ts';
import { removeVip } from '../../machine-config/edit/vip.ts';
import { otherVips, workers } from '../../model/cluster.ts';
import { sha256 } from '../../base/digest.ts';
import { valueOf } from '../../model/fact.ts';
import type { NodeConfig, NodeObservation } from '../../model/observation.ts';
import type { Change, Disruption, NodeStep, Refusal } from '../../model/plan.ts';
import { type PlanContext, shown } from '../context.ts';
import { publicLink } from '../../model/public-link.ts';
import { handOver } from '../handover.ts';
import { configDiff, namesAndIssuer, reissues, vip, wantedEndpointText } from '../edits.ts';
import { rollOrder } from '../roll-order.ts';

type Step = Extract<NodeStep, 'names-and-issuer' | 'vip' | 'endpoint' | 'vip-out'>;

export interface NodePhases {
  readonly names: readonly Change[];
  readonly vip: readonly Change[];
  readonly endpoint: readonly Change[];
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
}

export interface Readable {
  readonly node: NodeObservation;
  readonly role: 'control-plane' | 'worker';
  readonly address: string;
  readonly config: NodeConfig;
  readonly version: string;
}

/**
 * Phases 2, 3 and 5. Each edit is a function of the node's own text that changes nothing where all is right already, so what is
 * left to do is the difference. A later phase's text stands on the earlier one's, as it will when its turn comes.
 */
export function nodePhases(context: PlanContext): NodePhases {
  const planes = rollOrder(context.observation, context.ip, context.floatingIP?.server ?? null);
  const list = [...planes, ...workers(context.observation)].flatMap((node) => readable(node) ?? []);
  const into: Lists = { names: [], vip: [], endpoint: [] };
  const refusals: Refusal[] = [];
  const warnings: string[] = [];
  const done = (node: NodeObservation): boolean => {
    const item = readable(node);
    return item !== undefined && withEntry(context, item) === item.config.text.reveal();
  };
  for (const item of list) {
    try {
      if (item.role === 'worker') {
        const text = item.config.text.reveal();
        step(context, item, 'endpoint', text, wantedEndpointText(context, text), into.endpoint);
      } else warnings.push(...controlPlane(context, item, done, into));
    } catch (error) {
      refusals.push({
        code: 'machine-config',
        what: `The machine config of ${item.node.name} cannot be edited`,
        why: error instanceof Error ? error.message : String(error),
        next: 'Correct the machine config (talosctl edit machineconfig), then plan again.',
      });
    }
  }
  return { ...into, refusals, warnings };
}

interface Lists {
  readonly names: Change[];
  readonly vip: Change[];
  readonly endpoint: Change[];
}

/** The steps of one control plane, in the order in which they are safe; warnings where that order cannot be had. */
function controlPlane(
  context: PlanContext,
  item: Readable,
  done: (node: NodeObservation) => boolean,
  into: Lists,
): string[] {
  // Without server or links there is a refusal of its own.
  if (publicLink(item.node) === undefined && item.node.server !== undefined && item.node.links.kind === 'known') {
    throw new Error(`no link of it carries its public address ${item.node.server.publicIPv4 ?? ''}`);
  }
  const now = item.config.text.reveal();
  const named = namesAndIssuer(context, item.version, now);
  const restarts = named !== now || wantedEndpointText(context, named) !== named;
  const turn = context.provisional
    ? ({ kind: 'none' } as const)
    : handOver(context.observation, item.node, context.ip, restarts, done);
  const away = turn.kind === 'before' || turn.kind === 'out';
  // The entry leaves in the phase of the first restart, and comes back in that of the last.
  const first = named === now ? into.endpoint : into.names;
  let text = turn.kind === 'before' ? step(context, item, 'vip-out', now, removeVip(now, context.ip), first) : now;
  text = step(context, item, 'names-and-issuer', text, namesAndIssuer(context, item.version, text), into.names);
  if (!away) text = step(context, item, 'vip', text, vip(context, item.node, item.version, text), into.vip);
  text = step(context, item, 'endpoint', text, wantedEndpointText(context, text), into.endpoint);
  if (away) step(context, item, 'vip', text, vip(context, item.node, item.version, text), into.endpoint);
  return turn.kind === 'not-safe'
    ? [
        `${item.node.name} holds the address and cannot hand it over first: ${turn.why}. The endpoint is away while its API server restarts, 10-40 s.`,
      ]
    : [];
}

/** The text of a control plane when all is done. */
function withEntry(context: PlanContext, { node, version, config }: Readable): string {
  const named = namesAndIssuer(context, version, config.text.reveal());
  return wantedEndpointText(context, vip(context, node, version, named));
}

/** A node whose config, version and address are known; the others are refused apart. */
export function readable(node: NodeObservation): Readable | undefined {
  const config = valueOf(node.config);
  const version = valueOf(node.talosVersion);
  if (config === undefined || version === undefined || node.address === undefined || node.role === 'unknown')
    return undefined;
  return { node, role: node.role, address: node.address, config, version };
}

function step(context: PlanContext, item: Readable, kind: Step, before: string, after: string, into: Change[]): string {
  if (before === after) return before;
  const words = WORDS[kind](context, item);
  into.push({
    id: `node/${item.node.name}/${kind}`,
    what: words.what,
    where: { system: 'talos', subject: item.node.name },
    why: words.why,
    before: words.before,
    after: words.after,
    diff: shown(context, configDiff(item.node.name, before, after)),
    precondition: words.precondition,
    effect: words.effect,
    undo: words.undo,
    disruption: words.disruption,
    action: {
      kind: 'node-config',
      step: kind,
      node: item.node.name,
      role: item.role,
      address: item.address,
      sha256Before: sha256(before),
      text: new Redacted(after),
      names: item.role === 'worker' ? [] : context.names,
      reissues: item.role === 'control-plane' && reissues(before, after),
      ...(kind === 'vip' || kind === 'vip-out' ? { vip: context.ip } : {}),
      others: otherVips(context.observation, item.node.name, context.ip),
    },
  });
  return after;
}

interface Words {
  readonly what: string;
  readonly why: string;
  readonly before: string;
  readonly after: string;
  readonly precondition: string;
  readonly effect: string;
  readonly undo: string;
  readonly disruption: Disruption;
}

const GATES =
  'all gates open: quorum, leader, every other control plane ready on its own address; the config unchanged since the plan';

const WORDS: Readonly<Record<Step, (context: PlanContext, item: Readable) => Words>> = {
  'names-and-issuer': (context, { node, config }) => {
    const missing = context.names.filter((name) => !config.certSANs.includes(name));
    const issuer =
      context.issuer.kind === 'known' && context.issuer.issuer !== context.wanted.url
        ? context.issuer.issuer
        : undefined;
    const pin = issuer !== undefined && config.pinnedIssuer === undefined;
    return {
      what: shown(
        context,
        `Certificate names on ${node.name}: ${missing.join(', ') || 'complete on the API server'}${pin ? `; pin the token issuer ${issuer}` : ''}`,
      ),
      why: 'The certificate must cover the endpoint before clients meet it, and the token issuer must not follow the endpoint, or every living token is refused.',
      before: `certSANs: ${config.certSANs.join(', ') || 'none'}; issuer ${config.pinnedIssuer === undefined ? 'follows the endpoint' : `pinned to ${config.pinnedIssuer}`}`,
      after: shown(
        context,
        `certSANs: ${[...new Set([...config.certSANs, ...context.names])].join(', ')}; issuer ${issuer === undefined ? 'unchanged' : `pinned to ${issuer}`}`,
      ),
      precondition: GATES,
      effect:
        'a new certificate with these names served on its own address, /readyz good three times, living tokens accepted',
      undo: 'Apply the text as it was; the issuer pin may stay until the last old token has ended.',
      disruption: 'one-apiserver-restarts',
    };
  },
  vip: (context, { node }) => ({
    what: shown(context, `VIP ${context.ip} on ${node.name}, with the token of talosVip.token`),
    why: 'Talos moves the address to a living control plane by itself; each of them must be able to take it.',
    before: 'no VIP entry, or one with another link or token',
    after: shown(
      context,
      `VIP ${context.ip} on the link that carries ${node.server?.publicIPv4 ?? 'the public address'}`,
    ),
    precondition: GATES,
    effect:
      'exactly one control plane has the address on a link, the cloud routes it there, a probe through it succeeds',
    undo: 'Apply the text as it was: the address moves to the next control plane, the last one leaves it unclaimed.',
    disruption: 'none',
  }),
  'vip-out': (context, { node }) => ({
    what: shown(
      context,
      `Hand ${context.ip} over: take the VIP entry out of ${node.name} until its API server has restarted`,
    ),
    why: 'Talos keeps the address on a node whose API server restarts, and clients would be refused for as long. Handed over first, they lose a second.',
    before: shown(context, `VIP ${context.ip}; ${node.name} holds the address`),
    after: 'no VIP entry, until the restart is over',
    precondition: GATES,
    effect: 'another control plane has the address, the cloud routes it there, a probe through it succeeds',
    undo: 'The entry goes back in as the last step of this node.',
    disruption: 'address-moves',
  }),
  endpoint: (context, { node, role, config }) => ({
    what: shown(context, `Endpoint on ${node.name}: ${context.wanted.url}`),
    why: 'What the node tells its own parts and new kubeconfigs must be the address that outlives every node.',
    before: config.endpoint ?? 'none',
    after: shown(context, context.wanted.url),
    precondition: `${role === 'worker' ? 'the endpoint right on every control plane' : GATES}; assignment, claim and probe of the address agree`,
    effect:
      role === 'worker'
        ? 'the node reports the new config and stays ready'
        : 'a new certificate with all names served on its own address, /readyz good three times, living tokens accepted',
    undo: `Apply the text as it was (endpoint ${config.endpoint ?? 'none'}).`,
    disruption: role === 'worker' ? 'none' : 'one-apiserver-restarts',
  }),
};
