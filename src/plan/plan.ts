import type { LoadedConfig } from '../config/loaded.ts';
import { configuredEndpoints } from '../model/cluster.ts';
import { valueOf } from '../model/fact.ts';
import type { Observation } from '../model/observation.ts';
import type { Change, Phase, Plan } from '../model/plan.ts';
import { planContext, type PlanContext, shown } from './context.ts';
import { degradedEffect, isGone, removalOf } from './degraded.ts';
import { addressChanges, assignmentChanges } from './phases/address.ts';
import { consumerChanges } from './phases/consumers.ts';
import { nodePhases } from './phases/nodes.ts';
import { repositoryPhase } from './phases/repository.ts';
import { nameWarnings, vipWarnings } from './warnings.ts';
import { modeRefusal, refusalsOf } from './refusals/refusals.ts';

/**
 * What separates the world from the configuration, as ordered changes in gated phases. Pure, and level-triggered: what is right
 * already gives no change, so the plan of a finished cluster is empty, and the plan of a half-finished one is the other half.
 */
export function makePlan(observation: Observation, loaded: LoadedConfig): Plan {
  const context = planContext(observation, loaded);
  if (loaded.config.mode !== 'talos-vip') {
    return assemble(context, [], [modeRefusal(loaded.config.mode)], []);
  }
  const nodes = nodePhases(context);
  const repository = repositoryPhase(context);
  const phases: Phase[] = [
    phase(
      0,
      'Gates',
      [],
      [
        'three or more voters, one leader, no learner, no alarm, equal member lists, little lag',
        'every control plane running, ready on its own address, with a valid certificate and no pending config',
        'the SHA-256 of every machine config written down',
      ],
    ),
    phase(1, 'Reserve and protect the address', addressChanges(context), ['the address listed and protected']),
    phase(2, 'Certificate names and the token issuer, one control plane at a time', nodes.names, [
      'on each control plane: the certificate served, /readyz, living tokens',
    ]),
    phase(3, "Talos' VIP on the control planes", nodes.vip, [
      'exactly one claim, and the cloud routes the address there',
    ]),
    phase(4, 'Prove the address', assignmentChanges(context), [
      'assignment = claim = TLS and /readyz through the endpoint',
    ]),
    phase(5, 'The endpoint on control planes, then workers', nodes.endpoint, [
      'on each control plane: the certificate served, /readyz, living tokens',
    ]),
    phase(6, 'Kubeconfig and talosconfig', consumerChanges(context), [
      'each kubeconfig reaches /readyz through the endpoint',
    ]),
    phase(7, 'CI secrets', [], ['not built yet: consumers.secrets is empty']),
    phase(8, 'Repository files', repository.changes, ['a new node would get the same endpoint, names, issuer and VIP']),
    phase(9, 'Verify', [], ['a last look at everything; the evidence is written']),
  ];
  const changesNodes = [nodes.names, nodes.vip, nodes.endpoint].some((list) => list.length > 0);
  const refusals = [...refusalsOf(context, changesNodes), ...nodes.refusals, ...repository.refusals];
  const warnings = [
    ...warningsOf(context, changesNodes),
    ...nodes.warnings,
    ...vipWarnings(context, nodes.vip),
    ...nameWarnings(context),
  ];
  return assemble(context, phases, refusals, warnings);
}

const phase = (
  number: Phase['number'],
  title: string,
  changes: readonly Change[],
  checks: readonly string[],
): Phase => ({
  number,
  title,
  changes,
  checks,
});

function assemble(
  context: PlanContext,
  phases: readonly Phase[],
  refusals: Plan['refusals'],
  warnings: readonly string[],
): Plan {
  const { loaded, floatingIP, wanted, observation } = context;
  const named = loaded.config.endpoint.host !== undefined;
  return {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Plan',
    cluster: loaded.config.name,
    mode: loaded.config.mode,
    endpoint: {
      wanted: floatingIP === undefined && !named ? undefined : wanted.url,
      current: configuredEndpoints(observation),
    },
    address: floatingIP === undefined ? undefined : { id: floatingIP.id, ip: floatingIP.ip },
    issuer: issuerOf(context),
    phases,
    refusals,
    warnings,
  };
}

