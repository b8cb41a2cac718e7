import { z } from 'zod';
import * as body from './bodies.ts';
import { ApiError, notFound } from './errors.ts';
import type { Delay } from './knobs.ts';
import { freeAliases, networkById, place } from './networking/membership.ts';
import type { Network } from './networking/network-state.ts';
import { dnsPtrChange } from './reverse-dns.ts';
import { type Call, type CloudContext, created, type Handler, type Reply, type Routes } from './routes.ts';
import { serversChanged } from './servers-changed.ts';
import { type Action, asCloudServer, type Attachment, type Server } from './state.ts';
import type { CloudEffects, CloudServer } from './types.ts';
import { actionView } from './views.ts';

type PowerEffect = 'powerOn' | 'powerOff' | 'shutdown' | 'reboot' | 'reset';

interface PowerAction {
  readonly command: string;
  readonly effect: keyof Pick<CloudEffects, PowerEffect>;
  /** A server that is not in this state is left as it is; a knob says whether the action succeeds all the same. */
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

const NETWORK = z.object({
  network: body.id,
  ip: z.string().nullish(),
  ip_range: z.string().nullish(),
  alias_ips: z.array(z.ipv4()).nullish(),
});

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
    network?: Network,
  ): Action =>
    actions.start({
      command,
      resources: [
        { id: server.id, type: 'server' },
        ...(network === undefined ? [] : ([{ id: network.id, type: 'network' }] as const)),
      ],
      delay,
      effect,
    });
  const reply = (action: Action): Reply => created({ action: actionView(action) });

  /** A boot takes the rescue system when that was enabled, once; the next one takes the disk again. */
  const happens = async (server: Server, effect: PowerEffect): Promise<void> => {
    const { effects } = options;
    const boots = effect === 'powerOn' || effect === 'reboot' || effect === 'reset';
    if (boots && server.rescue === 'enabled') {
      if (effects.bootRescue === undefined) throw new Error('this world has no rescue system');
      await effects.bootRescue(asCloudServer(server));
      server.rescue = 'booted';
      return;
    }
    if (server.rescue !== 'booted') {
      await effects[effect](asCloudServer(server));
      return;
    }
    // The machine itself is off meanwhile.
    server.rescue = 'none';
    await effects[boots ? 'powerOn' : 'powerOff'](asCloudServer(server));
    if (effect === 'shutdown') server.status = 'off';
  };

  const power =
    (spec: PowerAction): Handler =>
    (call) => {
      const server = find(call);
      const acts = server.status === spec.from;
      const action = start(server, spec.command, knobs.delays.power, async () => {
        if (!acts && knobs.powerThereAlready === 'fails') throw new Error(`server is ${server.status}`);
        if (!acts) return;
        try {
          await happens(server, spec.effect);
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

  /** Where the server is in the network that the request names. */
  const attachedTo = (server: Server, id: number): { network: Network; now: Attachment } => {
    const network = networkById(project, id);
    const now = server.networks.get(id);
    if (now === undefined)
      throw new ApiError(422, 'server_not_attached_to_network', 'server is not attached to this network');
    return { network, now };
  };
  /** The fabric carries the first network: an address of it leads to its server while that is attached. */
  const routePrivate = async (server: Server, network: Network, ip: string, there: boolean): Promise<void> => {
    if (network.id !== project.firstNetwork) return;
    await options.effects.privateIPRouted?.(ip, there ? asCloudServer(server) : undefined);
  };
  const onNetwork = (
    name: 'attach_to_network' | 'detach_from_network' | 'change_alias_ips',
    check: (server: Server, call: Call) => { network: Network; effect: () => unknown },
  ): Routes => ({
    [`/servers/:id/actions/${name}`]: {
      POST: (call) => {
        const server = find(call);
        const { network, effect } = check(server, call);
        const land = async (): Promise<void> => {
          // A network that is gone meanwhile has no members.
          if (project.networks.has(network.id)) await effect();
          await serversChanged(context);
        };
        return reply(start(server, name, knobs.delays.network, land, network));
      },
    },
  });

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
        const own = [...project.primaryIPs.values()].filter(
          ({ assignee }) => assignee?.type === 'server' && assignee.id === server.id,
        );
        return reply(start(server, 'change_dns_ptr', knobs.delays.setting, dnsPtrChange(own, call.body)));
      },
    },
    ...onNetwork('attach_to_network', (server, call) => {
      const wanted = body.readBody(NETWORK, call.body);
      const network = networkById(project, wanted.network);
      const attachment = place(project, options, server, network, wanted);
      freeAliases(project, network, attachment.aliasIPs, server);
      return {
        network,
        effect: async () => {
          // Others may have taken the address meanwhile: a free one is looked for again, a wanted one is gone.
          const now = place(project, options, server, network, wanted);
          await routePrivate(server, network, now.ip, true);
          server.networks.set(network.id, now);
        },
      };
    }),
    ...onNetwork('detach_from_network', (server, call) => {
      const { network, now } = attachedTo(server, body.readBody(NETWORK, call.body).network);
      return {
        network,
        effect: async () => {
          await routePrivate(server, network, now.ip, false);
          server.networks.delete(network.id);
        },
      };
    }),
    ...onNetwork('change_alias_ips', (server, call) => {
      const wanted = body.readBody(NETWORK.extend({ alias_ips: z.array(z.ipv4()) }), call.body);
      const { network, now } = attachedTo(server, wanted.network);
      freeAliases(project, network, wanted.alias_ips, server);
      // The whole list is replaced, never added to.
      return { network, effect: () => server.networks.set(network.id, { ip: now.ip, aliasIPs: wanted.alias_ips }) };
    }),
  };
}
