import { ApiError, invalidInput, notFound, wordOf } from './errors.ts';
import { list, type ListRules } from './listing.ts';
import { type CloudContext, type Handler, ok, page, type Routes } from './routes.ts';
import type { Action, Resource } from './state.ts';
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
  const all = (): Action[] => [...project.actions.values()];
  const of = (type: Resource['type'], id?: string): Action[] =>
    all().filter((a) => a.resources.some((r) => r.type === type && (id === undefined || r.id === Number(id))));
  const one = (found: readonly Action[], id: string): Action => {
    const action = found.find((a) => a.id === Number(id));
    if (action === undefined) throw notFound('action', id);
    return action;
  };
  const show = (action: Action) => ok({ action: actionView(action) });
  const ofKind = (path: string, type: Resource['type'], known: ReadonlyMap<number, unknown>): Routes => {
    const resource = (id: string): void => {
      if (!known.has(Number(id))) throw notFound(wordOf(type), id);
    };
    const listOf: Handler = ({ url, param }) => {
      resource(param('id'));
      return page(list(of(type, param('id')), url, rules, actionView));
    };
    return {
      [`${path}/actions`]: { GET: ({ url }) => page(list(of(type), url, rules, actionView)) },
      [`${path}/actions/:action`]: { GET: ({ param }) => show(one(of(type), param('action'))) },
      [`${path}/:id/actions`]: { GET: listOf },
      [`${path}/:id/actions/:action`]: {
        GET: ({ param }) => {
          resource(param('id'));
          return show(one(of(type, param('id')), param('action')));
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
        return page(list(all(), url, rules, actionView));
      },
    },
    '/actions/:action': { GET: ({ param }) => show(one(all(), param('action'))) },
    ...ofKind('/servers', 'server', project.servers),
    ...ofKind('/floating_ips', 'floating_ip', project.floatingIPs),
    ...ofKind('/primary_ips', 'primary_ip', project.primaryIPs),
    ...ofKind('/networks', 'network', project.networks),
    ...ofKind('/load_balancers', 'load_balancer', project.loadBalancers),
    ...ofKind('/firewalls', 'firewall', project.firewalls),
    ...ofKind('/certificates', 'certificate', project.certificates),
    ...ofKind('/zones', 'zone', project.zones),
  };
}