function issuerOf(context: PlanContext): Plan['issuer'] {
  const { issuer, wanted, observation } = context;
  if (issuer.kind !== 'known') return { inForce: undefined, note: 'what signs service-account tokens is not known' };
  if (issuer.issuer === wanted.url)
    return { inForce: issuer.issuer, note: 'tokens carry the endpoint itself as issuer' };
  const versions = observation.nodes.flatMap((node) =>
    node.role === 'control-plane' ? (valueOf(node.talosVersion) ?? []) : [],
  );
  const old = versions.some((version) => /^v?1\.([0-9]|1[0-2])\./.test(version));
  return {
    inForce: issuer.issuer,
    note: shown(
      context,
      old
        ? `${issuer.issuer} stays the issuer. Talos up to 1.12 takes one issuer only, so a change to ${wanted.url} needs Talos 1.13 on every control plane, or a planned break of all tokens.`
        : `${issuer.issuer} stays the issuer. To change it later: first [${issuer.issuer}, ${wanted.url}] on every control plane, then [${wanted.url}, ${issuer.issuer}], and ${wanted.url} alone when the last old token has ended.`,
    ),
  };
}

const WEEK_MS = 7 * 24 * 3_600_000;

function warningsOf({ observation, loaded, address, ip, provisional }: PlanContext, changesNodes: boolean): string[] {
  const warnings: string[] = observation.kubeOrigin === undefined ? [] : [observation.kubeOrigin];
  const ends = observation.talosCertificateEnds;
  if (ends !== undefined && Date.parse(ends) - Date.parse(observation.at) < WEEK_MS) {
    warnings.push(
      `The certificate of the talosconfig ends at ${ends}: after that there is no undo with it (talosctl config new --roles os:admin FILE makes a new one).`,
    );
  }
  const { skipped = [] } = observation;
  if (skipped.length > 0) {
    const gone = skipped.filter((node) => isGone(node, observation));
    warnings.push(
      `Degraded: ${degradedEffect(observation, skipped)}.`,
      ...gone.map(
        (node) => `${node.name} is gone for good: ${removalOf(node, observation)} (fairlead removes no member).`,
      ),
    );
  }
  const { nodeToken } = observation.cloud;
  if (nodeToken !== undefined && changesNodes) {
    warnings.push(
      'talosVip.token is written onto every control plane: whoever reads one machine config can change everything in the project. A project of its own for these servers limits the harm.',
    );
  }
  if (nodeToken?.same === true) {
    warnings.push(
      'hetzner.token and talosVip.token are the same: the token on the nodes cannot be withdrawn by itself.',
    );
  }
  const direct = observation.nodes.filter((node) => valueOf(node.config)?.kubePrism === false);
  if (direct.length > 0 && changesNodes) {
    warnings.push(
      `KubePrism is off on ${direct.map((node) => node.name).join(', ')}: kubelets of workers restart with the new endpoint, and kube-proxy keeps the old one until its manifest is renewed (talosctl upgrade-k8s).`,
    );
  }
  if (address.kind === 'found') {
    const home = address.floatingIP.homeLocation;
    const away = observation.nodes.filter(
      (n) => n.role === 'control-plane' && n.server !== undefined && n.server.location !== home,
    );
    if (away.length > 0) {
      warnings.push(
        `${ip} is at home in ${home}; ${away.map((n) => n.name).join(', ')} elsewhere (it works, by a longer route).`,
      );
    }
  }
  if (loaded.consumers.repository === undefined && !provisional) {
    warnings.push(
      'consumers.repository is not set: a control plane that is made anew would not get the endpoint, its names and the VIP.',
    );
  }
  return warnings;
}
