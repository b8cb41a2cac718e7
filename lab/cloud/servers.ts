import { z } from 'zod';
import { checkRoom } from './access/placement-groups.ts';
import * as body from './bodies.ts';
import { byIdOrName, LOCATIONS, SERVER_TYPES } from './catalogue.ts';
import { invalidInput, isProtected, limitExceeded, notFound, notInTheLab, notUnique } from './errors.ts';
import { holdingsOf } from './holdings.ts';
import { imageFor } from './images.ts';
import { list, type ListRules } from './listing.ts';
import { metricsView } from './metrics.ts';
import { networkById, place } from './networking/membership.ts';
import { freePrimaryIP, givePublicAddresses, releasePrimaryIPs } from './networking/primary-ips.ts';
import { type Call, type CloudContext, created, ok, page, type Routes } from './routes.ts';
import { serversChanged } from './servers-changed.ts';
import { asCloudFloatingIP, asCloudServer, floatingIPsOf, type Server } from './state.ts';
import { actionView, serverView } from './views.ts';

const USER_DATA_LIMIT = 32 * 1024;

const CREATE = z.object({
  name: body.hostname,
  server_type: body.idOrName,
  image: body.idOrName,
  location: body.idOrName.nullish(),
  // Taken until July 2026.
  datacenter: body.idOrName.nullish(),
  ssh_keys: z.array(body.idOrName).nullish(),
  user_data: z.string().nullish(),
  start_after_create: z.boolean().nullish(),
  labels: body.labels.nullish(),
  networks: z.array(body.id).nullish(),
  volumes: z.array(body.id).nullish(),
  firewalls: z.array(z.object({ firewall: body.id })).nullish(),
  placement_group: body.id.nullish(),
  public_net: z
    .object({
      enable_ipv4: z.boolean().nullish(),
      enable_ipv6: z.boolean().nullish(),
      ipv4: body.id.nullish(),
      ipv6: body.id.nullish(),
    })
    .nullish(),
});

