import { OWNER_LABEL } from '../../model/address.ts';
import { controlPlanes, nodeOfServer } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';
import { isGone } from '../degraded.ts';
import type { Judge } from './judge.ts';

/** The address must be one, ours, and free or led to a control plane. */
export const address: Judge = ({ address: state, observation, ip, loaded }) => {
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
      const owner = floatingIP.labels[OWNER_LABEL];
      if (owner !== undefined && owner !== loaded.config.name) {
        return [
          {
            code: 'address-of-another-cluster',
            what: `The address ${ip} was reserved for the cluster ${owner}`,
            why: `floating IP ${floatingIP.id} has the label ${OWNER_LABEL}=${owner}`,
            next: `Use another address; if ${owner} is gone for good, take the label away in the Hetzner console and plan again.`,
          },
        ];
      }
      const holder =
        nodeOfServer(observation, floatingIP.server) ??
        observation.skipped?.find((node) => node.server?.id === floatingIP.server);
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
export const zones: Judge = ({ observation, address: state }) => {
  const zone =
    state.kind === 'found'
      ? state.floatingIP.networkZone
      : state.kind === 'to-create'
        ? valueOf(observation.cloud.locations)?.find((l) => l.name === state.location)?.networkZone
        : undefined;
  return controlPlanes(observation).flatMap((node): Refusal[] => {
    const { server } = node;
    // One that is gone for good is told apart, with what takes it out.
    if (isGone(node, observation)) return [];
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
