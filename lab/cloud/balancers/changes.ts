import { z } from 'zod';
import * as body from '../bodies.ts';
import { byIdOrName, LOAD_BALANCER_TYPES } from '../catalogue.ts';
import type { Collection } from '../collection.ts';
import { ApiError, invalidInput, notFound } from '../errors.ts';
import { memberAddress, networkById } from '../networking/membership.ts';
import { dnsPtrChange } from '../reverse-dns.ts';
import { type Call, type CloudContext, created, type Routes } from '../routes.ts';
import type { Resource } from '../state.ts';
import { actionView } from '../views.ts';
import { SERVICE_PATCH } from './service-bodies.ts';
import { changedService, newService } from './services.ts';
import type { LoadBalancer, Service } from './state.ts';
import { namedTarget, newTarget, TARGET } from './targets.ts';
import { followServers, targetKey, tellBalancer } from './tell.ts';

type Change = (balancer: LoadBalancer, call: Call) => { effect: () => void; network?: number };

const PORT = z.object({ listen_port: z.int() });

/** What can be done to a load balancer. */
export function changes(context: CloudContext, balancers: Collection<LoadBalancer>): Routes {
  const { project, options, knobs, actions } = context;

  const on = (name: string, change: Change, command = name): Routes => ({
    [`/load_balancers/:id/actions/${name}`]: {
      POST: (call) => {
        const balancer = balancers.find(call);
        const self = { id: balancer.id, type: 'load_balancer' } as const;
        actions.assertFree(self);
        const { effect, network } = change(balancer, call);
        const resources: Resource[] = network === undefined ? [self] : [self, { id: network, type: 'network' }];
        const action = actions.start({
          command,
          resources,
          delay: knobs.delays.loadBalancer,
          effect: async () => {
            effect();
            await tellBalancer(context, balancer);
          },
        });
        return created({ action: actionView(action) });
      },
    },
  });

  const serviceAt = (balancer: LoadBalancer, call: Call): Service => {
    const { listen_port: port } = body.readBody(PORT, call.body);
    const found = balancer.services.find((service) => service.listenPort === port);
    if (found === undefined) throw notFound('service', port);
    return found;
  };

  return {
    ...on('add_target', (balancer, call) => {
      const target = newTarget(context, balancer, body.readBody(TARGET, call.body));
      return {
        effect: () => {
          balancer.targets = [...balancer.targets, target];
          // Labels may have changed since it was asked for.
          if (target.type === 'label_selector') actions.later([0, 0], () => followServers(context));
        },
      };
    }),
    ...on('remove_target', (balancer, call) => {
      const key = targetKey(namedTarget(body.readBody(TARGET, call.body)));
      if (balancer.targets.every((target) => targetKey(target) !== key)) throw notFound('target', key);
      return { effect: () => (balancer.targets = balancer.targets.filter((target) => targetKey(target) !== key)) };
    }),
    ...on('add_service', (balancer, call) => {
      const service = newService(context, balancer, body.readBody(SERVICE_PATCH, call.body));
      return { effect: () => (balancer.services = [...balancer.services, service]) };
    }),
    ...on('update_service', (balancer, call) => {
      const before = serviceAt(balancer, call);
      const after = changedService(context, balancer, before, body.readBody(SERVICE_PATCH, call.body));
      return {
        effect: () => {
          balancer.services = balancer.services.map((service) => (service === before ? after : service));
          // What was found out by the old check says nothing of the new one.
          const checked =
            knobs.healthAfterCheckChange === 'kept' ||
            JSON.stringify(before.healthCheck) === JSON.stringify(after.healthCheck);
          if (!checked)
            for (const key of balancer.health.keys())
              if (key.endsWith(` ${before.listenPort}`)) balancer.health.delete(key);
        },
      };
    }),
    ...on('delete_service', (balancer, call) => {
      const service = serviceAt(balancer, call);
      return { effect: () => (balancer.services = balancer.services.filter((other) => other !== service)) };
    }),
    ...on('change_algorithm', (balancer, call) => {
      const { type } = body.readBody(z.object({ type: z.enum(['round_robin', 'least_connections']) }), call.body);
      return { effect: () => (balancer.algorithm = type) };
    }),
    ...on(
      'change_type',
      (balancer, call) => {
        const wanted = body.readBody(z.object({ load_balancer_type: body.idOrName }), call.body).load_balancer_type;
        const type = byIdOrName(LOAD_BALANCER_TYPES, wanted);
        if (type === undefined) throw invalidInput('load_balancer_type', 'unknown load balancer type');
        if (balancer.services.length > type.maxServices || balancer.targets.length > type.maxTargets)
          throw invalidInput(
            'load_balancer_type',
            'the load balancer has more services or targets than the type allows',
          );
        return { effect: () => (balancer.type = type) };
      },
      'change_load_balancer_type',
    ),
    ...on('attach_to_network', (balancer, call) => {
      const wanted = body.readBody(
        z.object({ network: body.id, ip: z.string().nullish(), ip_range: z.string().nullish() }),
        call.body,
      );
      const network = networkById(project, wanted.network);
      if (balancer.attached !== undefined)
        throw new ApiError(422, 'load_balancer_already_attached', 'load balancer is already attached to a network');
      if (network.subnets.some((subnet) => subnet.networkZone !== balancer.location.network_zone))
        throw invalidInput('network', 'network is in another network zone');
      const address = (): string => memberAddress(project, options, network, wanted);
      // Where the fabric gives the address it is drawn once, when it is needed.
      if (network.id !== project.firstNetwork || wanted.ip != null) address();
      return { network: network.id, effect: () => (balancer.attached = { network: network.id, ip: address() }) };
    }),
    ...on('detach_from_network', (balancer, call) => {
      const { network } = body.readBody(z.object({ network: body.id }), call.body);
      networkById(project, network);
      if (balancer.attached?.network !== network)
        throw new ApiError(
          422,
          'load_balancer_not_attached_to_network',
          'load balancer is not attached to the network',
        );
      if (!balancer.publicEnabled)
        throw new ApiError(422, 'load_balancer_public_interface_disabled', 'it would be left without any interface');
      return { network, effect: () => (balancer.attached = undefined) };
    }),
    ...on('enable_public_interface', (balancer) => ({ effect: () => (balancer.publicEnabled = true) })),
    ...on('disable_public_interface', (balancer) => {
      checkDisable(balancer);
      return { effect: () => (balancer.publicEnabled = false) };
    }),
    ...on('change_protection', (balancer, call) => {
      const wanted = body.readBody(z.object({ delete: z.boolean().nullish() }), call.body);
      return { effect: () => (balancer.protection = { delete: wanted.delete ?? balancer.protection.delete }) };
    }),
    ...on('change_dns_ptr', (balancer, call) => {
      const held = [...project.primaryIPs.values()].filter(
        (ip) => ip.assignee?.type === 'load_balancer' && ip.assignee.id === balancer.id,
      );
      return { effect: dnsPtrChange(held, call.body) };
    }),
  };
}

/** The public interface can go only where the private one does its work. */
function checkDisable(balancer: LoadBalancer): void {
  if (balancer.attached === undefined)
    throw new ApiError(422, 'load_balancer_not_attached_to_network', 'load balancer is not attached to a network');
  if (balancer.targets.some((target) => target.type === 'ip' || !target.usePrivateIP))
    throw new ApiError(422, 'targets_without_use_private_ip', 'there are targets that do not use their private IP');
}
