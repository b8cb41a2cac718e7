import { z } from 'zod';
import * as body from '../bodies.ts';
import { collection } from '../collection.ts';
import { ApiError, notFound } from '../errors.ts';
import { type CloudContext, created, noContent, type Routes } from '../routes.ts';
import type { PlacementGroup } from '../state.ts';
import { placementGroupView } from '../views.ts';

const CREATE = z.object({
  name: z.string().min(1),
  type: z.literal('spread', { error: 'Not a valid choice.' }),
  labels: body.labels.nullish(),
});

/** Throws when the group is not there or full. The lab has one machine, so what a group promises it does not do. */
export function checkRoom({ project, knobs }: Pick<CloudContext, 'project' | 'knobs'>, id: number): void {
  if (!project.placementGroups.has(id)) throw notFound('placement group', id);
  const members = [...project.servers.values()].filter((server) => server.placementGroup === id).length;
  if (members >= knobs.quotas.serversPerPlacementGroup)
    throw new ApiError(422, 'placement_error', 'placement group has the most servers it can have');
}

export function placementGroupRoutes(context: CloudContext): Routes {
  const { project, options, knobs } = context;
  const groups = collection<PlacementGroup>(context, {
    one: 'placement_group',
    items: project.placementGroups,
    filters: { type: () => 'spread' },
    view: (group, held) => placementGroupView(group, project, held),
  });
  return {
    '/placement_groups': {
      GET: groups.listing,
      POST: (call) => {
        const wanted = body.readBody(CREATE, call.body);
        groups.unique(wanted.name);
        groups.room(knobs.quotas.placementGroups);
        const group: PlacementGroup = {
          id: project.nextId(),
          name: wanted.name,
          labels: wanted.labels ?? {},
          created: options.clock.wall(),
        };
        project.placementGroups.set(group.id, group);
        return created({ ...groups.answer(group), action: null });
      },
    },
    '/placement_groups/:id': {
      GET: groups.show,
      PUT: groups.update,
      DELETE: (call) => {
        const group = groups.find(call);
        const members = [...project.servers.values()].filter((server) => server.placementGroup === group.id);
        if (members.length > 0 && knobs.placementGroupWithServers === 'refuse')
          throw new ApiError(422, 'resource_in_use', `placement group with ID ${group.id} is still in use`);
        project.placementGroups.delete(group.id);
        for (const server of members) server.placementGroup = null;
        return noContent;
      },
    },
  };
}
