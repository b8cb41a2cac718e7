import { z } from 'zod';
import * as body from '../bodies.ts';
import { byIdOrName, type Location, LOCATIONS } from '../catalogue.ts';
import { collection } from '../collection.ts';
import { ApiError, invalidInput, isProtected, notFound } from '../errors.ts';
import { dnsPtrChange } from '../reverse-dns.ts';
import { type Call, type CloudContext, created, noContent, ok, type Reply, type Routes } from '../routes.ts';
import { type Action, asCloudServer, primaryIPOf, type Project, type Resource, type Server } from '../state.ts';
import type { CloudOptions } from '../types.ts';
import { actionView, primaryIPView } from '../views.ts';
import type { PrimaryIP } from './primary-ip-state.ts';

const CREATE = z.object({
  name: z.string().min(1),
  type: z.enum(['ipv4', 'ipv6']),
  assignee_type: z.enum(['server', 'load_balancer']).nullish(),
  assignee_id: body.id.nullish(),
  auto_delete: z.boolean().nullish(),
  location: body.idOrName.nullish(),
  datacenter: body.idOrName.nullish(),
  labels: body.labels.nullish(),
});

/** A new Primary IP of the project; IPv6 ones are a /64 of the documentation range, which not every fabric carries. */
export function addPrimaryIP(
  project: Project,
  options: Pick<CloudOptions, 'effects' | 'clock'>,
  spec: Pick<PrimaryIP, 'type' | 'location' | 'assignee' | 'autoDelete'> & {
    readonly name?: string;
    readonly labels?: PrimaryIP['labels'];
  },
): PrimaryIP {
  const id = project.nextId();
  const { type, location, assignee, autoDelete, labels = {} } = spec;
  const added: PrimaryIP = {
    id,
    name: spec.name ?? `primary_ip-${id}`,
    type,
    ip: type === 'ipv4' ? options.effects.allocate('public') : `${project.nextPrefix()}::/64`,
    assignee,
    autoDelete,
    created: options.clock.wall(),
    dnsPtr: new Map(),
    labels,
    location,
    protection: { delete: false },
  };
  project.primaryIPs.set(id, added);
  return added;
}

/** An address that a new server or balancer brings along: it has to be free, of the family, and in the same place. */
export function freePrimaryIP(project: Project, id: number, type: PrimaryIP['type'], place: Location): PrimaryIP {
  const found = project.primaryIPs.get(id);
  if (found === undefined) throw notFound('primary IP', id);
  if (found.type !== type) throw new ApiError(422, 'primary_ip_version_mismatch', `primary IP ${id} is not ${type}`);
  if (found.assignee !== null) throw new ApiError(422, 'primary_ip_assigned', 'primary IP is already assigned');
  if (found.location.id !== place.id) throw invalidInput('public_net', 'primary IP is in another location');
  return found;
}

/** The addresses of a new server: those it brings along, else fresh ones that live as long as it does. */
export function givePublicAddresses(
  { project, options }: Pick<CloudContext, 'project' | 'options'>,
  server: Server,
  own: { readonly ipv4: PrimaryIP | undefined; readonly ipv6: PrimaryIP | undefined | 'none' },
): void {
  const assignee = { type: 'server', id: server.id } as const;
  const spec = { location: server.location, assignee, autoDelete: true };
  const ipv4 = own.ipv4 ?? addPrimaryIP(project, options, { type: 'ipv4', ...spec });
  ipv4.assignee = assignee;
  server.publicIPv4 = ipv4.ip;
  if (own.ipv6 === 'none') return;
  const ipv6 = own.ipv6 ?? addPrimaryIP(project, options, { type: 'ipv6', ...spec });
  ipv6.assignee = assignee;
}

/** What becomes of a holder's addresses when it is deleted. */
export function releasePrimaryIPs(project: Project, holder: NonNullable<PrimaryIP['assignee']>): void {
  for (const ip of project.primaryIPs.values()) {
    if (ip.assignee?.type !== holder.type || ip.assignee.id !== holder.id) continue;
    ip.assignee = null;
    if (ip.autoDelete) project.primaryIPs.delete(ip.id);
  }
}

