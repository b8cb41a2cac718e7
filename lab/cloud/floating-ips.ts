import { z } from 'zod';
import { textOf } from '../../src/base/failure.ts';
import * as body from './bodies.ts';
import { byIdOrName, type Location, LOCATIONS } from './catalogue.ts';
import { ApiError, invalidInput, isProtected, limitExceeded, notFound, notUnique } from './errors.ts';
import { list, type ListRules } from './listing.ts';
import { dnsPtrChange } from './reverse-dns.ts';
import { type Call, type CloudContext, created, noContent, ok, page, type Routes } from './routes.ts';
import {
  type Action,
  asCloudFloatingIP,
  asCloudServer,
  type FloatingIP,
  floatingIPsOf,
  primaryIPOf,
  type Server,
} from './state.ts';
import { actionView, floatingIPView } from './views.ts';

const CREATE = z.object({
  type: z.enum(['ipv4', 'ipv6']),
  home_location: body.idOrName.nullish(),
  server: body.id.nullish(),
  name: z.string().min(1).nullish(),
  description: z.string().nullish(),
  labels: body.labels.nullish(),
});
const UPDATE = z.object({
  name: z.string().min(1).nullish(),
  description: z.string().nullish(),
  labels: body.labels.nullish(),
});

/** Floating IPs: an address of the project that is led to one server at a time. */
export function floatingIPRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const rules: ListRules<FloatingIP> = {
    key: 'floating_ips',
    filters: { name: (fip) => fip.name },
    labels: (fip) => fip.labels,
    sorts: {
      id: (fip) => fip.id,
      created: (fip) => fip.created.getTime(),
      ...(knobs.sortFloatingIPsByName ? { name: (fip: FloatingIP) => fip.name } : {}),
    },
    perPageAboveLimit: knobs.perPageAboveLimit,
    selectorMissingKey: knobs.selectorMissingKey,
  };
  const find = ({ param }: Call): FloatingIP => {
    const fip = project.floatingIPs.get(Number(param('id')));
    if (fip === undefined) throw notFound('floating IP', param('id'));
    return fip;
  };
  const serverOf = (id: number): Server => {
    const server = project.servers.get(id);
    if (server === undefined) throw notFound('server', id);
    return server;
  };
  const unique = (name: string, self?: FloatingIP): void => {
    if ([...project.floatingIPs.values()].some((fip) => fip !== self && fip.name === name))
      throw notUnique('name', 'floating IP');
  };
  const lead = async (fip: FloatingIP, server: Server | undefined): Promise<void> => {
    await options.effects.routed(
      asCloudFloatingIP({ ...fip, server: server?.id ?? null }),
      server && asCloudServer(server),
    );
  };
  /** Where no action tells of a failure, the lab's log does. */
  const leadNowhere = (fip: FloatingIP): void =>
    void lead(fip, undefined).catch((error: unknown) => console.error(`cloud: ${fip.ip}: ${textOf(error)}`));
  const setting = (fip: FloatingIP, command: string, effect: () => void): Action =>
    actions.start({ command, resources: [{ id: fip.id, type: 'floating_ip' }], delay: knobs.delays.setting, effect });

  const checkAssign = (server: Server, home: Location, type: FloatingIP['type'], fip: FloatingIP | undefined): void => {
    if (primaryIPOf(project, { type: 'server', id: server.id }, type) === undefined) {
      const { status, code } = knobs.noPrimaryIP;
      const message = `server has no primary ${type}, which a floating ${type} needs`;
      throw new ApiError(status, code, message, { fields: [{ name: 'server', messages: [message] }] });
    }
    if (server.location.network_zone !== home.network_zone) {
      const { status, code } = knobs.crossZone;
      const message = `server is in network zone ${server.location.network_zone}, the floating IP in ${home.network_zone}`;
      throw new ApiError(status, code, message, { fields: [{ name: 'server', messages: [message] }] });
    }
    const held = floatingIPsOf(project, server.id).filter((other) => other !== fip).length;
    if (held >= knobs.quotas.floatingIPsPerServer)
      throw limitExceeded('floating_ips_per_server', 'server has the most floating IPs it can have');
  };
  const assign = (fip: FloatingIP, server: Server): Action => {
    const address = { id: fip.id, type: 'floating_ip' } as const;
    const holder = { id: server.id, type: 'server' } as const;
    return actions.start({
      command: 'assign_floating_ip',
      resources: [address, holder],
      locks: knobs.assignLocksServer ? [address, holder] : [address],
      delay: knobs.delays.assign,
      effect: async () => {
        await lead(fip, serverOf(server.id));
        fip.server = server.id;
      },
    });
  };

  const create = (call: Call) => {
    const wanted = body.readBody(CREATE, call.body);
    const server = wanted.server == null ? undefined : serverOf(wanted.server);
    const home = wanted.home_location == null ? server?.location : byIdOrName(LOCATIONS, wanted.home_location);
    if (home === undefined) throw invalidInput('home_location', 'a known home_location or a server is needed');
    if (wanted.name != null) unique(wanted.name);
    if (project.floatingIPs.size >= knobs.quotas.floatingIPs)
      throw limitExceeded('floating_ip_limit', 'floating IP limit exceeded');
    if (server !== undefined) {
      checkAssign(server, home, wanted.type, undefined);
      if (knobs.assignLocksServer) actions.assertFree({ id: server.id, type: 'server' });
    }
    const id = project.nextId();
    const fip: FloatingIP = {
      id,
      // The API names it when the request does not; how is a guess.
      name: wanted.name ?? `floating-ip-${id}`,
      description: wanted.description ?? '',
      type: wanted.type,
      ip: wanted.type === 'ipv4' ? options.effects.allocate('floating') : `${project.nextPrefix()}::/64`,
      server: null,
      dnsPtr: new Map(),
      home,
      created: options.clock.wall(),
      labels: wanted.labels ?? {},
      protection: { delete: false },
    };
    project.floatingIPs.set(id, fip);
    // Until it is assigned it leads nowhere, which has to be made so. The answer does not wait for it.
    leadNowhere(fip);
    const action = server === undefined ? undefined : assign(fip, server);
    return created({ floating_ip: floatingIPView(fip), ...(action && { action: actionView(action) }) });
  };

  const remove = (call: Call) => {
    const fip = find(call);
    if (fip.protection.delete) throw isProtected('Floating IP');
    actions.assertFree({ id: fip.id, type: 'floating_ip' });
    // Since May 2026 an assigned address cannot be deleted; before, it was silently unassigned.
    if (fip.server !== null && options.era !== '2025')
      throw new ApiError(422, 'must_be_unassigned', 'floating IP must be unassigned before it can be deleted');
    project.floatingIPs.delete(fip.id);
    leadNowhere(fip);
    return noContent;
  };

  return {
    '/floating_ips': {
      GET: ({ url }) => page(list([...project.floatingIPs.values()], url, rules, floatingIPView)),
      POST: create,
    },
    '/floating_ips/:id': {
      GET: (call) => ok({ floating_ip: floatingIPView(find(call)) }),
      PUT: (call) => {
        const fip = find(call);
        const change = body.readBody(UPDATE, call.body);
        if (change.name != null) unique(change.name, fip);
        fip.name = change.name ?? fip.name;
        fip.description = change.description ?? fip.description;
        fip.labels = change.labels ?? fip.labels;
        return ok({ floating_ip: floatingIPView(fip) });
      },
      DELETE: remove,
    },
    '/floating_ips/:id/actions/assign': {
      POST: (call) => {
        const fip = find(call);
        const server = serverOf(body.readBody(z.object({ server: body.id }), call.body).server);
        if (fip.server === server.id && knobs.assignToHolder !== 'ok')
          throw new ApiError(422, knobs.assignToHolder, 'floating IP is already assigned');
        checkAssign(server, fip.home, fip.type, fip);
        return created({ action: actionView(assign(fip, server)) });
      },
    },
    '/floating_ips/:id/actions/unassign': {
      POST: (call) => {
        const fip = find(call);
        const resource = { id: fip.id, type: 'floating_ip' } as const;
        actions.assertFree(resource);
        if (fip.server === null) {
          const { status, code } = knobs.unassignUnassigned;
          throw new ApiError(status, code, 'floating IP is not assigned');
        }
        const action = actions.start({
          command: 'unassign_floating_ip',
          resources: [resource, { id: fip.server, type: 'server' }],
          locks: [resource],
          delay: knobs.delays.unassign,
          effect: async () => {
            await lead(fip, undefined);
            fip.server = null;
          },
        });
        return created({ action: actionView(action) });
      },
    },
    '/floating_ips/:id/actions/change_protection': {
      POST: (call) => {
        const fip = find(call);
        const change = body.readBody(z.object({ delete: z.boolean().nullish() }), call.body);
        const action = setting(fip, 'change_protection', () => {
          fip.protection = { delete: change.delete ?? fip.protection.delete };
        });
        return created({ action: actionView(action) });
      },
    },
    '/floating_ips/:id/actions/change_dns_ptr': {
      POST: (call) => {
        const fip = find(call);
        const action = setting(fip, 'change_dns_ptr', dnsPtrChange([fip], call.body));
        return created({ action: actionView(action) });
      },
    },
  };
}
