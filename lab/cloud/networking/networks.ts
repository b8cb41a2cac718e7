import { z } from 'zod';
import * as body from '../bodies.ts';
import { collection } from '../collection.ts';
import { ApiError, invalidInput, isProtected, notFound } from '../errors.ts';
import { type Call, type CloudContext, created, noContent, ok, type Routes } from '../routes.ts';
import { actionView, networkMembersView, networkView } from '../views.ts';
import { tellBalancer } from '../balancers/tell.ts';
import { holds, isPrivate, overlap, type Range, rangeOf, textOfNumber, within } from './addresses.ts';
import { gatewayOf } from './membership.ts';
import type { Network, Subnet } from './network-state.ts';

const SUBNET = z.object({
  type: z.enum(['cloud', 'server', 'vswitch']),
  ip_range: z.string().nullish(),
  network_zone: z.enum(['eu-central', 'us-east', 'us-west', 'ap-southeast']),
  vswitch_id: body.id.nullish(),
});
const ROUTE = z.object({ destination: z.string(), gateway: z.ipv4() });
const CREATE = z.object({
  name: z.string().min(1),
  ip_range: z.string(),
  labels: body.labels.nullish(),
  subnets: z.array(SUBNET).nullish(),
  routes: z.array(ROUTE).nullish(),
  expose_routes_to_vswitch: z.boolean().nullish(),
});

const range = (field: string, cidr: string): Range => {
  const parsed = rangeOf(cidr);
  if (parsed === undefined) throw invalidInput(field, 'must be an IPv4 network in CIDR notation');
  return parsed;
};

