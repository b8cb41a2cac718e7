import { claimants, controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { NodeObservation, Observation } from '../../model/observation.ts';
import type { Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';
import { degraded, degradedEffect, isDead, isGone, removalOf } from '../degraded.ts';
import { gateChecks, mayPass } from '../gates.ts';
import { address, zones } from './address.ts';
import { endpointPort } from './endpoint-port.ts';
import type { Judge } from './judge.ts';
import { otherOwners } from './other-owners.ts';
import {
  clocks,
  currentEndpoints,
  names,
  membersLeftBehind,
  talosCertificate,
  versions,
  workerVips,
} from './standing.ts';
import { tokens } from './tokens.ts';

/** Everything that is validated before the first write. A collision or an unknown is a refusal, never a guess. */
export function refusalsOf(context: PlanContext, changesNodes: boolean): Refusal[] {
  const judges: readonly Judge[] = [
    tokens,
    address,
    zones,
    cluster,
    knownNodes,
    endpointPort,
    issuer,
    owners,
    otherOwners,
    consumers,
    clocks,
    versions,
    workerVips,
    currentEndpoints,
    names,
    talosCertificate,
    membersLeftBehind,
  ];
  const found = judges.flatMap((judge) => judge(context));
  // A gate that cannot be judged because a node is silent would only say the same again.
  return found.length > 0 || !changesNodes ? found : gateRefusals(context);
}

export const modeRefusal = (mode: string): Refusal => ({
  code: 'mode-not-built',
  what: `The mode ${mode} cannot be planned`,
  why: 'this fairlead moves clusters to mode talos-vip only; the other modes are not built yet',
  next: 'Set mode: talos-vip, or wait for a version that knows this mode.',
});

const cluster: Judge = ({ observation, loaded }) =>
  observation.nodes.flatMap((node): Refusal[] => {
    const name = valueOf(node.config)?.clusterName;
    if (name === undefined || name === loaded.config.name) return [];
    return [
      {
        code: 'other-cluster',
        what: `${node.name} belongs to another cluster`,
        why: `its machine config says clusterName ${name}, fairlead.yaml says ${loaded.config.name}`,
        next: 'Check name: and talos.config in fairlead.yaml.',
      },
    ];
  });

/** Every node must be known and tell its config. */
export const knownNodes: Judge = ({ observation }) => {
  if (observation.membership.kind === 'unknown') {
    return [
      {
        code: 'members-unknown',
        what: 'The nodes of the cluster are not known',
        why: observation.membership.why,
        next: 'Make at least one control plane reachable at its own address, and list it in the talosconfig.',
      },
    ];
  }
  return observation.nodes.flatMap((node): Refusal[] => {
    const refuse = (what: string, why: string): Refusal => ({
      code: 'node-unknown',
      what: `${node.name}: ${what}`,
      why,
      next: `Make ${node.name} reachable (power, firewall, certificate), or take it out of the cluster, then plan again.`,
    });
    if (node.talosVersion.kind === 'unknown') return [silentNode(node, observation, node.talosVersion.why)];
    if (node.role === 'unknown') return [refuse('nobody can say whether it is a control plane', 'its role is unknown')];
    if (node.config.kind === 'unknown') return [refuse('its machine config could not be read', node.config.why)];
    if (node.persistentSha256.kind === 'unknown') {
      return [refuse('what it would boot with could not be read', node.persistentSha256.why)];
    }
    if (node.persistentSha256.value !== node.config.value.sha256) {
      return [refuse('a staged or tried config is pending', 'its active and its persistent machine config differ')];
    }
    if (node.role === 'control-plane' && node.links.kind === 'unknown') {
      return [refuse('the addresses on its links could not be read', node.links.why)];
    }
    return [];
  });
};

/** A node that says nothing: dead or gone for good. What would help is named, and never done. */
function silentNode(node: NodeObservation, observation: Observation, why: string): Refusal {
  const state = degraded(observation);
  const allowed =
    state.kind === 'possible' && isDead(node)
      ? ` Or go on without it, fairlead apply --allow-degraded: ${degradedEffect(observation, state.dead)}.`
      : state.kind === 'impossible' && isDead(node)
        ? ` (--allow-degraded would not help: ${state.why}.)`
        : '';
  if (isGone(node, observation)) {
    return {
      code: 'node-gone',
      what: `${node.name} is listed and does not exist any more`,
      why: `no server of the project has its name or an address of it, and its Talos API does not answer (${why})`,
      next: `If it is gone for good, take it out: ${removalOf(node, observation)}; fairlead removes no member. Then plan again.${allowed}`,
    };
  }
  const power =
    node.server === undefined || node.server.status === 'running' ? '' : `; Hetzner says it is ${node.server.status}`;
  return {
    code: 'node-unknown',
    what: `${node.name}: its Talos API does not answer`,
    why: `${why}${power}`,
    next: `Make ${node.name} reachable (power, firewall, certificate), or take it out of the cluster, then plan again.${allowed}`,
  };
}

const issuer: Judge = ({ issuer: state, observation }) => {
  // A config that could not be read is refused apart.
  const without = controlPlanes(observation).filter((node) => valueOf(node.config)?.issuers.length === 0);
  if (without.length > 0) {
    return [
      {
        code: 'issuer-unknown',
        what: 'What signs service-account tokens is not known',
        why: `the machine config of ${without.map((node) => node.name).join(', ')} names no issuer (no endpoint, or service-account-issuer is empty), so it cannot be kept`,
        next: 'Write service-account-issuer down as living tokens carry it (their iss), on every control plane, then plan again.',
      },
    ];
  }
  return state.kind !== 'differs'
    ? []
    : [
        {
          code: 'issuer-differs-between-nodes',
          what: 'The control planes sign tokens with different issuers',
          why: state.byNode.map(({ node, issuer: value }) => `${node}: ${value}`).join(', '),
          next: 'Pin the issuer that living tokens carry (service-account-issuer, api-audiences) on every control plane, then plan again.',
        },
      ];
};

/** Exactly one owner of the address, and exactly one address that moves with Talos. */
const owners: Judge = ({ observation, ip, provisional }) => {
  const other = controlPlanes(observation).flatMap((node) =>
    (valueOf(node.config)?.vips ?? [])
      .filter((vip) => provisional || vip.ip !== ip)
      .map((vip) => `${node.name}: ${vip.ip}`),
  );
  const refusals: Refusal[] =
    other.length === 0
      ? []
      : [
          {
            code: 'other-vip',
            what: 'The control planes already have a VIP of another address',
            why: other.join(', '),
            next: 'Adopt that address (address: {adopt: {ip: …}}), or take the entry out of the machine configs first.',
          },
        ];
  const { nodes } = claimants(observation, ip);
  const strangers = nodes.filter(
    (node) => node.role !== 'control-plane' || valueOf(node.config)?.vips.some((vip) => vip.ip === ip) !== true,
  );
  if (strangers.length > 0 && !provisional) {
    refusals.push({
      code: 'address-has-another-owner',
      what: `Something other than Talos' VIP has put ${ip} on a link`,
      why: strangers.map((node) => node.name).join(', '),
      next: 'Find it (static address, keepalived, a floating-IP controller) and take it away: exactly one owner may move the address.',
    });
  }
  if (nodes.length > 1) {
    refusals.push({
      code: 'address-claimed-twice',
      what: `${ip} is on a link of more than one node`,
      why: nodes.map((node) => node.name).join(', '),
      next: 'Run `fairlead verify`; wait if an address is just moving, otherwise look for one host name given twice.',
    });
  }
  return refusals;
};

const consumers: Judge = ({ observation }) => {
  const { kubeconfigs, talosconfigs, repository } = observation.consumers;
  const files = [...kubeconfigs, ...talosconfigs].flatMap(({ file, content }) =>
    content.kind === 'unknown' ? [{ what: `${file} cannot be used`, why: content.why }] : [],
  );
  const facts = repository === undefined ? [] : [repository.patches, repository.variables];
  const folders = facts.flatMap((fact) =>
    fact.kind === 'unknown' ? [{ what: `${repository?.path ?? ''} cannot be used`, why: fact.why }] : [],
  );
  return [...files, ...folders].map((parts) => ({
    code: 'consumer-unreadable',
    ...parts,
    next: 'Correct it, or take it out of consumers: in fairlead.yaml.',
  }));
};

/** Gates that are closed, as reasons to begin nothing. */
export const gateRefusals: Judge = ({ observation }) =>
  gateChecks(observation, undefined)
    .filter((check) => check.verdict !== 'open')
    .map((check) => ({
      code: mayPass(check) ? 'gate-closed-for-now' : 'gate-closed',
      what: `Gate "${check.name}" is ${check.verdict === 'unknown' ? 'closed, because it cannot be judged' : 'closed'}`,
      why: check.evidence,
      next: 'Run `fairlead verify` for the cause; nothing is changed while a gate is closed.',
    }));