export function primaryIPRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const primaryIPs = collection<PrimaryIP>(context, {
    one: 'primary_ip',
    items: project.primaryIPs,
    filters: { ip: (ip) => ip.ip },
    view: (ip) => primaryIPView(ip, options.era),
    listed: (ip) => options.era === 'from-2026-10' || ip.assignee?.type !== 'load_balancer',
  });
  const serverOf = (id: number): Server => {
    const server = project.servers.get(id);
    if (server === undefined) throw notFound('server', id);
    return server;
  };
  const start = (ip: PrimaryIP, command: string, effect: () => Promise<void> | void, server?: Server): Action => {
    const resources: Resource[] = [{ id: ip.id, type: 'primary_ip' }];
    if (server !== undefined) resources.push({ id: server.id, type: 'server' });
    return actions.start({ command, resources, delay: knobs.delays.assign, effect });
  };
  const reply = (action: Action): Reply => created({ action: actionView(action) });
  const route = async (ip: PrimaryIP, server: Server | undefined): Promise<void> => {
    await options.effects.primaryIPRouted?.(ip.ip, server && asCloudServer(server));
  };

  const checkAssign = (type: PrimaryIP['type'], place: Location, server: Server): void => {
    if (server.status !== 'off') throw new ApiError(422, 'server_not_stopped', 'server must be powered off');
    if (primaryIPOf(project, { type: 'server', id: server.id }, type) !== undefined)
      throw new ApiError(422, `server_has_${type}`, `server already has a primary ${type}`);
    if (server.location.id !== place.id) throw invalidInput('assignee_id', 'server is in another location');
  };
  const assign = (ip: PrimaryIP, server: Server): Action =>
    start(
      ip,
      'assign_primary_ip',
      async () => {
        serverOf(server.id);
        await route(ip, server);
        ip.assignee = { type: 'server', id: server.id };
        if (ip.type === 'ipv4') server.publicIPv4 = ip.ip;
      },
      server,
    );

  const create = (call: Call): Reply => {
    const wanted = body.readBody(CREATE, call.body);
    if (wanted.assignee_type === 'load_balancer')
      throw invalidInput('assignee_type', 'a load balancer takes its addresses when it is created');
    const server = wanted.assignee_id == null ? undefined : serverOf(wanted.assignee_id);
    const named = wanted.location ?? (options.era === '2025' ? placeOfDatacenter(wanted.datacenter) : undefined);
    const location = named == null ? server?.location : byIdOrName(LOCATIONS, named);
    if (location === undefined) throw invalidInput('location', 'a known location or an assignee is needed');
    primaryIPs.unique(wanted.name);
    primaryIPs.room(knobs.quotas.primaryIPs);
    if (server !== undefined) checkAssign(wanted.type, location, server);
    const added = addPrimaryIP(project, options, {
      type: wanted.type,
      name: wanted.name,
      location,
      assignee: null,
      autoDelete: wanted.auto_delete ?? false,
      labels: wanted.labels ?? {},
    });
    const action = server === undefined ? null : actionView(assign(added, server));
    return created({ ...primaryIPs.answer(added), action });
  };

  const remove = (call: Call): Reply => {
    const ip = primaryIPs.find(call);
    if (ip.protection.delete) throw isProtected('Primary IP');
    actions.assertFree({ id: ip.id, type: 'primary_ip' });
    if (ip.assignee !== null) {
      if (options.era !== '2025')
        throw new ApiError(422, 'must_be_unassigned', 'primary IP must be unassigned before it can be deleted');
      const server = project.servers.get(ip.assignee.id);
      // Before May 2026 it was unassigned on the way, which needs a server that is off all the same.
      if (server !== undefined && server.status !== 'off')
        throw new ApiError(422, 'server_not_stopped', 'server must be powered off');
      if (server !== undefined && ip.type === 'ipv4') server.publicIPv4 = '';
    }
    project.primaryIPs.delete(ip.id);
    actions.later([0, 0], () => route(ip, undefined));
    return noContent;
  };

  const unassign = (call: Call): Reply => {
    const ip = primaryIPs.find(call);
    if (ip.assignee === null) throw new ApiError(422, 'primary_ip_not_assigned', 'primary IP is not assigned');
    if (ip.assignee.type === 'load_balancer')
      throw new ApiError(422, 'unsupported_error', 'a load balancer keeps its addresses as long as it is');
    const server = serverOf(ip.assignee.id);
    if (server.status !== 'off') throw new ApiError(422, 'server_not_stopped', 'server must be powered off');
    if (ip.type === 'ipv4' && isPublicTarget(project, server.id))
      throw new ApiError(422, 'server_is_load_balancer_target', 'server is the target of a load balancer');
    return reply(
      start(
        ip,
        'unassign_primary_ip',
        async () => {
          await route(ip, undefined);
          ip.assignee = null;
          if (ip.type === 'ipv4') server.publicIPv4 = '';
        },
        server,
      ),
    );
  };

  return {
    '/primary_ips': { GET: primaryIPs.listing, POST: create },
    '/primary_ips/:id': {
      GET: primaryIPs.show,
      PUT: (call) => {
        const ip = primaryIPs.find(call);
        const change = body.readBody(z.object({ auto_delete: z.boolean().nullish() }), call.body);
        primaryIPs.update(call);
        ip.autoDelete = change.auto_delete ?? ip.autoDelete;
        return ok(primaryIPs.answer(ip));
      },
      DELETE: remove,
    },
    '/primary_ips/:id/actions/assign': {
      POST: (call) => {
        const ip = primaryIPs.find(call);
        const wanted = body.readBody(
          z.object({ assignee_id: body.id, assignee_type: z.literal('server').nullish() }),
          call.body,
        );
        if (ip.assignee !== null)
          throw new ApiError(422, 'primary_ip_already_assigned', 'primary IP is already assigned');
        const server = serverOf(wanted.assignee_id);
        checkAssign(ip.type, ip.location, server);
        return reply(assign(ip, server));
      },
    },
    '/primary_ips/:id/actions/unassign': { POST: unassign },
    '/primary_ips/:id/actions/change_protection': {
      POST: (call) => {
        const ip = primaryIPs.find(call);
        const change = body.readBody(z.object({ delete: z.boolean().nullish() }), call.body);
        const effect = (): void => {
          ip.protection = { delete: change.delete ?? ip.protection.delete };
        };
        return reply(start(ip, 'change_protection', effect));
      },
    },
    '/primary_ips/:id/actions/change_dns_ptr': {
      POST: (call) => {
        const ip = primaryIPs.find(call);
        return reply(start(ip, 'change_dns_ptr', dnsPtrChange([ip], call.body)));
      },
    },
  };
}

const placeOfDatacenter = (name: string | number | null | undefined): string | undefined =>
  typeof name === 'string' ? name.split('-')[0] : undefined;

const isPublicTarget = (project: Project, server: number): boolean =>
  [...project.loadBalancers.values()].some(({ targets }) =>
    targets.some(
      (target) =>
        (target.type === 'server' && target.server === server && !target.usePrivateIP) ||
        (target.type === 'label_selector' && target.servers.includes(server) && !target.usePrivateIP),
    ),
  );