/** Private networks with their subnets and routes. The lab's fabric carries only the first one. */
export function networkRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const networks = collection<Network>(context, {
    one: 'network',
    items: project.networks,
    view: (network) => networkView(network, project),
  });

  const change = (call: Call, command: string, check: (network: Network) => () => void) => {
    const network = networks.find(call);
    const self = { id: network.id, type: 'network' } as const;
    actions.assertFree(self);
    const effect = check(network);
    const action = actions.start({ command, resources: [self], locks: [self], delay: knobs.delays.network, effect });
    return created({ action: actionView(action) });
  };

  const newSubnet = (network: Network, wanted: z.output<typeof SUBNET>): Subnet => {
    const whole = range('ip_range', network.ipRange);
    const others = network.subnets.map((subnet) => range('ip_range', subnet.ipRange));
    if (network.subnets.some((subnet) => subnet.networkZone !== wanted.network_zone))
      throw invalidInput('network_zone', 'all subnets of a network have to be in one network zone');
    const ipRange = wanted.ip_range ?? freeSubnet(whole, others);
    const own = range('ip_range', ipRange);
    if (!within(own, whole)) throw invalidInput('ip_range', 'must be inside the ip_range of the network');
    if (own.length > 30) throw invalidInput('ip_range', 'must be at least a /30');
    if (others.some((other) => overlap(own, other)))
      throw new ApiError(422, 'networks_overlap', 'the subnet overlaps with another one');
    if (wanted.type === 'vswitch' && wanted.vswitch_id == null) throw invalidInput('vswitch_id', 'is missing');
    return { type: wanted.type, ipRange, networkZone: wanted.network_zone, vswitch: wanted.vswitch_id ?? null };
  };
  const newRoute = (network: Network, wanted: z.output<typeof ROUTE>) => {
    range('destination', wanted.destination);
    if (network.routes.some((route) => route.destination === wanted.destination))
      throw invalidInput('destination', 'there is a route to it already');
    if (!holds(range('ip_range', network.ipRange), wanted.gateway) || wanted.gateway === gatewayOf(network))
      throw invalidInput('gateway', 'must be an address of the network, and not its first');
    return wanted;
  };

  const create = (call: Call) => {
    const wanted = body.readBody(CREATE, call.body);
    const whole = range('ip_range', wanted.ip_range);
    if (!isPrivate(whole)) throw invalidInput('ip_range', 'must be inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16');
    networks.unique(wanted.name);
    networks.room(knobs.quotas.networks);
    const network: Network = {
      id: project.nextId(),
      name: wanted.name,
      ipRange: wanted.ip_range,
      created: options.clock.wall(),
      subnets: [],
      routes: [],
      labels: wanted.labels ?? {},
      protection: { delete: false },
      exposeRoutesToVSwitch: wanted.expose_routes_to_vswitch ?? false,
    };
    for (const subnet of wanted.subnets ?? []) network.subnets = [...network.subnets, newSubnet(network, subnet)];
    for (const route of wanted.routes ?? []) network.routes = [...network.routes, newRoute(network, route)];
    project.networks.set(network.id, network);
    return created(networks.answer(network));
  };

  /** Members are detached, without an action of their own. */
  const remove = (call: Call) => {
    const network = networks.find(call);
    if (network.protection.delete) throw isProtected('Network');
    actions.assertFree({ id: network.id, type: 'network' });
    project.networks.delete(network.id);
    for (const server of project.servers.values()) server.networks.delete(network.id);
    for (const balancer of project.loadBalancers.values()) {
      if (balancer.attached?.network !== network.id) continue;
      balancer.attached = undefined;
      actions.later([0, 0], () => tellBalancer(context, balancer));
    }
    return noContent;
  };

  return {
    '/networks': { GET: networks.listing, POST: create },
    '/networks/:id': {
      GET: networks.show,
      PUT: (call) => {
        const network = networks.find(call);
        const { expose_routes_to_vswitch: expose } = body.readBody(
          z.object({ expose_routes_to_vswitch: z.boolean().nullish() }),
          call.body,
        );
        const reply = networks.update(call);
        if (expose == null) return reply;
        network.exposeRoutesToVSwitch = expose;
        return ok(networks.answer(network));
      },
      DELETE: remove,
    },
    '/networks/:id/members': {
      GET: (call) => ok(networkMembersView(networks.find(call), project, call.url, knobs)),
    },
    '/networks/:id/actions/add_subnet': {
      POST: (call) =>
        change(call, 'add_subnet', (network) => {
          const subnet = newSubnet(network, body.readBody(SUBNET, call.body));
          return () => (network.subnets = [...network.subnets, subnet]);
        }),
    },
    '/networks/:id/actions/delete_subnet': {
      POST: (call) =>
        change(call, 'delete_subnet', (network) => {
          const { ip_range } = body.readBody(z.object({ ip_range: z.string() }), call.body);
          if (network.subnets.every((subnet) => subnet.ipRange !== ip_range)) throw notFound('subnet', ip_range);
          const own = range('ip_range', ip_range);
          const { servers, load_balancers } = networkView(network, project);
          const inUse = [
            ...servers.map((id) => project.servers.get(id)?.networks.get(network.id)?.ip),
            ...load_balancers.map((id) => project.loadBalancers.get(id)?.attached?.ip),
          ].some((ip) => ip !== undefined && holds(own, ip));
          if (inUse) throw new ApiError(422, 'resource_in_use', `subnet ${ip_range} is still in use`);
          return () => (network.subnets = network.subnets.filter((subnet) => subnet.ipRange !== ip_range));
        }),
    },
    '/networks/:id/actions/add_route': {
      POST: (call) =>
        change(call, 'add_route', (network) => {
          const route = newRoute(network, body.readBody(ROUTE, call.body));
          return () => (network.routes = [...network.routes, route]);
        }),
    },
    '/networks/:id/actions/delete_route': {
      POST: (call) =>
        change(call, 'delete_route', (network) => {
          const wanted = body.readBody(ROUTE, call.body);
          const found = network.routes.find(
            (route) => route.destination === wanted.destination && route.gateway === wanted.gateway,
          );
          if (found === undefined) throw notFound('route', wanted.destination);
          return () => (network.routes = network.routes.filter((route) => route !== found));
        }),
    },
    '/networks/:id/actions/change_ip_range': {
      POST: (call) =>
        change(call, 'change_ip_range', (network) => {
          const { ip_range } = body.readBody(z.object({ ip_range: z.string() }), call.body);
          const wanted = range('ip_range', ip_range);
          if (!isPrivate(wanted) || !within(range('ip_range', network.ipRange), wanted))
            throw invalidInput('ip_range', 'must be private and contain the present range');
          return () => (network.ipRange = ip_range);
        }),
    },
    '/networks/:id/actions/change_protection': {
      POST: (call) =>
        change(call, 'change_protection', (network) => {
          const wanted = body.readBody(z.object({ delete: z.boolean().nullish() }), call.body);
          return () => (network.protection = { delete: wanted.delete ?? network.protection.delete });
        }),
    },
  };
}

/** The first free /24, or /28 in a small network. */
function freeSubnet(whole: Range, others: readonly Range[]): string {
  const length = whole.length <= 24 ? 24 : Math.max(28, whole.length);
  const size = 2 ** (32 - length);
  for (let first = whole.first; first + size - 1 <= whole.last; first += size) {
    const candidate = { first, last: first + size - 1, length };
    if (others.every((other) => !overlap(candidate, other))) return `${textOfNumber(first)}/${length}`;
  }
  throw new ApiError(422, 'no_subnet_available', 'no free subnet is left in the network');
}