/** Servers: list, read, create, change and delete. Their other actions stand in server-actions.ts. */
export function serverRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const rules: ListRules<Server> = {
    key: 'servers',
    filters: { name: (s) => s.name, status: (s) => s.status },
    labels: (s) => s.labels,
    sorts: { id: (s) => s.id, name: (s) => s.name, created: (s) => s.created.getTime() },
    perPageAboveLimit: knobs.perPageAboveLimit,
    selectorMissingKey: knobs.selectorMissingKey,
  };
  const view = (server: Server, held = holdingsOf(project, knobs.selectorMissingKey)) =>
    serverView(server, project, actions.isLocked({ id: server.id, type: 'server' }), options.era, held);
  const find = ({ param }: Call): Server => {
    const server = project.servers.get(Number(param('id')));
    if (server === undefined) throw notFound('server', param('id'));
    return server;
  };
  const unique = (name: string, self?: Server): void => {
    if ([...project.servers.values()].some((s) => s !== self && s.name === name)) throw notUnique('name', 'server');
  };

  const locationOf = ({ location, datacenter }: { location?: unknown; datacenter?: unknown }) => {
    const named =
      location ?? (options.era === '2025' && typeof datacenter === 'string' ? datacenter.split('-')[0] : null);
    return typeof named === 'string' || typeof named === 'number' ? byIdOrName(LOCATIONS, named) : LOCATIONS[0];
  };

  const create = (call: Call) => {
    const wanted = body.readBody(CREATE, call.body);
    const type = byIdOrName(SERVER_TYPES, wanted.server_type);
    if (type === undefined) throw invalidInput('server_type', 'unknown server type');
    const image = imageFor(project, wanted.image, type);
    const location = locationOf(wanted);
    if (location === undefined) throw invalidInput('location', 'unknown location');
    if (Buffer.byteLength(wanted.user_data ?? '') > USER_DATA_LIMIT)
      throw invalidInput('user_data', `must be at most ${USER_DATA_LIMIT} bytes`);
    const networks = (wanted.networks ?? []).map((network) => networkById(project, network));
    for (const key of wanted.ssh_keys ?? [])
      if (byIdOrName([...project.sshKeys.values()], key) === undefined) throw notFound('SSH key', key);
    if ((wanted.volumes ?? []).length > 0) throw notInTheLab('volumes');
    const firewalls = (wanted.firewalls ?? []).map(({ firewall: id }) => {
      const firewall = project.firewalls.get(id);
      if (firewall === undefined) throw notFound('firewall', id);
      return firewall;
    });
    if (firewalls.length > knobs.quotas.firewallsPerServer)
      throw limitExceeded('firewalls_per_server', 'server has the most firewalls it can have');
    if (wanted.placement_group != null) checkRoom(context, wanted.placement_group);
    const wantedNet = wanted.public_net ?? {};
    if (wantedNet.enable_ipv4 === false) throw notInTheLab('servers without a public IPv4 address');
    const ownIPv4 = wantedNet.ipv4 == null ? undefined : freePrimaryIP(project, wantedNet.ipv4, 'ipv4', location);
    const ownIPv6 = wantedNet.ipv6 == null ? undefined : freePrimaryIP(project, wantedNet.ipv6, 'ipv6', location);
    unique(wanted.name);
    if (project.servers.size >= knobs.quotas.servers) throw limitExceeded('server_limit', 'server limit exceeded');

    const start = wanted.start_after_create ?? true;
    const server: Server = {
      id: project.nextId(),
      name: wanted.name,
      status: 'initializing',
      created: options.clock.wall(),
      publicIPv4: '',
      privateIPv4: options.effects.allocate('private'),
      networks: new Map(),
      type,
      image,
      iso: null,
      location,
      labels: wanted.labels ?? {},
      protection: { delete: false, rebuild: false },
      userData: wanted.user_data ?? '',
      placementGroup: wanted.placement_group ?? null,
      rescue: 'none',
      backupWindow: null,
    };
    for (const network of networks) server.networks.set(network.id, place(project, options, server, network, {}));
    givePublicAddresses(context, server, {
      ipv4: ownIPv4,
      ipv6: wantedNet.enable_ipv6 === false ? 'none' : ownIPv6,
    });
    project.servers.set(server.id, server);
    for (const firewall of firewalls)
      firewall.appliedTo = [...firewall.appliedTo, { type: 'server', server: server.id }];
    const resources = [{ id: server.id, type: 'server' }] as const;
    const action = actions.start({
      command: 'create_server',
      resources,
      delay: knobs.delays.createServer,
      effect: async () => {
        server.status = start ? 'starting' : 'off';
        await orElse(options.effects.serverCreated(asCloudServer(server)), () => (server.status = 'off'));
        await serversChanged(context);
      },
    });
    const next = start
      ? [
          actions.start({
            command: 'start_server',
            resources,
            delay: knobs.delays.startServer,
            after: action,
            effect: () => {
              server.status = 'running';
            },
          }),
        ]
      : [];
    return created({
      server: view(server),
      action: actionView(action),
      next_actions: next.map(actionView),
      // Only a server without keys gets a password; Talos never uses it, and the lab has nothing to log in to.
      root_password: null,
    });
  };

  const erase = async (server: Server): Promise<void> => {
    for (const fip of floatingIPsOf(project, server.id)) {
      if (fip.type === 'ipv4') await options.effects.routed(asCloudFloatingIP({ ...fip, server: null }), undefined);
      fip.server = null;
    }
    await options.effects.serverDeleted(asCloudServer(server));
    project.servers.delete(server.id);
    releasePrimaryIPs(project, { type: 'server', id: server.id });
    for (const firewall of project.firewalls.values())
      firewall.appliedTo = firewall.appliedTo.filter((t) => t.type !== 'server' || t.server !== server.id);
    await serversChanged(context);
  };
  const remove = (call: Call) => {
    const server = find(call);
    if (server.protection.delete) throw isProtected('Server');
    const before = server.status;
    const action = actions.start({
      command: 'delete_server',
      resources: [{ id: server.id, type: 'server' }],
      delay: knobs.delays.deleteServer,
      effect: async () => {
        await orElse(erase(server), () => (server.status = before));
      },
    });
    server.status = 'deleting';
    return ok({ action: actionView(action) });
  };

  return {
    '/servers': {
      GET: ({ url }) => {
        const held = holdingsOf(project, knobs.selectorMissingKey);
        return page(list([...project.servers.values()], url, rules, (server) => view(server, held)));
      },
      POST: create,
    },
    '/servers/:id': {
      GET: (call) => ok({ server: view(find(call)) }),
      PUT: (call) => {
        const server = find(call);
        const change = body.readBody(
          z.object({ name: body.hostname.nullish(), labels: body.labels.nullish() }),
          call.body,
        );
        if (change.name != null) unique(change.name, server);
        server.name = change.name ?? server.name;
        server.labels = change.labels ?? server.labels;
        if (change.labels != null) actions.later(knobs.delays.labelSelector, () => serversChanged(context));
        return ok({ server: view(server) });
      },
      DELETE: remove,
    },
    '/servers/:id/metrics': {
      GET: (call) => {
        find(call);
        return ok(metricsView(call.url, ['cpu', 'disk', 'network']));
      },
    },
  };
}

/** Runs `undo` when the work fails, and lets the failure pass. */
async function orElse(work: Promise<void>, undo: () => void): Promise<void> {
  try {
    await work;
  } catch (error) {
    undo();
    throw error;
  }
}
