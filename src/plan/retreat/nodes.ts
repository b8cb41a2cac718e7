import { sha256 } from '../../base/digest.ts';
import { Redacted } from '../../base/redacted.ts';
import { addCertSANs } from '../../machine-config/edit/cert-sans.ts';
import { pinIssuer } from '../../machine-config/edit/issuer.ts';
import { setEndpoint } from '../../machine-config/edit/endpoint.ts';
import { removeVip } from '../../machine-config/edit/vip.ts';
import { sameButNamesAndIssuer } from '../../machine-config/compare.ts';
import { parseMachineConfig } from '../../machine-config/read.ts';
import { otherVips, workers } from '../../model/cluster.ts';
import { parseEndpoint } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import type { Change, Disruption, NodeStep, Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';
import { configDiff, reissues } from '../edits.ts';
import { type Readable, readable } from '../phases/nodes.ts';
import { rollOrder } from '../roll-order.ts';
import type { Retreat } from './retreat.ts';

export interface NodesBack {
  readonly endpoint: readonly Change[];
  readonly vip: readonly Change[];
  readonly original: readonly Change[];
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
}

/** The way back for machine configs: the same text edits in reverse, and at the end the very bytes of before where they are known. */
export function nodesBack(context: PlanContext, retreat: Retreat): NodesBack {
  const planes = rollOrder(context.observation, context.ip, context.floatingIP?.server ?? null);
  const nodes = [...planes, ...workers(context.observation)].flatMap((node) => readable(node) ?? []);
  const lists = { endpoint: [] as Change[], vip: [] as Change[], original: [] as Change[] };
  const refusals: Refusal[] = [];
  const left: string[] = [];
  for (const node of nodes) {
    try {
      const original = retreat.originals.get(node.node.name)?.reveal();
      let text = node.config.text.reveal();
      text = step(
        context,
        node,
        'endpoint-back',
        text,
        endpointBack(context, retreat, node, text, original),
        lists.endpoint,
      );
      for (const ip of ownVips(context, node, original))
        text = step(context, node, 'vip-out', text, removeVip(text, ip), lists.vip, ip);
      if (original === undefined || original === text) continue;
      if (sameButNamesAndIssuer(original, text)) step(context, node, 'original', text, original, lists.original);
      else left.push(node.node.name);
    } catch (error) {
      refusals.push({
        code: 'machine-config',
        what: `The machine config of ${node.node.name} cannot be edited`,
        why: error instanceof Error ? error.message : String(error),
        next: 'Correct the machine config (talosctl edit machineconfig), then try again.',
      });
    }
  }
  const without = planes.filter((node) => !retreat.originals.has(node.name)).map((node) => node.name);
  return {
    ...lists,
    refusals,
    warnings: [
      ...(left.length === 0
        ? []
        : [
            `Somebody has changed the machine config of ${left.join(', ')} since: endpoint and VIP go back, certificate names and issuer pin stay.`,
          ]),
      ...(without.length === 0
        ? []
        : [
            `No original of ${without.join(', ')} is kept: certificate names and issuer pin stay there. They do no harm, and living tokens need the pin.`,
          ]),
    ],
  };
}

/**
 * The endpoint of before. An issuer that follows the endpoint is written down in the same apply, or every living token would be refused
 * with it; so are the hosts of both endpoints.
 */
function endpointBack(
  context: PlanContext,
  retreat: Retreat,
  node: Readable,
  text: string,
  original: string | undefined,
): string {
  const target =
    original === undefined ? retreat.endpoint : (parseMachineConfig(original).endpoint?.value ?? retreat.endpoint);
  const { endpoint, pinnedIssuer, issuers } = node.config;
  if (endpoint === target) return text;
  const back = setEndpoint(text, target);
  const [issuer] = issuers;
  if (node.role === 'worker' || pinnedIssuer !== undefined || issuer === undefined || issuer === target) return back;
  const hosts = [endpoint, target].flatMap((url) => (url === undefined ? [] : (parseEndpoint(url)?.host ?? [])));
  return pinIssuer(addCertSANs(back, hosts), { issuer, audiences: [target] }, node.version);
}

/** The VIPs that go: of the address, and of none that was there before. */
function ownVips(context: PlanContext, node: Readable, original: string | undefined): string[] {
  const before = original === undefined ? [] : parseMachineConfig(original).vips.map((vip) => vip.ip);
  return node.config.vips.filter((vip) => vip.ip === context.ip && !before.includes(vip.ip)).map((vip) => vip.ip);
}

function step(
  context: PlanContext,
  item: Readable,
  kind: Extract<NodeStep, 'endpoint-back' | 'vip-out' | 'original'>,
  before: string,
  after: string,
  into: Change[],
  vip?: string,
): string {
  if (before === after) return before;
  const words = WORDS[kind](context, item, after);
  into.push({
    id: `node/${item.node.name}/${kind}`,
    where: { system: 'talos', subject: item.node.name },
    ...words,
    diff: configDiff(item.node.name, before, after),
    precondition: 'all gates open; the config unchanged since the plan',
    undo: 'Run fairlead apply: it leads the cluster to the endpoint again.',
    action: {
      kind: 'node-config',
      step: kind,
      node: item.node.name,
      role: item.role,
      address: item.address,
      sha256Before: sha256(before),
      text: new Redacted(after),
      names: item.role === 'worker' ? [] : hostsOf(after),
      reissues: item.role === 'control-plane' && reissues(before, after),
      ...(vip === undefined ? {} : { vip }),
      others: vip === undefined ? 0 : otherVips(context.observation, item.node.name, vip),
    },
  });
  return after;
}

const hostsOf = (text: string): string[] => {
  const host = parseEndpoint(parseMachineConfig(text).endpoint?.value ?? '')?.host;
  return host === undefined ? [] : [host];
};

interface Words {
  readonly what: string;
  readonly why: string;
  readonly before: string;
  readonly after: string;
  readonly effect: string;
  readonly disruption: Disruption;
}

const SERVED = 'the certificate served on its own address, /readyz good three times, living tokens accepted';

const WORDS: Readonly<
  Record<'endpoint-back' | 'vip-out' | 'original', (context: PlanContext, item: Readable, after: string) => Words>
> = {
  'endpoint-back': (_context, { node, role, config }, after) => {
    const target = parseMachineConfig(after).endpoint?.value ?? 'none';
    return {
      what: `Endpoint on ${node.name} back to ${target}`,
      why: 'The endpoint goes back before the address is given up: nobody may be told of an address that is about to go.',
      before: config.endpoint ?? 'none',
      after: target,
      effect: role === 'worker' ? 'the node reports the config and stays ready' : SERVED,
      disruption: role === 'worker' ? 'none' : 'one-apiserver-restarts',
    };
  },
  'vip-out': ({ ip, observation }, { node }) => ({
    what: `VIP ${ip} out of ${node.name}`,
    why: 'The address is no longer the endpoint, so no control plane has to be able to take it.',
    before: `VIP ${ip}`,
    after: 'no VIP entry',
    effect:
      otherVips(observation, node.name, ip) > 0
        ? 'exactly one other control plane has the address, the cloud routes it there, a probe through it succeeds'
        : 'no control plane has the address on a link',
    disruption:
      valueOf(node.links)?.some((link) => link.address.startsWith(`${ip}/`)) === true ? 'address-moves' : 'none',
  }),
  original: (_context, { node, role }) => ({
    what: `Machine config of ${node.name} byte for byte as it was`,
    why: 'What is left of the change are certificate names and the issuer pin; the endpoint names the same issuer again.',
    before: 'names and pin of fairlead',
    after: 'the original, from the journal',
    effect: role === 'worker' ? 'the node reports the config and stays ready' : SERVED,
    disruption: role === 'worker' ? 'none' : 'one-apiserver-restarts',
  }),
};
