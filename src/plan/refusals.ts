import { claimants, controlPlanes, nodeOfServer } from '../model/cluster.ts';
import { valueOf } from '../model/fact.ts';
import type { Refusal } from '../model/plan.ts';
import type { PlanContext } from './context.ts';
import { endpointPort } from './endpoint-port.ts';
import { gateChecks, mayPass } from './gates.ts';

type Judge = (context: PlanContext) => Refusal[];

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
    consumers,
  ];
  const found = judges.flatMap((judge) => judge(context));
  // A gate that cannot be judged because a node is silent would only say the same again.
  return found.length > 0 || !changesNodes ? found : gates(context);
}

export const modeRefusal = (mode: string): Refusal => ({
  code: 'mode-not-built',
  what: `The mode ${mode} cannot be planned`,
  why: 'this fairlead moves clusters to mode talos-vip only; the other modes are not built yet',
  next: 'Set mode: talos-vip, or wait for a version that knows this mode.',
});

const tokens: Judge = ({ observation, loaded, floatingIP }) => {
  const { token, nodeToken } = observation.cloud;
  const judge = (key: string, fact: typeof token): Refusal[] => {
    const next = 'Make a read/write token in the project of the cluster (Hetzner console, Security, API tokens).';
    if (fact.kind === 'unknown') {
      return [
        {
          code: 'token-unknown',
          what: `What ${key} may do is not known`,
          why: fact.why,
          next: 'Make the Hetzner Cloud API reachable, then try again.',
        },
      ];
    }
    if (fact.value === 'read-write') return [];
    const why = fact.value === 'read-only' ? 'it may only read' : 'the cloud does not accept it';
    return [{ code: `token-${fact.value}`, what: `${key} cannot be used`, why, next }];
  };
  if (nodeToken === undefined) {
    return [
      ...judge('hetzner.token', token),
      {
        code: 'node-token-missing',
        what: 'There is no token for the nodes',
        why: `mode ${loaded.config.mode} writes a token onto every control plane, and talosVip.token is not set`,
        next: 'Make a second read/write token and name it under talosVip.token in fairlead.yaml.',
      },
    ];
  }
  return [
    ...judge('hetzner.token', token),
    ...(nodeToken.same ? [] : judge('talosVip.token', nodeToken.class)),
    ...sameProject(nodeToken.floatingIPs, floatingIP),
  ];
};

/** Talos looks for the address with the token on the node, and a token of another project never finds it. */
function sameProject(
  seen: NonNullable<PlanContext['observation']['cloud']['nodeToken']>['floatingIPs'],
  floatingIP: PlanContext['floatingIP'],
): Refusal[] {
  if (floatingIP === undefined) return [];
  const next = 'Make the token in the project that holds the address and the servers.';
  if (seen.kind === 'unknown') {
    return [{ code: 'token-unknown', what: 'What talosVip.token sees is not known', why: seen.why, next }];
  }
  if (seen.value.some((f) => f.id === floatingIP.id)) return [];
  return [
    {
      code: 'node-token-other-project',
      what: `talosVip.token does not see the address ${floatingIP.ip}`,
      why: 'it belongs to another project, so Talos would never find the address',
      next,
    },
  ];
}

const address: Judge = ({ address: state, observation, ip }) => {
  const next = 'Correct address: in fairlead.yaml, or choose the token of the right project.';
  switch (state.kind) {
    case 'to-create':
      return locationRefusal(state.location, observation.cloud.locations);
    case 'missing':
      return [
        {
          code: 'address-missing',
          what: `There is no floating IP with ${state.what}`,
          why:
            state.seen.length === 0
              ? 'the project of hetzner.token has no floating IP'
              : `the project has ${state.seen.join(', ')}`,
          next,
        },
      ];
    case 'ambiguous':
      return [
        {
          code: 'address-ambiguous',
          what: `More than one floating IP has ${state.what}`,
          why: state.candidates.map((f) => `id ${f.id} is ${f.ip}`).join(', '),
          next: 'Name the one that is meant by its id: address: {adopt: {id: N}}.',
        },
      ];
    case 'foreign':
      return [
        {
          code: 'address-foreign',
          what: `The floating IP with ${state.what} is not fairlead's`,
          why: `id ${state.floatingIP.id} (${state.floatingIP.ip}) carries no label of this cluster`,
          next: 'If it is meant, adopt it: address: {adopt: {id: N}}; otherwise choose another name.',
        },
      ];
    case 'unknown':
      return [{ code: 'address-unknown', what: 'The address could not be looked up', why: state.why, next }];
    case 'found': {
      const { floatingIP } = state;
      if (floatingIP.type !== 'ipv4') {
        return [
          {
            code: 'address-not-ipv4',
            what: `${ip} is no IPv4 address`,
            why: "Talos' VIP finds only IPv4 floating IPs",
            next,
          },
        ];
      }
      const holder = nodeOfServer(observation, floatingIP.server);
      if (floatingIP.server === null || holder?.role === 'control-plane') return [];
      return [
        {
          code: 'address-in-use',
          what: `The address ${ip} is in use elsewhere`,
          why: `the cloud routes it to ${holder === undefined ? `server ${floatingIP.server}, which is no node of this cluster` : `the ${holder.role} ${holder.name}`}`,
          next: 'Find out who uses it there; when nobody does, unassign it in the Hetzner console and plan again.',
        },
      ];
    }
  }
};

