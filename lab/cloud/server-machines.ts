import { z } from 'zod';
import { checkRoom } from './access/placement-groups.ts';
import * as body from './bodies.ts';
import { byIdOrName, ISOS, SERVER_TYPES } from './catalogue.ts';
import { ApiError, invalidInput, notFound } from './errors.ts';
import { imageFor } from './images.ts';
import type { CloudContext, Routes } from './routes.ts';
import { onServer } from './server-change.ts';
import { asCloudFloatingIP, asCloudServer, floatingIPsOf, type Server } from './state.ts';

/** What changes the machine itself: its disk, its size, what lies in its drive, and where it stands. */
export function serverMachineRoutes(context: CloudContext): Routes {
  const { project, options, knobs } = context;

  const on = (name: string, change: Parameters<typeof onServer>[2]): Routes => onServer(context, name, change);
  const isOff = (server: Server): void => {
    if (server.status !== 'off') throw new ApiError(422, 'server_not_stopped', 'server must be powered off');
  };

  return {
    ...on('rebuild', (server, call) => {
      const wanted = body.readBody(z.object({ image: body.idOrName, user_data: z.string().nullish() }), call.body);
      if (server.protection.rebuild) throw new ApiError(423, 'protected', 'Server rebuild is protected');
      const image = imageFor(project, wanted.image, server.type);
      const before = server.status;
      return {
        command: 'rebuild_server',
        delay: knobs.delays.createServer,
        // As at creation: a password is told only where there is no key, and the lab has nothing to log in to.
        extra: { root_password: null },
        started: () => {
          server.status = 'rebuilding';
        },
        effect: async () => {
          server.image = image;
          server.userData = wanted.user_data ?? server.userData;
          server.status = 'running';
          server.rescue = 'none';
          if (options.effects.rebuilt === undefined) {
            server.status = before;
            throw new Error('this world cannot write a disk anew');
          }
          await options.effects.rebuilt(asCloudServer(server));
          // What was led to it is led to it again.
          for (const fip of floatingIPsOf(project, server.id))
            if (fip.type === 'ipv4') await options.effects.routed(asCloudFloatingIP(fip), asCloudServer(server));
        },
      };
    }),
    ...on('change_type', (server, call) => {
      const wanted = body.readBody(
        z.object({ server_type: body.idOrName, upgrade_disk: z.boolean().nullish() }),
        call.body,
      );
      const type = byIdOrName(SERVER_TYPES, wanted.server_type);
      if (type === undefined) throw invalidInput('server_type', 'unknown server type');
      isOff(server);
      if (type.architecture !== server.type.architecture || type.disk < server.type.disk)
        throw new ApiError(422, 'invalid_server_type', 'the server cannot become one of this type');
      const effect = (): void => {
        server.type = type;
      };
      return { command: 'change_server_type', delay: knobs.delays.power, effect };
    }),
    ...on('attach_iso', (server, call) => {
      const iso = byIdOrName(ISOS, body.readBody(z.object({ iso: body.idOrName }), call.body).iso);
      if (iso === undefined) throw notFound('iso', 'as named');
      const effect = (): void => {
        server.iso = iso;
      };
      return { command: 'attach_iso', delay: knobs.delays.setting, effect };
    }),
    ...on('detach_iso', (server) => {
      const effect = (): void => {
        server.iso = null;
      };
      return { command: 'detach_iso', delay: knobs.delays.setting, effect };
    }),
    ...on('add_to_placement_group', (server, call) => {
      const { placement_group: group } = body.readBody(z.object({ placement_group: body.id }), call.body);
      isOff(server);
      if (server.placementGroup !== null)
        throw new ApiError(422, 'already_in_placement_group', 'server is already in a placement group');
      checkRoom(context, group);
      const effect = (): void => {
        server.placementGroup = group;
      };
      return { command: 'add_to_placement_group', delay: knobs.delays.setting, effect };
    }),
    ...on('remove_from_placement_group', (server) => {
      // A server that is in none stays so, without an error.
      const effect = (): void => {
        server.placementGroup = null;
      };
      return { command: 'remove_from_placement_group', delay: knobs.delays.setting, effect };
    }),
  };
}
