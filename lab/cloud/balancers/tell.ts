import { parseSelector } from '../labels.ts';
import type { CloudContext } from '../routes.ts';
import { primaryIPOf, type Project, type Server } from '../state.ts';
import type { CloudLoadBalancer, CloudService, CloudTarget } from '../types.ts';
import type { LoadBalancer, Service, Target } from './state.ts';

/** One place connections go to: a label selector has one per server. */
export interface Endpoint {
  readonly key: string;
  readonly server: number | undefined;
}

/** The servers of a project that a selector finds for this balancer now. */
export function selected(
  { project, knobs }: Pick<CloudContext, 'project' | 'knobs'>,
  balancer: LoadBalancer,
  selector: string,
  usePrivateIP: boolean,
): number[] {
  const matches = parseSelector(selector, knobs.selectorMissingKey);
  const reachable = (server: Server): boolean =>
    !usePrivateIP ||
    !knobs.selectorSkipsUnattached ||
    (balancer.attached !== undefined && server.networks.has(balancer.attached.network));
  return [...project.servers.values()]
    .filter((server) => server.status !== 'deleting' && matches(server.labels) && reachable(server))
    .map((server) => server.id);
}

export const targetKey = (target: Target): string =>
  target.type === 'server'
    ? `server/${target.server}`
    : target.type === 'ip'
      ? `ip/${target.ip}`
      : `label_selector/${target.selector}`;

export function endpointsOf(target: Target): readonly Endpoint[] {
  if (target.type === 'ip') return [{ key: targetKey(target), server: undefined }];
  if (target.type === 'server') return [{ key: targetKey(target), server: target.server }];
  return target.servers.map((server) => ({ key: `${targetKey(target)}/${server}`, server }));
}

export const healthKey = (endpoint: string, listenPort: number): string => `${endpoint} ${listenPort}`;

function targetsOf(project: Project, balancer: LoadBalancer): CloudTarget[] {
  return balancer.targets.flatMap((target) =>
    endpointsOf(target).map(({ key, server: id }): CloudTarget => {
      if (target.type === 'ip')
        return { key, server: undefined, address: target.ip, usePrivateIP: false, carried: false };
      const server = id === undefined ? undefined : project.servers.get(id);
      const network = balancer.attached?.network;
      const address = target.usePrivateIP
        ? network === undefined
          ? undefined
          : server?.networks.get(network)?.ip
        : server?.publicIPv4;
      return {
        key,
        server: id,
        address: address ?? '',
        usePrivateIP: target.usePrivateIP,
        carried: address !== undefined && address !== '' && (!target.usePrivateIP || network === project.firstNetwork),
      };
    }),
  );
}

const asService = (project: Project, service: Service): CloudService => {
  const { http, ...check } = service.healthCheck;
  return {
    protocol: service.protocol,
    listenPort: service.listenPort,
    destinationPort: service.destinationPort,
    proxyProtocol: service.proxyProtocol,
    healthCheck: { ...check, ...(http === null ? {} : { http }) },
    ...(service.http && {
      http: {
        cookieName: service.http.cookieName,
        cookieLifetime: service.http.cookieLifetime,
        stickySessions: service.http.stickySessions,
        redirectHTTP: service.http.redirectHTTP,
        timeoutIdle: service.http.timeoutIdle,
        certificates: service.http.certificates.flatMap((id) => {
          const certificate = project.certificates.get(id);
          return certificate?.issued === undefined
            ? []
            : [{ cert: certificate.issued.pem, key: certificate.issued.key, names: certificate.domainNames }];
        }),
      },
    }),
  };
};

export function asCloudLoadBalancer(project: Project, balancer: LoadBalancer): CloudLoadBalancer {
  return {
    id: balancer.id,
    name: balancer.name,
    publicIPv4: primaryIPOf(project, { type: 'load_balancer', id: balancer.id }, 'ipv4')?.ip ?? '',
    publicIPv6: primaryIPOf(project, { type: 'load_balancer', id: balancer.id }, 'ipv6')?.ip ?? '',
    publicEnabled: balancer.publicEnabled,
    privateIPv4: balancer.attached?.network === project.firstNetwork ? balancer.attached.ip : undefined,
    algorithm: balancer.algorithm,
    maxConnections: balancer.type.maxConnections,
    services: balancer.services.map((service) => asService(project, service)),
    targets: targetsOf(project, balancer),
    setHealth: (target, listenPort, health) => balancer.health.set(healthKey(target, listenPort), health),
  };
}

/** Tells the data plane how the balancer is now, and forgets what it said of targets and services that are gone. */
export async function tellBalancer({ project, options }: CloudContext, balancer: LoadBalancer): Promise<void> {
  if (!project.loadBalancers.has(balancer.id)) return;
  const known = new Set(
    balancer.targets.flatMap((target) =>
      endpointsOf(target).flatMap(({ key }) => balancer.services.map(({ listenPort }) => healthKey(key, listenPort))),
    ),
  );
  for (const key of balancer.health.keys()) if (!known.has(key)) balancer.health.delete(key);
  await options.effects.loadBalancerChanged?.(asCloudLoadBalancer(project, balancer));
}

/** Label selectors follow the labels a while after; a server that is gone is no target any more. */
export async function followServers(context: CloudContext): Promise<void> {
  const { project } = context;
  for (const balancer of project.loadBalancers.values()) {
    const before = JSON.stringify(targetsOf(project, balancer));
    balancer.targets = balancer.targets
      .filter((target) => target.type !== 'server' || project.servers.has(target.server))
      .map((target) =>
        target.type === 'label_selector'
          ? { ...target, servers: selected(context, balancer, target.selector, target.usePrivateIP) }
          : target,
      );
    if (JSON.stringify(targetsOf(project, balancer)) !== before) await tellBalancer(context, balancer);
  }
}
