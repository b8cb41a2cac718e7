import type { LoadedConfig } from '../../config/loaded.ts';
import { findAddress } from '../../model/address.ts';
import { configuredEndpoints } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Observation } from '../../model/observation.ts';
import type { Change, Phase, Plan, Refusal } from '../../model/plan.ts';
import type { Redacted } from '../../base/redacted.ts';
import { planContext } from '../context.ts';
import type { GateCheck } from '../gates.ts';
import { nodeGates, type Planner } from '../planner.ts';
import { answers, probeText } from '../proof.ts';
import { gateRefusals, knownNodes } from '../refusals/refusals.ts';
import { fileChanges, kubeconfigChanges } from './files.ts';
import { nodesBack } from './nodes.ts';

/** What a cluster goes back to. */
export interface Retreat {
  readonly operation: 'undo' | 'remove';
  /** The endpoint that every node shall have; where an original of the node says another, that one. */
  readonly endpoint: string;
  /** Machine configs as they were, by node; where there is none, only what is known to be ours is taken out. */
  readonly originals: ReadonlyMap<string, Redacted>;
  readonly files: readonly RetreatFile[];
  /** Name of an address that shall be given back for good. */
  readonly release: string | undefined;
}

export interface RetreatFile {
  readonly file: string;
  /** undefined: it was not there. */
  readonly original: Redacted | undefined;
  /** Of what fairlead wrote: a file that somebody has changed since is left alone. */
  readonly sha256After: string;
}

/**
 * The way back, as a plan of its own: the endpoint first, so that no client is told of an address that is about to go; then who stores it;
 * then the VIP, the holder's last; then names and issuer. Level-triggered like the way there.
 */
export const retreatPlanner = (retreat: Retreat): Planner => ({
  plan: (observation, loaded) => retreatPlan(retreat, observation, loaded),
  checks: (change, _phase, observation) => [
    ...nodeGates(change, observation),
    ...targetChecks(retreat, change, observation),
  ],
  probes: [retreat.endpoint],
});

function retreatPlan(retreat: Retreat, observation: Observation, loaded: LoadedConfig): Plan {
  const context = planContext(observation, loaded);
  const nodes = nodesBack(context, retreat);
  const files = fileChanges(observation, retreat.files);
  const release = releaseChanges(retreat, observation, loaded);
  const phases: Phase[] = [
    phase(0, 'Gates', [], ['the same gates as on the way there', `${retreat.endpoint} answers`]),
    phase(5, 'The endpoint back, on control planes, then workers', nodes.endpoint),
    phase(6, 'Kubeconfig', kubeconfigChanges(observation, retreat.endpoint)),
    phase(8, 'Repository files', files.changes),
    phase(3, "Talos' VIP out of the control planes, the holder last", nodes.vip),
    phase(2, 'Machine configs as they were', nodes.original),
    phase(1, 'The address', release.changes),
  ];
  const changesNodes = [nodes.endpoint, nodes.vip, nodes.original].some((list) => list.length > 0);
  const refusals = [
    ...knownNodes(context),
    ...nodes.refusals,
    ...release.refusals,
    ...targetRefusals(retreat, observation, nodes.endpoint.length > 0),
  ];
  const address = findAddress(observation.cloud, loaded);
  const kept = address.kind === 'found' && retreat.release === undefined ? [keptAddress(address.floatingIP)] : [];
  return {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Plan',
    cluster: loaded.config.name,
    mode: retreat.operation,
    endpoint: { wanted: retreat.endpoint, current: configuredEndpoints(observation) },
    address: address.kind === 'found' ? { id: address.floatingIP.id, ip: address.floatingIP.ip } : undefined,
    issuer: {
      inForce: context.issuer.kind === 'known' ? context.issuer.issuer : undefined,
      note: 'The issuer of tokens stays what it is: living tokens stay valid on the way back too.',
    },
    phases,
    refusals: refusals.length > 0 || !changesNodes ? refusals : gateRefusals(context),
    warnings: [...nodes.warnings, ...files.warnings, ...kept],
  };
}

const phase = (
  number: Phase['number'],
  title: string,
  changes: readonly Change[],
  checks: readonly string[] = [],
): Phase => ({
  number,
  title,
  changes,
  checks,
});

const keptAddress = ({ ip, name }: { readonly ip: string; readonly name: string }): string =>
  `The address ${ip} is kept, protected (it costs money while it exists). To give it back for good: fairlead remove --release-address ${name}.`;

const probeOf = (observation: Observation, url: string) => {
  const endpoint = valueOf(observation.endpoint);
  return endpoint?.url === url ? endpoint : observation.currentEndpoints.find((probe) => probe.url === url);
};

function targetRefusals(retreat: Retreat, observation: Observation, needed: boolean): Refusal[] {
  if (!needed) return [];
  const probe = probeOf(observation, retreat.endpoint);
  if (probe !== undefined && answers(probe)) return [];
  return [
    {
      code: 'retreat-endpoint-dead',
      what: `${retreat.endpoint} does not answer: there is nothing to go back to`,
      why: probe === undefined ? 'it is no endpoint' : probeText(probe),
      next: 'Choose a host that lives, say a control plane of its own: fairlead remove --endpoint https://ADDRESS:6443.',
    },
  ];
}

/** Before the endpoint is written down anywhere, what it names must answer with a certificate that clients trust for it. */
function targetChecks(retreat: Retreat, { action }: Change, observation: Observation): GateCheck[] {
  const about = action.kind === 'kubeconfig' || (action.kind === 'node-config' && action.step === 'endpoint-back');
  if (!about) return [];
  const probe = probeOf(observation, retreat.endpoint);
  return [
    {
      name: `${retreat.endpoint} answers`,
      verdict: probe !== undefined && answers(probe) ? 'open' : 'closed',
      evidence: probe === undefined ? 'not probed' : probeText(probe),
    },
  ];
}

function releaseChanges(
  retreat: Retreat,
  observation: Observation,
  loaded: LoadedConfig,
): { readonly changes: readonly Change[]; readonly refusals: readonly Refusal[] } {
  const { release } = retreat;
  if (release === undefined) return { changes: [], refusals: [] };
  const address = findAddress(observation.cloud, loaded);
  // Given back already, or never there.
  if (address.kind !== 'found') return { changes: [], refusals: [] };
  const { id, ip, name } = address.floatingIP;
  if (name !== release) {
    const next = `Name it: --release-address ${name}; or leave it out and the address is kept.`;
    return {
      changes: [],
      refusals: [
        {
          code: 'release-other-address',
          what: `The address of this cluster is not called ${release}`,
          why: `it is ${name} (${ip})`,
          next,
        },
      ],
    };
  }
  return {
    refusals: [],
    changes: [
      {
        id: `address/release/${id}`,
        what: `Release the floating IP ${name} (${ip}) for good`,
        where: { system: 'hetzner', subject: ip },
        why: 'It was asked for by its name. A released address cannot be had back; whatever still stores it leads nowhere, or to a stranger.',
        before: `floating IP ${id}, delete protection on`,
        after: 'no such address',
        precondition: 'no machine config, kubeconfig or repository file of this cluster names it any more',
        effect: 'the cloud lists it no more',
        undo: 'None.',
        disruption: 'none',
        action: { kind: 'release-address', id, ip, name },
      },
    ],
  };
}