function locationRefusal(location: string, fact: PlanContext['observation']['cloud']['locations']): Refusal[] {
  if (fact.kind === 'unknown') {
    return [
      {
        code: 'locations-unknown',
        what: 'The locations could not be read',
        why: fact.why,
        next: 'Try again when the cloud answers.',
      },
    ];
  }
  if (fact.value.some((l) => l.name === location)) return [];
  return [
    {
      code: 'location-unknown',
      what: `There is no location ${location}`,
      why: `the cloud knows ${fact.value.map((l) => l.name).join(', ')}`,
      next: 'Correct address.create.location in fairlead.yaml.',
    },
  ];
}

/** A floating IP reaches only servers of its own network zone, and only those with a public IPv4 of their own. */
const zones: Judge = ({ observation, address: state }) => {
  const zone =
    state.kind === 'found'
      ? state.floatingIP.networkZone
      : state.kind === 'to-create'
        ? valueOf(observation.cloud.locations)?.find((l) => l.name === state.location)?.networkZone
        : undefined;
  return controlPlanes(observation).flatMap((node): Refusal[] => {
    const { server } = node;
    if (server === undefined) {
      return [
        {
          code: 'server-unknown',
          what: `${node.name} has no server in the project`,
          why: 'no server of the project has an address of that node, so the address cannot be led to it',
          next: 'Check that hetzner.token belongs to the project of the cluster; a node that is gone for good must leave etcd first.',
        },
      ];
    }
    if (server.publicIPv4 === undefined) {
      return [
        {
          code: 'server-without-public-ipv4',
          what: `${node.name} cannot hold a floating IP`,
          why: 'its server has no public IPv4 address of its own',
          next: 'Give it a Primary IPv4, or use another mode.',
        },
      ];
    }
    if (zone === undefined || server.networkZone === zone) return [];
    return [
      {
        code: 'other-network-zone',
        what: `The address cannot be led to ${node.name}`,
        why: `the address is in network zone ${zone}, the server in ${server.networkZone}`,
        next: 'Use an address of the zone in which the control planes are.',
      },
    ];
  });
};

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

const knownNodes: Judge = ({ observation }) => {
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
    if (node.talosVersion.kind === 'unknown') return [refuse('its Talos API does not answer', node.talosVersion.why)];
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

const issuer: Judge = ({ issuer: state }) =>
  state.kind !== 'differs'
    ? []
    : [
        {
          code: 'issuer-differs-between-nodes',
          what: 'The control planes sign tokens with different issuers',
          why: state.byNode.map(({ node, issuer: value }) => `${node}: ${value}`).join(', '),
          next: 'Pin the issuer that living tokens carry (service-account-issuer, api-audiences) on every control plane, then plan again.',
        },
      ];

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

const gates: Judge = ({ observation }) =>
  gateChecks(observation, undefined)
    .filter((check) => check.verdict !== 'open')
    .map((check) => ({
      code: mayPass(check) ? 'gate-closed-for-now' : 'gate-closed',
      what: `Gate "${check.name}" is ${check.verdict === 'unknown' ? 'closed, because it cannot be judged' : 'closed'}`,
      why: check.evidence,
      next: 'Run `fairlead verify` for the cause; nothing is changed while a gate is closed.',
    }));
