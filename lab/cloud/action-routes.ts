import { ApiError, invalidInput, notFound, wordOf } from './errors.ts';
import { imagesOf } from './images.ts';
import { list, type ListRules } from './listing.ts';
import { type CloudContext, type Handler, ok, page, type Routes } from './routes.ts';
import type { Action, ResourceType } from './state.ts';
import { actionView } from './views.ts';

/** Actions in every form: by id and by ids, of a kind of resource, of one resource. */
export function actionRoutes(context: CloudContext): Routes {
  const { project, knobs } = context;
  const rules: ListRules<Action> = {
    key: 'actions',
    filters: { id: (a) => String(a.id), status: (a) => a.status },
    sorts: {
      id: (a) => a.id,
      command: (a) => a.command,
      status: (a) => a.status,
      started: (a) => a.started.getTime(),
      finished: (a) => a.finished?.getTime() ?? Number.MAX_SAFE_INTEGER,
    },
    perPageAboveLimit: knobs.perPageAboveLimit,
  };
  const of = (type: ResourceType, id?: string): readonly Action[] =>
    project.actions.matching({ type, ...(id === undefined ? {} : { id: Number(id) }) });
  const show = (id: string, fits: (action: Action) => boolean = () => true) => {
    const action = project.actions.get(Number(id));
    if (action === undefined || !fits(action)) throw notFound('action', id);
    return ok({ action: actionView(action) });
  };
  const concerns =
    (type: ResourceType, id?: string) =>
    (action: Action): boolean =>
      action.resources.some((r) => r.type === type && (id === undefined || r.id === Number(id)));
  const ofKind = (path: string, type: ResourceType, known: Pick<ReadonlyMap<number, unknown>, 'has'>): Routes => {
    const resource = (id: string): void => {
      if (!known.has(Number(id))) throw notFound(wordOf(type), id);
    };
    const listOf: Handler = ({ url, param }) => {
      resource(param('id'));
      return page(list(of(type, param('id')), url, rules, actionView));
    };
    return {
      [`${path}/actions`]: { GET: ({ url }) => page(list(of(type), url, rules, actionView)) },
      [`${path}/actions/:action`]: { GET: ({ param }) => show(param('action'), concerns(type)) },
      [`${path}/:id/actions`]: { GET: listOf },
      [`${path}/:id/actions/:action`]: {
        GET: ({ param }) => {
          resource(param('id'));
          return show(param('action'), concerns(type, param('id')));
        },
      },
    };
  };

  return {
    '/actions': {
      GET: ({ url }) => {
        const ids = url.searchParams.getAll('id');
        if (ids.length === 0) {
          throw new ApiError(410, 'deprecated_api_endpoint', 'listing all actions is no longer possible; ask by id', {
            announcement: 'https://docs.hetzner.cloud/changelog#2023-07-20-deprecation-of-get-v1actions',
          });
        }
        if (ids.some((id) => !/^\d+$/.test(id))) throw invalidInput('id', 'must be a number');
        const found = new Set(ids.map((id) => project.actions.get(Number(id))));
        return page(list(inOrder(found), url, rules, actionView));
      },
    },
    '/actions/:action': { GET: ({ param }) => show(param('action')) },
    ...ofKind('/servers', 'server', project.servers),
    ...ofKind('/floating_ips', 'floating_ip', project.floatingIPs),
    ...ofKind('/primary_ips', 'primary_ip', project.primaryIPs),
    ...ofKind('/networks', 'network', project.networks),
    ...ofKind('/load_balancers', 'load_balancer', project.loadBalancers),
    ...ofKind('/firewalls', 'firewall', project.firewalls),
    ...ofKind('/certificates', 'certificate', project.certificates),
    ...ofKind('/zones', 'zone', project.zones),
    ...ofKind('/images', 'image', { has: (id) => imagesOf(project).some((image) => image.id === id) }),
  };
}

const inOrder = (found: Iterable<Action | undefined>): Action[] =>
  [...found].filter((action) => action !== undefined).toSorted((a, b) => a.id - b.id);
