import { z } from 'zod';
import * as body from './bodies.ts';
import { byIdOrName, IMAGES, LOCATIONS, SERVER_TYPES } from './catalogue.ts';
import { ApiError, invalidInput, isProtected, limitExceeded, notFound, notInTheLab, notUnique } from './errors.ts';
import { list, type ListRules } from './listing.ts';
import { type Call, type CloudContext, created, ok, page, type Routes } from './routes.ts';
import { asCloudFloatingIP, asCloudServer, floatingIPsOf, type Server } from './state.ts';
import { actionView, serverView } from './views.ts';

const USER_DATA_LIMIT = 32 * 1024;

const CREATE = z.object({
  name: body.hostname,
  server_type: body.idOrName,
  image: body.idOrName,
  location: body.idOrName.nullish(),
  ssh_keys: z.array(body.idOrName).nullish(),
  user_data: z.string().nullish(),
  start_after_create: z.boolean().nullish(),
  labels: body.labels.nullish(),
  networks: z.array(body.id).nullish(),
  volumes: z.array(body.id).nullish(),
  firewalls: z.array(z.object({ firewall: body.id })).nullish(),
  placement_group: body.id.nullish(),
  public_net: z
    .object({ enable_ipv4: z.boolean().nullish(), ipv4: body.id.nullish(), ipv6: body.id.nullish() })
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
  };
  const view = (server: Server) =>
    serverView(server, project, actions.isLocked({ id: server.id, type: 'server' }), options.era);
  const find = ({ param }: Call): Server => {
    const server = project.servers.get(Number(param('id')));
    if (server === undefined) throw notFound('server', param('id'));
    return server;
  };
  const unique = (name: string, self?: Server): void => {
    if ([...project.servers.values()].some((s) => s !== self && s.name === name)) throw notUnique('name', 'server');
  };

  const create = (call: Call) => {
    const wanted = body.readBody(CREATE, call.body);
    const type = byIdOrName(SERVER_TYPES, wanted.server_type);
    if (type === undefined) throw invalidInput('server_type', 'unknown server type');
    const image = byIdOrName(IMAGES, wanted.image);
    if (image === undefined) throw invalidInput('image', 'unknown image');
    const location = wanted.location == null ? LOCATIONS[0] : byIdOrName(LOCATIONS, wanted.location);
    if (location === undefined) throw invalidInput('location', 'unknown location');
    if (Buffer.byteLength(wanted.user_data ?? '') > USER_DATA_LIMIT)
      throw invalidInput('user_data', `must be at most ${USER_DATA_LIMIT} bytes`);
    for (const network of wanted.networks ?? []) if (network !== project.network.id) throw notFound('network', network);
    for (const key of wanted.ssh_keys ?? [])
      if (byIdOrName([...project.sshKeys.values()], key) === undefined) throw notFound('SSH key', key);
    if ((wanted.volumes ?? []).length > 0) throw notInTheLab('volumes');
    if ((wanted.firewalls ?? []).length > 0) throw notInTheLab('firewalls');
    if (wanted.placement_group != null) throw notInTheLab('placement groups');
    if (wanted.public_net?.enable_ipv4 === false) throw notInTheLab('servers without a public IPv4 address');
    if (wanted.public_net?.ipv4 != null || wanted.public_net?.ipv6 != null) throw notInTheLab('unassigned primary IPs');
    unique(wanted.name);
    if (project.servers.size >= knobs.quotas.servers) throw limitExceeded('server_limit', 'server limit exceeded');

    const start = wanted.start_after_create ?? true;
    const server: Server = {
      id: project.nextId(),
      name: wanted.name,
      status: 'initializing',
      created: options.clock.wall(),
      publicIPv4: options.effects.allocate('public'),
      privateIPv4: options.effects.allocate('private'),
      primaryIP: project.nextId(),
      dnsPtr: null,
      attached: (wanted.networks ?? []).length > 0 ? { aliasIPs: [] } : undefined,
      type,
      image,
      location,
      labels: wanted.labels ?? {},
      protection: { delete: false, rebuild: false },
      userData: wanted.user_data ?? '',
    };
    project.servers.set(server.id, server);
    const resources = [{ id: server.id, type: 'server' }] as const;
    const action = actions.start({
      command: 'create_server',
      resources,
      delay: knobs.delays.createServer,
      effect: async () => {
        server.status = start ? 'starting' : 'off';
        await orElse(options.effects.serverCreated(asCloudServer(server)), () => (server.status = 'off'));
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
      await options.effects.routed(asCloudFloatingIP({ ...fip, server: null }), undefined);
      fip.server = null;
    }
    await options.effects.serverDeleted(asCloudServer(server));
    project.servers.delete(server.id);
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
      GET: ({ url }) => page(list([...project.servers.values()], url, rules, view)),
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
        return ok({ server: view(server) });
      },
      DELETE: remove,
    },
    '/servers/:id/metrics': {
      GET: (call) => {
        find(call);
        throw new ApiError(422, 'unsupported_error', 'this lab has no metrics');
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
