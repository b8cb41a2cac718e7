import { z } from 'zod';
import * as body from '../bodies.ts';
import { invalidInput } from '../errors.ts';
import type { CloudKnobs } from '../knobs.ts';
import type { HealthCheck, Service } from './state.ts';

const port = z.int().min(1).max(65_535);
const HEALTH_HTTP = z.object({
  domain: z.string().nullish(),
  path: z.string().nullish(),
  response: z.string().nullish(),
  status_codes: z.array(z.string()).nullish(),
  tls: z.boolean().nullish(),
});
const HEALTH = z.object({
  protocol: z.enum(['tcp', 'http'], { error: 'Not a valid choice.' }).nullish(),
  port: port.nullish(),
  interval: z.int().nullish(),
  timeout: z.int().nullish(),
  retries: z.int().nullish(),
  http: HEALTH_HTTP.nullish(),
});
const HTTP = z.object({
  cookie_name: z.string().nullish(),
  cookie_lifetime: z.int().min(1).nullish(),
  certificates: z.array(body.id).nullish(),
  redirect_http: z.boolean().nullish(),
  sticky_sessions: z.boolean().nullish(),
  timeout_idle: z.int().min(30).max(300).nullish(),
});

/** A service as it is added; of an update only `listen_port` is needed, and the rest is a patch. */
export const SERVICE_PATCH = z.object({
  protocol: z.enum(['tcp', 'http', 'https'], { error: 'Not a valid choice.' }).nullish(),
  listen_port: port.nullish(),
  destination_port: port.nullish(),
  proxyprotocol: z.boolean().nullish(),
  http: HTTP.nullish(),
  health_check: HEALTH.nullish(),
});
export type ServicePatch = z.output<typeof SERVICE_PATCH>;

const STATUS_CODE = /^[1-5?*][0-9?*]{0,2}$/;

/**
 * A service with the changes in it; `before` undefined = a new one. What a request leaves out of a new service the API
 * fills in: for http and https the usual ports, and a TCP check of the destination port every 15 s.
 */
export function servicePatched(before: Service | undefined, patch: ServicePatch, knobs: CloudKnobs): Service {
  const protocol = patch.protocol ?? before?.protocol;
  if (protocol === undefined) throw invalidInput('protocol', 'is missing');
  const usual = { tcp: undefined, http: 80, https: 443 }[protocol];
  const listenPort = before?.listenPort ?? patch.listen_port ?? usual;
  if (listenPort === undefined) throw invalidInput('listen_port', 'is missing');
  const destinationPort = patch.destination_port ?? before?.destinationPort ?? (usual === undefined ? undefined : 80);
  if (destinationPort === undefined) throw invalidInput('destination_port', 'is missing');
  const http = protocol === 'tcp' ? null : httpPatched(before?.http ?? null, patch.http ?? {}, knobs);
  if (protocol === 'https' && http?.certificates.length === 0)
    throw invalidInput('http.certificates', 'an https service needs a certificate');
  if (http?.redirectHTTP === true && protocol !== 'https')
    throw invalidInput('http.redirect_http', 'only an https service can redirect');
  return {
    protocol,
    listenPort,
    destinationPort,
    proxyProtocol: patch.proxyprotocol ?? before?.proxyProtocol ?? false,
    http,
    healthCheck: checkPatched(before?.healthCheck, patch.health_check ?? {}, destinationPort, knobs),
  };
}

function httpPatched(
  before: Service['http'],
  patch: NonNullable<ServicePatch['http']>,
  { defaultTimeoutIdle }: CloudKnobs,
): NonNullable<Service['http']> {
  return {
    certificates: patch.certificates ?? before?.certificates ?? [],
    cookieName: patch.cookie_name ?? before?.cookieName ?? 'HCLBSTICKY',
    cookieLifetime: patch.cookie_lifetime ?? before?.cookieLifetime ?? 300,
    redirectHTTP: patch.redirect_http ?? before?.redirectHTTP ?? false,
    stickySessions: patch.sticky_sessions ?? before?.stickySessions ?? false,
    timeoutIdle: patch.timeout_idle ?? before?.timeoutIdle ?? defaultTimeoutIdle,
  };
}

function checkPatched(
  before: HealthCheck | undefined,
  patch: NonNullable<ServicePatch['health_check']>,
  destinationPort: number,
  { healthCheckLimits: most }: CloudKnobs,
): HealthCheck {
  const protocol = patch.protocol ?? before?.protocol ?? 'tcp';
  const interval = within('interval', patch.interval ?? before?.interval ?? 15, 3, most.interval);
  const timeout = within('timeout', patch.timeout ?? before?.timeout ?? 10, 1, most.timeout);
  if (timeout > interval) throw invalidInput('health_check.timeout', 'must not be greater than the interval');
  const http = patch.http ?? {};
  const statusCodes = http.status_codes ?? before?.http?.statusCodes ?? ['2??', '3??'];
  if (statusCodes.length === 0 || !statusCodes.every((code) => STATUS_CODE.test(code)))
    throw invalidInput('health_check.http.status_codes', 'must be status codes, with ? and * as wildcards');
  const path = http.path ?? before?.http?.path ?? '/';
  if (!path.startsWith('/')) throw invalidInput('health_check.http.path', 'must begin with /');
  return {
    protocol,
    port: patch.port ?? before?.port ?? destinationPort,
    interval,
    timeout,
    retries: within('retries', patch.retries ?? before?.retries ?? 3, 1, most.retries),
    http:
      protocol === 'tcp'
        ? null
        : {
            domain: http.domain ?? before?.http?.domain ?? '',
            path,
            response: http.response ?? before?.http?.response ?? '',
            statusCodes,
            tls: http.tls ?? before?.http?.tls ?? false,
          },
  };
}

function within(field: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw invalidInput(`health_check.${field}`, `must be between ${least} and ${most}`);
}
