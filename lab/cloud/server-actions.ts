import { z } from 'zod';
import * as body from './bodies.ts';
import { ApiError, invalidInput, notFound, notInTheLab } from './errors.ts';
import type { Delay } from './knobs.ts';
import { type Call, type CloudContext, created, type Handler, type Reply, type Routes } from './routes.ts';
import { type Action, asCloudServer, type Server } from './state.ts';
import type { CloudEffects, CloudServer } from './types.ts';
import { actionView } from './views.ts';

type PowerEffect = 'powerOn' | 'powerOff' | 'shutdown' | 'reboot' | 'reset';

interface PowerAction {
  readonly command: string;
  readonly effect: keyof Pick<CloudEffects, PowerEffect>;
  /** A server that is not in this state is left as it is, and the action succeeds all the same (guess). */
  readonly from: 'running' | 'off';
  readonly during?: CloudServer['status'];
  readonly to: CloudServer['status'];
}

const POWER: Readonly<Record<string, PowerAction>> = {
  poweron: { command: 'start_server', effect: 'powerOn', from: 'off', during: 'starting', to: 'running' },
  poweroff: { command: 'stop_server', effect: 'powerOff', from: 'running', during: 'stopping', to: 'off' },
  // ACPI: success means that the signal was sent. The machine stops by itself, and says so later.
  shutdown: { command: 'shutdown_server', effect: 'shutdown', from: 'running', to: 'running' },
  reboot: { command: 'reboot_server', effect: 'reboot', from: 'running', to: 'running' },
  reset: { command: 'reset_server', effect: 'reset', from: 'running', to: 'running' },
};

const NETWORK = z.object({ network: body.id, ip: z.string().nullish(), alias_ips: z.array(z.ipv4()).nullish() });

/** What can be done to a server. */
export function serverActionRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;

  const find = ({ param }: Call): Server => {
    const server = project.servers.get(Number(param('id')));
    if (server === undefined) throw notFound('server', param('id'));
    return server;
  };
  const start = (
    server: Server,
    command: string,
    delay: Delay,
    effect: () => Promise<void> | void,
    network = false,
  ): Action =>
    actions.start({
      command,
      resources: [
        { id: server.id, type: 'server' },
        ...(network ? ([{ id: project.network.id, type: 'network' }] as const) : []),
      ],
      delay,
      effect,
    });
  const reply = (action: Action): Reply => created({ action: actionView(action) });

  const power =
    (spec: PowerAction): Handler =>
    (call) => {
      const server = find(call);
      const acts = server.status === spec.from;
      const action = start(server, spec.command, knobs.delays.power, async () => {
        if (!acts) return;
        try {
          await options.effects[spec.effect](asCloudServer(server));
          // A machine that was told to shut down may have stopped meanwhile.
          if (spec.to !== spec.from) server.status = spec.to;
        } catch (error) {
          server.status = spec.from;
          throw error;
        }
      });
      if (acts && spec.during !== undefined && knobs.transitionalStatus) server.status = spec.during;
      return reply(action);
    };

  const networkOf = (id: number): void => {
    if (id !== project.network.id) throw notFound('network', id);
  };
  const attachedTo = (server: Server, id: number): void => {
    networkOf(id);
    if (server.attached === undefined)
      throw new ApiError(422, 'server_not_attached_to_network', 'server is not attached to this network');
  };
  /** An alias may not be anybody's address or alias. */
  const freeAliases = (server: Server, aliases: readonly string[]): void => {
    if (new Set(aliases).size !== aliases.length) throw invalidInput('alias_ips', 'an address is named twice');
    for (const alias of aliases)
      for (const other of project.servers.values())
        if (other.privateIPv4 === alias || (other !== server && other.attached?.aliasIPs.includes(alias) === true))
          throw new ApiError(422, 'ip_not_available', `${alias} is already in use`);
  };

  return {
    ...Object.fromEntries(
      Object.entries(POWER).map(([name, spec]) => [`/servers/:id/actions/${name}`, { POST: power(spec) }]),
    ),
    '/servers/:id/actions/change_protection': {
      POST: (call) => {
        const server = find(call);
        const change = body.readBody(
          z.object({ delete: z.boolean().nullish(), rebuild: z.boolean().nullish() }),
          call.body,
        );
        return reply(
          start(server, 'change_protection', knobs.delays.setting, () => {
            server.protection = {
              delete: change.delete ?? server.protection.delete,
              rebuild: change.rebuild ?? server.protection.rebuild,
            };
          }),
        );
      },
    },
    '/servers/:id/actions/change_dns_ptr': {
      POST: (call) => {
        const server = find(call);
        const change = body.readBody(z.object({ ip: z.string(), dns_ptr: z.string().nullish() }), call.body);
        if (change.ip !== server.publicIPv4)
          throw new ApiError(422, 'ip_not_owned', `${change.ip} is not an address of this server`);
        return reply(
          start(server, 'change_dns_ptr', knobs.delays.setting, () => {
            server.dnsPtr = change.dns_ptr ?? null;
          }),
        );
      },
    },
    '/servers/:id/actions/attach_to_network': {
      POST: (call) => {
        const server = find(call);
        const wanted = body.readBody(NETWORK, call.body);
        networkOf(wanted.network);
        if (server.attached !== undefined)
          throw new ApiError(422, 'server_already_attached', 'server is already attached to this network');
        // A machine of the lab has its private address from its first day.
        if (wanted.ip != null && wanted.ip !== server.privateIPv4)
          throw new ApiError(422, 'ip_not_available', `in this lab the server can only be ${server.privateIPv4}`);
        const aliases = wanted.alias_ips ?? [];
        freeAliases(server, aliases);
        return reply(
          start(
            server,
            'attach_to_network',
            knobs.delays.network,
            () => {
              server.attached = { aliasIPs: aliases };
            },
            true,
          ),
        );
      },
    },
    '/servers/:id/actions/detach_from_network': {
      POST: (call) => {
        const server = find(call);
        attachedTo(server, body.readBody(NETWORK, call.body).network);
        return reply(
          start(
            server,
            'detach_from_network',
            knobs.delays.network,
            () => {
              server.attached = undefined;
            },
            true,
          ),
        );
      },
    },
    '/servers/:id/actions/change_alias_ips': {
      POST: (call) => {
        const server = find(call);
        const wanted = body.readBody(NETWORK.extend({ alias_ips: z.array(z.ipv4()) }), call.body);
        attachedTo(server, wanted.network);
        freeAliases(server, wanted.alias_ips);
        return reply(
          start(
            server,
            'change_alias_ips',
            knobs.delays.network,
            () => {
              // The whole list is replaced, never added to.
              server.attached = { aliasIPs: wanted.alias_ips };
            },
            true,
          ),
        );
      },
    },
    ...Object.fromEntries(
      ['rebuild', 'change_type', 'attach_iso', 'detach_iso', 'enable_rescue', 'create_image'].map((name) => [
        `/servers/:id/actions/${name}`,
        {
          POST: (call: Call) => {
            find(call);
            throw notInTheLab(`server action ${name}`);
          },
        },
      ]),
    ),
  };
}
