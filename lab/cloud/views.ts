import { datacenterOf, type Image, LOCATIONS, type Location, type ServerType } from './catalogue.ts';
import { type Action, type FloatingIP, floatingIPsOf, type Network, type Project, type Server } from './state.ts';
import type { Era } from './types.ts';

/** RFC 3339 to the second, as the API writes it. */
export const time = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;

/** What Hetzner's own reverse names look like. */
const defaultPtr = (ip: string): string => `static.${ip.split('.').toReversed().join('.')}.clients.your-server.de`;

export const actionView = (action: Action) => ({
  id: action.id,
  command: action.command,
  status: action.status,
  progress: action.progress,
  started: time(action.started),
  finished: action.finished === null ? null : time(action.finished),
  resources: action.resources,
  error: action.error,
});

export const floatingIPView = (fip: FloatingIP) => ({
  id: fip.id,
  name: fip.name,
  description: fip.description,
  ip: fip.ip,
  type: 'ipv4',
  server: fip.server,
  dns_ptr: [{ ip: fip.ip, dns_ptr: fip.dnsPtr ?? defaultPtr(fip.ip) }],
  home_location: fip.home,
  blocked: false,
  created: time(fip.created),
  labels: fip.labels,
  protection: fip.protection,
});

export const serverTypeView = (type: ServerType) => ({
  id: type.id,
  name: type.name,
  description: type.name.toUpperCase(),
  category: 'Cost-Optimized',
  cores: type.cores,
  memory: type.memory,
  disk: type.disk,
  storage_type: 'local',
  cpu_type: 'shared',
  architecture: 'x86',
  prices: LOCATIONS.map((place) => ({
    location: place.name,
    price_hourly: { net: type.hourly, gross: type.hourly },
    price_monthly: { net: type.monthly, gross: type.monthly },
    included_traffic: 21_990_232_555_520,
    price_per_tb_traffic: { net: '1.0000000000', gross: '1.0000000000' },
  })),
  deprecated: false,
  deprecation: null,
  locations: LOCATIONS.map(({ id, name }) => ({ id, name, deprecation: null, available: true, recommended: id === 1 })),
});

/** Hetzner's images are older than any project. */
const IMAGE_CREATED = '2025-01-15T08:00:00Z';

export const imageView = (image: Image, era: Era) => ({
  id: image.id,
  type: image.type,
  status: 'available',
  name: image.name,
  description: image.description,
  image_size: image.type === 'snapshot' ? 0.4 : null,
  disk_size: image.type === 'snapshot' ? 10 : 5,
  created: IMAGE_CREATED,
  created_from: null,
  bound_to: null,
  os_flavor: image.os_flavor,
  os_version: image.os_version,
  rapid_deploy: image.type === 'system',
  protection: { delete: false },
  deprecated: null,
  ...(era === 'from-2026-10' ? { deprecation: null } : {}),
  deleted: null,
  labels: {},
  architecture: 'x86',
});

/** `location` came beside `datacenter` in December 2025; the old one left in July 2026. */
const placeOf = (place: Location, era: Era) =>
  era === '2025' ? { datacenter: datacenterOf(place), location: place } : { location: place };

const macOf = (id: number): string =>
  `86:00:00:${[16, 8, 0].map((shift) => ((id >> shift) & 0xff).toString(16).padStart(2, '0')).join(':')}`;

export const serverView = (server: Server, project: Project, locked: boolean, era: Era) => ({
  id: server.id,
  name: server.name,
  status: server.status,
  created: time(server.created),
  public_net: {
    ipv4: {
      id: server.primaryIP,
      ip: server.publicIPv4,
      blocked: false,
      dns_ptr: server.dnsPtr ?? defaultPtr(server.publicIPv4),
    },
    // The lab has no IPv6, and says so as the API does of a server without such a Primary IP.
    ipv6: null,
    floating_ips: floatingIPsOf(project, server.id).map((fip) => fip.id),
    firewalls: [],
  },
  private_net:
    server.attached === undefined
      ? []
      : [
          {
            network: project.network.id,
            ip: server.privateIPv4,
            alias_ips: server.attached.aliasIPs,
            mac_address: macOf(server.id),
          },
        ],
  server_type: serverTypeView(server.type),
  ...placeOf(server.location, era),
  image: imageView(server.image, era),
  iso: null,
  rescue_enabled: false,
  locked,
  backup_window: null,
  outgoing_traffic: 0,
  ingoing_traffic: 0,
  included_traffic: 21_990_232_555_520,
  protection: server.protection,
  labels: server.labels,
  volumes: [],
  load_balancers: [],
  primary_disk_size: server.type.disk,
  placement_group: null,
});

export const primaryIPView = (server: Server, era: Era) => ({
  id: server.primaryIP,
  name: `primary_ip-${server.primaryIP}`,
  ip: server.publicIPv4,
  type: 'ipv4',
  assignee_id: server.id,
  assignee_type: 'server',
  auto_delete: true,
  blocked: false,
  created: time(server.created),
  dns_ptr: [{ ip: server.publicIPv4, dns_ptr: server.dnsPtr ?? defaultPtr(server.publicIPv4) }],
  labels: {},
  ...placeOf(server.location, era),
  protection: { delete: false },
});

const firstAddress = (cidr: string): string => {
  const octets = (cidr.split('/')[0] ?? '').split('.').map(Number);
  return [...octets.slice(0, 3), (octets[3] ?? 0) + 1].join('.');
};

export const networkView = (network: Network, project: Project) => ({
  id: network.id,
  name: network.name,
  created: time(network.created),
  ip_range: network.ipRange,
  subnets: [
    {
      type: 'cloud',
      ip_range: network.ipRange,
      network_zone: 'eu-central',
      gateway: firstAddress(network.ipRange),
      vswitch_id: null,
    },
  ],
  routes: [],
  servers: [...project.servers.values()].filter((s) => s.attached !== undefined).map((s) => s.id),
  load_balancers: [],
  protection: { delete: false },
  labels: {},
  expose_routes_to_vswitch: false,
});
