import { z } from 'zod';
import * as body from './bodies.ts';
import { byIdOrName, type Image, IMAGES, type ServerType } from './catalogue.ts';
import { ApiError, invalidInput, isProtected, notFound } from './errors.ts';
import type { OwnImage } from './image-state.ts';
import { list, type ListRules } from './listing.ts';
import { type Call, type CloudContext, created, noContent, ok, page, type Routes } from './routes.ts';
import type { Project } from './state.ts';
import { actionView, imageView } from './views.ts';

/** Hetzner's, and those that the project has made. */
export const imagesOf = (project: Project): readonly (Image | OwnImage)[] => [...IMAGES, ...project.images.values()];

const statusOf = (image: Image | OwnImage): string => ('status' in image ? image.status : 'available');

/** The image a request means: a name stands for one image per architecture. Throws invalid_input. */
export function imageFor(project: Project, value: number | string, { architecture }: ServerType): Image {
  const all = imagesOf(project).filter((image) => statusOf(image) === 'available');
  const fitting = all.filter((image) => image.architecture === architecture);
  const found = byIdOrName(fitting, value);
  if (found !== undefined) return found;
  if (byIdOrName(all, value) === undefined) throw invalidInput('image', 'unknown image');
  throw invalidInput('image', `image is not for ${architecture}`);
}

/** Images: all are read, those of the project are changed and deleted. They are made by a server's `create_image`. */
export function imageRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const rules: ListRules<Image | OwnImage> = {
    key: 'images',
    filters: {
      name: (image) => image.name ?? '',
      type: (image) => image.type,
      architecture: (image) => image.architecture,
      status: statusOf,
      bound_to: (image) => ('boundTo' in image ? String(image.boundTo) : ''),
    },
    labels: (image) => image.labels,
    sorts: {
      id: (image) => image.id,
      name: (image) => image.name ?? '',
      created: (image) => ('created' in image ? image.created.getTime() : 0),
    },
    perPageAboveLimit: knobs.perPageAboveLimit,
    selectorMissingKey: knobs.selectorMissingKey,
  };
  const view = (image: Image | OwnImage) => imageView(image, options.era);
  const find = ({ param }: Call): Image | OwnImage => {
    const image = imagesOf(project).find(({ id }) => id === Number(param('id')));
    if (image === undefined) throw notFound('image', param('id'));
    return image;
  };
  const own = (call: Call): OwnImage => {
    const image = find(call);
    if ('createdFrom' in image) return image;
    const { status, code } = knobs.changeOfSystemImage;
    throw new ApiError(status, code, 'only images of the project can be changed');
  };

  return {
    '/images': { GET: ({ url }) => page(list(imagesOf(project), url, rules, view)) },
    '/images/:id': {
      GET: (call) => ok({ image: view(find(call)) }),
      PUT: (call) => {
        const image = own(call);
        const change = body.readBody(
          z.object({
            description: z.string().nullish(),
            // A backup becomes a snapshot; there is no way back.
            type: z.literal('snapshot', { error: 'Not a valid choice.' }).nullish(),
            labels: body.labels.nullish(),
          }),
          call.body,
        );
        image.description = change.description ?? image.description;
        image.labels = change.labels ?? image.labels;
        if (change.type === 'snapshot') [image.type, image.boundTo] = ['snapshot', null];
        return ok({ image: view(image) });
      },
      DELETE: (call) => {
        const image = own(call);
        if (image.protection.delete) throw isProtected('Image');
        actions.assertFree({ id: image.id, type: 'image' });
        image.deleted = options.clock.wall();
        project.images.delete(image.id);
        return noContent;
      },
    },
    '/images/:id/actions/change_protection': {
      POST: (call) => {
        const image = own(call);
        const change = body.readBody(z.object({ delete: z.boolean().nullish() }), call.body);
        const action = actions.start({
          command: 'change_protection',
          resources: [{ id: image.id, type: 'image' }],
          delay: knobs.delays.setting,
          effect: () => {
            image.protection = { delete: change.delete ?? image.protection.delete };
          },
        });
        return created({ action: actionView(action) });
      },
    },
  };
}
