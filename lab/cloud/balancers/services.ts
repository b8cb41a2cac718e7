import { ApiError, invalidInput, limitExceeded } from '../errors.ts';
import type { CloudContext } from '../routes.ts';
import { servicePatched, type ServicePatch } from './service-bodies.ts';
import type { LoadBalancer, Service } from './state.ts';

function checkCertificates({ project }: CloudContext, balancer: LoadBalancer, service: Service): Service {
  const certificates = service.http?.certificates ?? [];
  for (const id of certificates)
    if (!project.certificates.has(id)) throw invalidInput('http.certificates', `certificate ${id} not found`);
  if (certificates.length > balancer.type.maxCertificates)
    throw limitExceeded('load_balancer_certificate_limit', 'load balancer certificate limit exceeded');
  return service;
}

/** The ports a service takes: one that redirects takes port 80 too. */
const portsOf = (service: Service): readonly number[] =>
  service.http?.redirectHTTP === true ? [service.listenPort, 80] : [service.listenPort];

export function newService(context: CloudContext, balancer: LoadBalancer, wanted: ServicePatch): Service {
  const service = servicePatched(undefined, wanted, context.knobs);
  if (balancer.services.some((other) => portsOf(other).some((port) => portsOf(service).includes(port))))
    throw new ApiError(422, 'source_port_already_used', `port ${service.listenPort} is already used`);
  if (balancer.services.length >= balancer.type.maxServices)
    throw limitExceeded('load_balancer_service_limit', 'load balancer service limit exceeded');
  return checkCertificates(context, balancer, service);
}

export const changedService = (
  context: CloudContext,
  balancer: LoadBalancer,
  before: Service,
  patch: ServicePatch,
): Service => checkCertificates(context, balancer, servicePatched(before, patch, context.knobs));
