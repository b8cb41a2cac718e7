import { z } from 'zod';
import * as body from '../bodies.ts';
import { byIdOrName, LOAD_BALANCER_TYPES, LOCATIONS } from '../catalogue.ts';
import { collection } from '../collection.ts';
import { invalidInput, isProtected } from '../errors.ts';
import { metricsView } from '../metrics.ts';
import { memberAddress, networkById } from '../networking/membership.ts';
import { addPrimaryIP, freePrimaryIP, releasePrimaryIPs } from '../networking/primary-ips.ts';
import { type Call, type CloudContext, created, noContent, ok, type Reply, type Routes } from '../routes.ts';
import { actionView } from '../views.ts';
import { changes } from './changes.ts';
import { SERVICE_PATCH } from './service-bodies.ts';
import { newService } from './services.ts';
import type { LoadBalancer } from './state.ts';
import { newTarget, TARGET } from './targets.ts';
import { asCloudLoadBalancer, tellBalancer } from './tell.ts';
import { loadBalancerView } from './view.ts';

const ZONES = ['eu-central', 'us-east', 'us-west', 'ap-southeast'] as const;
const CREATE = z.object({
  name: z.string().min(1),
  load_balancer_type: body.idOrName,
  location: body.idOrName.nullish(),
  network_zone: z.enum(ZONES).nullish(),
  network: body.id.nullish(),
  public_interface: z.boolean().nullish(),
  algorithm: z.object({ type: z.enum(['round_robin', 'least_connections']) }).nullish(),
  labels: body.labels.nullish(),
  services: z.array(SERVICE_PATCH).nullish(),
  targets: z.array(TARGET).nullish(),
  // Since October 2026: Primary IPs that are there already.
  public_net: z.object({ ipv4: body.id.nullish(), ipv6: body.id.nullish() }).nullish(),
});

/** Load balancers. What they do with connections is the data plane's, which is told of every change. */
export function loadBalancerRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const balancers = collection<LoadBalancer>(context, {
    one: 'load_balancer',
    items: project.loadBalancers,
    view: (balancer, held) => loadBalancerView(balancer, held, options.era),
    renamed: (balancer) => actions.later([0, 0], () => tellBalancer(context, balancer)),
  });

  const place = (wanted: z.output<typeof CREATE>) => {
    if (wanted.location != null && wanted.network_zone != null)
      throw invalidInput('location', 'location and network_zone exclude each other');
    const found =
      wanted.location == null
        ? LOCATIONS.find((location) => location.network_zone === wanted.network_zone)
        : byIdOrName(LOCATIONS, wanted.location);
    if (found === undefined) throw invalidInput('location', 'a known location or network_zone is needed');
    return found;
  };

  const create = (call: Call): Reply => {
    const wanted = body.readBody(CREATE, call.body);
    const type = byIdOrName(LOAD_BALANCER_TYPES, wanted.load_balancer_type);
    if (type === undefined) throw invalidInput('load_balancer_type', 'unknown load balancer type');
    const location = place(wanted);
    balancers.unique(wanted.name);
    balancers.room(knobs.quotas.loadBalancers);
    const brought = (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const id = options.era === 'from-2026-10' ? wanted.public_net?.[family] : null;
      return id == null ? [] : [freePrimaryIP(project, id, family, location)];
    });
    const network = wanted.network == null ? undefined : networkById(project, wanted.network);
    const balancer: LoadBalancer = {
      id: project.nextId(),
      name: wanted.name,
      created: options.clock.wall(),
      location,
      type,
      labels: wanted.labels ?? {},
      protection: { delete: false },
      algorithm: wanted.algorithm?.type ?? 'round_robin',
      publicEnabled: wanted.public_interface ?? true,
      attached: network && { network: network.id, ip: memberAddress(project, options, network, {}) },
      services: [],
      targets: [],
      health: new Map(),
    };
    for (const service of wanted.services ?? [])
      balancer.services = [...balancer.services, newService(context, balancer, service)];
    for (const target of wanted.targets ?? [])
      balancer.targets = [...balancer.targets, newTarget(context, balancer, target)];
    const holder = { type: 'load_balancer', id: balancer.id } as const;
    for (const ip of brought) ip.assignee = holder;
    for (const family of ['ipv4', 'ipv6'] as const)
      if (!brought.some((ip) => ip.type === family))
        addPrimaryIP(project, options, { type: family, location, assignee: holder, autoDelete: true });
    project.loadBalancers.set(balancer.id, balancer);
    const action = actions.start({
      command: 'create_load_balancer',
      resources: [{ id: balancer.id, type: 'load_balancer' }],
      delay: knobs.delays.createLoadBalancer,
      effect: () => tellBalancer(context, balancer),
    });
    return created({ ...balancers.answer(balancer), action: actionView(action) });
  };

  const erase = async (balancer: LoadBalancer): Promise<void> => {
    const last = asCloudLoadBalancer(project, balancer);
    project.loadBalancers.delete(balancer.id);
    releasePrimaryIPs(project, { type: 'load_balancer', id: balancer.id });
    await options.effects.loadBalancerDeleted?.(last);
  };
  const remove = (call: Call): Reply => {
    const balancer = balancers.find(call);
    if (balancer.protection.delete) throw isProtected('Load Balancer');
    const self = { id: balancer.id, type: 'load_balancer' } as const;
    if (options.era === 'from-2026-10') {
      const { loadBalancer: delay } = knobs.delays;
      const effect = (): Promise<void> => erase(balancer);
      return created({
        action: actionView(actions.start({ command: 'delete_load_balancer', resources: [self], delay, effect })),
      });
    }
    // Before, there was no action: it is gone with the answer.
    actions.assertFree(self);
    actions.later([0, 0], () => erase(balancer));
    project.loadBalancers.delete(balancer.id);
    return noContent;
  };

  return {
    '/load_balancers': { GET: balancers.listing, POST: create },
    '/load_balancers/:id': { GET: balancers.show, PUT: balancers.update, DELETE: remove },
    '/load_balancers/:id/metrics': {
      GET: (call) => {
        balancers.find(call);
        return ok(
          metricsView(call.url, ['open_connections', 'connections_per_second', 'requests_per_second', 'bandwidth']),
        );
      },
    },
    ...changes(context, balancers),
  };
}
