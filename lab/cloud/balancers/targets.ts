import { isIPv4 } from 'node:net';
import { z } from 'zod';
import * as body from '../bodies.ts';
import { ApiError, invalidInput, limitExceeded, notFound } from '../errors.ts';
import { parseSelector } from '../labels.ts';
import type { CloudContext } from '../routes.ts';
import type { LoadBalancer, Target } from './state.ts';
import { selected, targetKey } from './tell.ts';

export const TARGET = z.object({
  type: z.enum(['server', 'label_selector', 'ip'], { error: 'Not a valid choice.' }),
  server: z.object({ id: body.id }).nullish(),
  label_selector: z.object({ selector: z.string().min(1) }).nullish(),
  ip: z.object({ ip: z.string() }).nullish(),
  use_private_ip: z.boolean().nullish(),
});
export type TargetBody = z.output<typeof TARGET>;

/** What a request means, whether or not it can be a target; a selector's servers are not looked for. */
export function namedTarget(wanted: TargetBody): Target {
  const usePrivateIP = wanted.use_private_ip ?? false;
  switch (wanted.type) {
    case 'server':
      if (wanted.server == null) throw invalidInput('server', 'is missing');
      return { type: 'server', server: wanted.server.id, usePrivateIP };
    case 'label_selector': {
      if (wanted.label_selector == null) throw invalidInput('label_selector', 'is missing');
      parseSelector(wanted.label_selector.selector);
      return { type: 'label_selector', selector: wanted.label_selector.selector, usePrivateIP, servers: [] };
    }
    case 'ip':
      if (wanted.ip == null || !isIPv4(wanted.ip.ip)) throw invalidInput('ip', 'must be an IPv4 address');
      return { type: 'ip', ip: wanted.ip.ip };
  }
}

/** A new target, or the refusal that the API has for it. */
export function newTarget(context: CloudContext, balancer: LoadBalancer, wanted: TargetBody): Target {
  const target = namedTarget(wanted);
  if (balancer.targets.some((other) => targetKey(other) === targetKey(target)))
    throw new ApiError(422, 'target_already_defined', 'target is already defined');
  if (balancer.targets.length >= balancer.type.maxTargets)
    throw limitExceeded('load_balancer_target_limit', 'load balancer target limit exceeded');
  if (target.type === 'ip') {
    checkIP(context, balancer, target.ip);
    return target;
  }
  if (target.usePrivateIP && balancer.attached === undefined)
    throw new ApiError(422, 'load_balancer_not_attached_to_network', 'load balancer is not attached to a network');
  if (!target.usePrivateIP && !balancer.publicEnabled)
    throw new ApiError(
      422,
      'load_balancer_public_interface_disabled',
      'load balancer public interface is disabled, cannot add target using public IP',
    );
  if (target.type === 'server') checkServer(context, balancer, target);
  return target.type === 'server'
    ? target
    : { ...target, servers: selected(context, balancer, target.selector, target.usePrivateIP) };
}

function checkServer(
  { project }: CloudContext,
  balancer: LoadBalancer,
  { server: id, usePrivateIP }: Extract<Target, { type: 'server' }>,
): void {
  const server = project.servers.get(id);
  if (server === undefined) throw notFound('server', id);
  if (server.location.network_zone !== balancer.location.network_zone)
    throw invalidInput('server', 'server is in another network zone');
  if (usePrivateIP && !server.networks.has(balancer.attached?.network ?? 0))
    throw new ApiError(422, 'server_not_attached_to_network', 'server is not attached to the network');
  if (!usePrivateIP && server.publicIPv4 === '')
    throw new ApiError(422, 'missing_ipv4', 'server has no public IPv4 address');
}

/** Only dedicated servers of the same account can be targets by address, and only in Europe. */
function checkIP({ project, knobs }: CloudContext, balancer: LoadBalancer, ip: string): void {
  if (balancer.location.network_zone !== 'eu-central')
    throw invalidInput('ip', 'IP targets are only available in eu-central');
  const ofTheCloud =
    [...project.floatingIPs.values(), ...project.primaryIPs.values()].some((own) => own.ip === ip) ||
    [...project.servers.values()].some(
      (s) => s.privateIPv4 === ip || [...s.networks.values()].some((n) => n.ip === ip),
    );
  if (ofTheCloud)
    throw new ApiError(422, 'cloud_resource_ip_not_allowed', 'the IP of a cloud resource cannot be a target');
  if (knobs.robotAddresses !== 'any' && !knobs.robotAddresses.includes(ip))
    throw new ApiError(422, 'ip_not_owned', 'the IP is not owned by this account');
}
