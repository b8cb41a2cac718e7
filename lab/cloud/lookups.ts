import { loadBalancerTypeView } from './balancers/view.ts';
import { datacenterOf, ISOS, LOAD_BALANCER_TYPES, LOCATIONS, SERVER_TYPES } from './catalogue.ts';
import { ApiError, notInTheLab } from './errors.ts';
import { pricingView } from './pricing.ts';
import { type CloudContext, ok, readOnly, type Routes } from './routes.ts';
import { isoView, serverTypeView } from './views.ts';

/** Everything that clients look up on their way to servers and addresses. */
export function lookupRoutes(context: CloudContext): Routes {
  const { knobs } = context;
  const { perPageAboveLimit } = knobs;
  const byName = { name: (item: { readonly name: string | null }) => item.name ?? '' };
  const sorts = {
    id: (item: { readonly id: number }) => item.id,
    name: (item: { readonly name?: string | null }) => item.name ?? '',
  };
  const nothing = (path: string, one: string, what: string): Routes => {
    const routes = readOnly<{ id: number; name: string }>(
      path,
      one,
      () => [],
      {
        key: path.slice(1),
        filters: byName,
        labels: () => ({}),
        sorts: { ...sorts, created: () => 0 },
        perPageAboveLimit,
      },
      (item) => item,
    );
    const create = () => {
      throw notInTheLab(what);
    };
    return { ...routes, [path]: { ...routes[path], POST: create } };
  };

  return {
    ...readOnly(
      '/locations',
      'location',
      () => LOCATIONS,
      { key: 'locations', filters: byName, sorts, perPageAboveLimit },
      (l) => l,
    ),
    ...readOnly(
      '/server_types',
      'server_type',
      () => SERVER_TYPES,
      { key: 'server_types', filters: byName, sorts, perPageAboveLimit },
      serverTypeView,
    ),
    ...readOnly(
      '/load_balancer_types',
      'load_balancer_type',
      () => LOAD_BALANCER_TYPES,
      { key: 'load_balancer_types', filters: byName, sorts, perPageAboveLimit },
      loadBalancerTypeView,
    ),
    ...readOnly(
      '/isos',
      'iso',
      () => ISOS,
      {
        key: 'isos',
        filters: { ...byName, architecture: (iso) => iso.architecture },
        sorts: { ...sorts, created: () => 0 },
        perPageAboveLimit,
      },
      isoView,
    ),
    '/pricing': { GET: () => ok({ pricing: pricingView() }) },
    ...datacenterRoutes(context),
    ...nothing('/volumes', 'volume', 'volumes'),
  };
}

/** Gone since October 2026; before, a list with a recommendation beside it. */
function datacenterRoutes({ options, knobs }: CloudContext): Routes {
  const gone = () => {
    throw new ApiError(410, 'deprecated_api_endpoint', 'data centers are no longer part of the API; use locations', {
      announcement: 'https://docs.hetzner.cloud/changelog',
    });
  };
  if (options.era === 'from-2026-10') return { '/datacenters': { GET: gone }, '/datacenters/:id': { GET: gone } };
  const all = LOCATIONS.map(datacenterOf);
  const routes = readOnly(
    '/datacenters',
    'datacenter',
    () => all,
    {
      key: 'datacenters',
      filters: { name: (d) => d.name },
      sorts: { id: (d) => d.id, name: (d) => d.name },
      perPageAboveLimit: knobs.perPageAboveLimit,
    },
    (d) => d,
  );
  const listAll = routes['/datacenters']?.GET;
  if (listAll === undefined) return routes;
  return {
    ...routes,
    '/datacenters': {
      GET: (call) => {
        const reply = listAll(call);
        return { ...reply, body: { ...reply.body, recommendation: all[0]?.id ?? 1 } };
      },
    },
  };
}
