import { z } from 'zod';
import type { Random } from '../../src/base/random.ts';
import * as body from './bodies.ts';
import { byIdOrName } from './catalogue.ts';
import { ApiError, notFound } from './errors.ts';
import type { OwnImage } from './image-state.ts';
import type { CloudContext, Routes } from './routes.ts';
import { onServer } from './server-change.ts';
import type { Server } from './state.ts';
import { imageView } from './views.ts';

const WINDOW = '22-02';

/** What an administrator does to a server that is in trouble, or before it is: rescue, backups, images, password, console. */
export function serverCareRoutes(context: CloudContext): Routes {
  const { project, options, knobs } = context;
  const { setting, createImage } = knobs.delays;

  return {
    ...onServer(context, 'enable_rescue', (server, call) => {
      const wanted = body.readBody(
        z.object({
          type: z.literal('linux64', { error: 'Not a valid choice.' }).nullish(),
          ssh_keys: z.array(body.idOrName).nullish(),
        }),
        call.body,
      );
      for (const key of wanted.ssh_keys ?? [])
        if (byIdOrName([...project.sshKeys.values()], key) === undefined) throw notFound('SSH key', key);
      const effect = (): void => {
        server.rescue = 'enabled';
      };
      return { command: 'enable_rescue', delay: setting, effect, extra: { root_password: password(options.random) } };
    }),
    ...onServer(context, 'disable_rescue', (server) => {
      const effect = (): void => {
        if (server.rescue === 'enabled') server.rescue = 'none';
      };
      return { command: 'disable_rescue', delay: setting, effect };
    }),
    ...onServer(context, 'enable_backup', (server) => {
      const effect = (): void => {
        server.backupWindow = WINDOW;
      };
      return { command: 'enable_backup', delay: setting, effect };
    }),
    ...onServer(context, 'disable_backup', (server) => {
      const effect = (): void => {
        server.backupWindow = null;
        // Its backups go with it.
        for (const image of project.images.values())
          if (image.boundTo === server.id) {
            image.deleted = options.clock.wall();
            project.images.delete(image.id);
          }
      };
      return { command: 'disable_backup', delay: setting, effect };
    }),
    ...onServer(context, 'create_image', (server, call) => {
      const wanted = body.readBody(
        z.object({
          description: z.string().nullish(),
          type: z.enum(['snapshot', 'backup'], { error: 'Not a valid choice.' }).nullish(),
          labels: body.labels.nullish(),
        }),
        call.body,
      );
      const type = wanted.type ?? 'snapshot';
      if (type === 'backup' && server.backupWindow === null) {
        const { status, code } = knobs.backupWithoutWindow;
        throw new ApiError(status, code, 'backups are not enabled for this server');
      }
      const image = imageOf(context, server, type, wanted);
      project.images.set(image.id, image);
      return {
        command: 'create_image',
        delay: createImage,
        resources: [{ id: image.id, type: 'image' }],
        extra: { image: imageView(image, options.era) },
        effect: () => {
          image.status = 'available';
        },
      };
    }),
    ...onServer(context, 'reset_password', (server) => {
      if (server.status !== 'running') throw new ApiError(422, 'service_error', 'server must be running');
      const effect = (): void => {
        if (knobs.resetPassword === 'fails') throw new Error('the guest agent did not answer');
      };
      return { command: 'reset_password', delay: setting, effect, extra: { root_password: password(options.random) } };
    }),
    ...onServer(context, 'request_console', (server) => {
      // A client that follows it reaches the lab, where nobody speaks: never a console of the real cloud.
      const { host } = new URL(options.url ?? `http://${options.address}:${options.port}`);
      const token = password(options.random);
      return {
        command: 'request_console',
        delay: setting,
        effect: () => {},
        extra: { wss_url: `wss://${host}/console?server_id=${server.id}&token=${token}`, password: token },
      };
    }),
  };
}

function imageOf(
  { project, options }: CloudContext,
  server: Server,
  type: OwnImage['type'],
  wanted: { readonly description?: string | null | undefined; readonly labels?: OwnImage['labels'] | null | undefined },
): OwnImage {
  const { os_flavor, os_version, architecture } = server.image;
  return {
    id: project.nextId(),
    type,
    name: null,
    description: wanted.description ?? `${type} of ${server.name}`,
    os_flavor,
    os_version,
    architecture,
    labels: wanted.labels ?? {},
    created: options.clock.wall(),
    createdFrom: { id: server.id, name: server.name },
    boundTo: type === 'backup' ? server.id : null,
    status: 'creating',
    protection: { delete: false },
    diskSize: server.type.disk,
    deleted: null,
  };
}

/** Opens nothing: the lab's machines have no login. */
const password = (random: Random): string =>
  Array.from(
    { length: 20 },
    () => 'abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRSTUVWXYZ23456789'[Math.floor(random.next() * 55)],
  ).join('');
