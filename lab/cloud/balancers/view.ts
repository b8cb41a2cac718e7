import { LOAD_BALANCER_TYPES, type LoadBalancerType, LOCATIONS } from '../catalogue.ts';
import type { Holdings } from '../holdings.ts';
import { defaultPtr } from '../reverse-dns.ts';
import { time } from '../times.ts';
import type { Era } from '../types.ts';
import type { LoadBalancer, Service, Target } from './state.ts';
import { endpointsOf, healthKey } from './tell.ts';

const typeViewOf = (type: LoadBalancerType) => ({
  id: type.id,
  name: type.name,
  description: type.name.toUpperCase(),
  max_connections: type.maxConnections,
  max_services: type.maxServices,
  max_targets: type.maxTargets,
  max_assigned_certificates: type.maxCertificates,
  prices: LOCATIONS.map((place) => ({
    location: place.name,
    price_hourly: { net: type.hourly, gross: type.hourly },
    price_monthly: { net: type.monthly, gross: type.monthly },
    included_traffic: type.traffic,
    price_per_tb_traffic: { net: '1.0000000000', gross: '1.0000000000' },
  })),
  deprecated: null,
  deprecation: null,
});

const TYPE_VIEWS = new Map(LOAD_BALANCER_TYPES.map((type) => [type, typeViewOf(type)]));
/** The same object each time: nothing of it changes, and every balancer's answer has it. */
export const loadBalancerTypeView = (type: LoadBalancerType) => TYPE_VIEWS.get(type) ?? typeViewOf(type);

const serviceView = (service: Service) => ({
  protocol: service.protocol,
  listen_port: service.listenPort,
  destination_port: service.destinationPort,
  proxyprotocol: service.proxyProtocol,
  ...(service.http && {
    http: {
      certificates: service.http.certificates,
      cookie_name: service.http.cookieName,
      cookie_lifetime: service.http.cookieLifetime,
      redirect_http: service.http.redirectHTTP,
      sticky_sessions: service.http.stickySessions,
      timeout_idle: service.http.timeoutIdle,
    },
  }),
  health_check: {
    protocol: service.healthCheck.protocol,
    port: service.healthCheck.port,
    interval: service.healthCheck.interval,
    timeout: service.healthCheck.timeout,
    retries: service.healthCheck.retries,
    ...(service.healthCheck.http && {
      http: {
        domain: service.healthCheck.http.domain,
        path: service.healthCheck.http.path,
        response: service.healthCheck.http.response,
        status_codes: service.healthCheck.http.statusCodes,
        tls: service.healthCheck.http.tls,
      },
    }),
  },
});

function healthView(balancer: LoadBalancer, endpoint: string, era: Era) {
  return balancer.services.map(({ listenPort }) => {
    const health = balancer.health.get(healthKey(endpoint, listenPort)) ?? { status: 'unknown' as const };
    return {
      listen_port: listenPort,
      status: health.status,
      ...(era === 'from-2026-10' &&
        health.status === 'unhealthy' && {
          detail: health.detail ?? 'unspecified',
          http_status_code: health.httpStatusCode ?? null,
        }),
    };
  });
}

function targetView(balancer: LoadBalancer, target: Target, era: Era): Readonly<Record<string, unknown>> {
  const health = (endpoint: string) => ({ health_status: healthView(balancer, endpoint, era) });
  if (target.type === 'ip')
    return { type: 'ip', ip: { ip: target.ip }, use_private_ip: false, ...health(endpointsOf(target)[0]?.key ?? '') };
  const { usePrivateIP: use_private_ip } = target;
  const servers = endpointsOf(target).map(({ key, server }) => ({
    type: 'server',
    server: { id: server },
    use_private_ip,
    ...health(key),
  }));
  if (target.type === 'server') return { ...servers[0] };
  return {
    type: 'label_selector',
    label_selector: { selector: target.selector },
    use_private_ip,
    health_status: [],
    targets: servers,
  };
}

export function loadBalancerView(balancer: LoadBalancer, holdings: Holdings, era: Era) {
  const held = (family: 'ipv4' | 'ipv6') => {
    const found = holdings.primaryIP({ type: 'load_balancer', id: balancer.id }, family);
    if (found === undefined) return { ip: null, dns_ptr: null };
    const ip = family === 'ipv4' ? found.ip : found.ip.replace('::/64', '::1');
    const dns_ptr = found.dnsPtr.get(ip) ?? (family === 'ipv4' ? defaultPtr(ip) : '');
    return era === 'from-2026-10' ? { id: found.id, ip, blocked: false, dns_ptr } : { ip, dns_ptr };
  };
  return {
    id: balancer.id,
    name: balancer.name,
    public_net: { enabled: balancer.publicEnabled, ipv4: held('ipv4'), ipv6: held('ipv6') },
    private_net: balancer.attached === undefined ? [] : [balancer.attached],
    location: balancer.location,
    load_balancer_type: loadBalancerTypeView(balancer.type),
    protection: balancer.protection,
    labels: balancer.labels,
    created: time(balancer.created),
    services: balancer.services.map(serviceView),
    targets: balancer.targets.map((target) => targetView(balancer, target, era)),
    algorithm: { type: balancer.algorithm },
    included_traffic: balancer.type.traffic,
    outgoing_traffic: null,
    ingoing_traffic: null,
  };
}
