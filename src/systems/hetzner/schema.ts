import * as z from 'zod';
import type { FloatingIP, Location, Server } from './types.ts';

// Strict about what is needed, silent about the rest: the API gains fields every month.

const id = z.int().nonnegative();
const labels = z.record(z.string(), z.string()).nullish();

const location = z.object({ name: z.string(), network_zone: z.string() });

const server = z
  .object({
    id,
    name: z.string(),
    status: z.string(),
    public_net: z.object({
      ipv4: z.object({ ip: z.string() }).nullish(),
      floating_ips: z.array(id).nullish(),
    }),
    private_net: z.array(z.object({ network: id, ip: z.string(), alias_ips: z.array(z.string()).nullish() })).nullish(),
    labels,
    location: location.nullish(),
    // Until July 2026 the location stood inside a data center.
    datacenter: z.object({ location }).nullish(),
  })
  .transform((raw, context): Server => {
    const where = raw.location ?? raw.datacenter?.location;
    if (where === undefined) {
      context.addIssue({ code: 'custom', path: ['location'], message: 'missing' });
      return z.NEVER;
    }
    return {
      id: raw.id,
      name: raw.name,
      status: raw.status,
      publicIPv4: raw.public_net.ipv4?.ip,
      privateIPv4: (raw.private_net ?? []).map((n) => ({ network: n.network, ip: n.ip, aliasIps: n.alias_ips ?? [] })),
      floatingIPs: raw.public_net.floating_ips ?? [],
      labels: raw.labels ?? {},
      location: where.name,
      networkZone: where.network_zone,
    };
  });

const floatingIP = z
  .object({
    id,
    name: z.string(),
    ip: z.string(),
    type: z.enum(['ipv4', 'ipv6']),
    server: id.nullable(),
    labels,
    home_location: location,
    protection: z.object({ delete: z.boolean() }),
  })
  .transform((raw): FloatingIP => ({
    id: raw.id,
    name: raw.name,
    ip: raw.ip,
    type: raw.type,
    server: raw.server,
    labels: raw.labels ?? {},
    homeLocation: raw.home_location.name,
    networkZone: raw.home_location.network_zone,
    protected: raw.protection.delete,
  }));

const action = z.object({
  id,
  command: z.string().nullish(),
  status: z.enum(['running', 'success', 'error']),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});

export type Action = z.infer<typeof action>;

const meta = z.object({ pagination: z.object({ next_page: z.int().positive().nullish() }).nullish() }).nullish();

export const serversPage = z.object({ servers: z.array(server), meta });
export const floatingIPsPage = z.object({ floating_ips: z.array(floatingIP), meta });
export const locationsPage = z.object({
  locations: z.array(location.transform((raw): Location => ({ name: raw.name, networkZone: raw.network_zone }))),
  meta,
});
export const oneFloatingIP = z.object({ floating_ip: floatingIP });
export const createdFloatingIP = z.object({ floating_ip: floatingIP, action: action.nullish() });
export const startedAction = z.object({ action });
export const actionsPage = z.object({ actions: z.array(action) });

export const errorBody = z.object({
  error: z.object({ code: z.string().min(1), message: z.string().nullish() }),
});

/** An answer that brings nothing (204). */
export const noBody = z.unknown();
