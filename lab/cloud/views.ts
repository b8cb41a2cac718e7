import {
  datacenterOf,
  type Image,
  type ISO,
  LOCATIONS,
  type Location,
  SERVER_TYPES,
  type ServerType,
} from './catalogue.ts';
import { type Holdings, holdingsOf } from './holdings.ts';
import type { OwnImage } from './image-state.ts';
import type { CloudKnobs } from './knobs.ts';
import { list } from './listing.ts';
import { gatewayOf } from './networking/membership.ts';
import type { Network } from './networking/network-state.ts';
import type { PrimaryIP } from './networking/primary-ip-state.ts';
import { defaultPtr, dnsPtrView } from './reverse-dns.ts';
import type { Action, FloatingIP, PlacementGroup, Project, Server } from './state.ts';
import { time } from './times.ts';
import type { Era } from './types.ts';

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
  type: fip.type,
  server: fip.server,
  dns_ptr: dnsPtrView(fip),
  home_location: fip.home,
  blocked: false,
  created: time(fip.created),
  labels: fip.labels,
  protection: fip.protection,
});

const serverTypeViewOf = (type: ServerType) => ({
  id: type.id,
  name: type.name,
  description: type.name.toUpperCase(),
  category: 'Cost-Optimized',
  cores: type.cores,
  memory: type.memory,
  disk: type.disk,
  storage_type: 'local',
  cpu_type: 'shared',
  architecture: type.architecture,
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

const SERVER_TYPE_VIEWS = new Map(SERVER_TYPES.map((type) => [type, serverTypeViewOf(type)]));
/** The same object each time: nothing of it changes, and every server's answer has it. */
export const serverTypeView = (type: ServerType) => SERVER_TYPE_VIEWS.get(type) ?? serverTypeViewOf(type);

/** Hetzner's images are older than any project. */
const IMAGE_CREATED = '2025-01-15T08:00:00Z';

export function imageView(image: Image | OwnImage, era: Era) {
  const own = 'createdFrom' in image ? image : undefined;
  return {
    id: image.id,
    type: image.type,
    status: own?.status ?? 'available',
    name: image.name,
    description: image.description,
    // A system image's is not told, and one that is being made has none yet.
    image_size: image.type === 'system' || own?.status === 'creating' ? null : 0.4,
    disk_size: own?.diskSize ?? (image.type === 'system' ? 5 : 10),
    created: own === undefined ? IMAGE_CREATED : time(own.created),
    created_from: own?.createdFrom ?? null,
    bound_to: own?.boundTo ?? null,
    os_flavor: image.os_flavor,
    os_version: image.os_version,
    rapid_deploy: image.type === 'system',
    protection: own?.protection ?? { delete: false },
    deprecated: null,
    ...(era === 'from-2026-10' ? { deprecation: null } : {}),
    deleted: own?.deleted == null ? null : time(own.deleted),
    labels: image.labels,
    architecture: image.architecture,
  };
}

export const isoView = (iso: ISO) => ({ ...iso, deprecation: null });

export const placementGroupView = (group: PlacementGroup, project: Project, held: Holdings = holdingsOf(project)) => ({
  id: group.id,
  name: group.name,
  type: 'spread',
  labels: group.labels,
  created: time(group.created),
  servers: held.groupMembers(group.id),
});

/** `location` came beside `datacenter` in December 2025; the old one left in July 2026. */
const placeOf = (place: Location, era: Era) =>
  era === '2025' ? { datacenter: datacenterOf(place), location: place } : { location: place };

/** Of an interface in a private network. */
export const macOf = (id: number): string =>
  `86:00:00:${[16, 8, 0].map((shift) => ((id >> shift) & 0xff).toString(16).padStart(2, '0')).join(':')}`;

function publicNetView(server: Server, held: Holdings) {
  const holder = { type: 'server', id: server.id } as const;
  const [ipv4, ipv6] = [held.primaryIP(holder, 'ipv4'), held.primaryIP(holder, 'ipv6')];
  return {
    ipv4: ipv4 && {
      id: ipv4.id,
      ip: ipv4.ip,
      blocked: false,
      dns_ptr: ipv4.dnsPtr.get(ipv4.ip) ?? defaultPtr(ipv4.ip),
    },
    ipv6: ipv6 && { id: ipv6.id, ip: ipv6.ip, blocked: false, dns_ptr: dnsPtrView(ipv6) },
  };
}

export function serverView(
  server: Server,
  project: Project,
  locked: boolean,
  era: Era,
  held: Holdings = holdingsOf(project),
) {
  const { ipv4 = null, ipv6 = null } = publicNetView(server, held);
  const group = server.placementGroup === null ? undefined : project.placementGroups.get(server.placementGroup);
  return {
    id: server.id,
    name: server.name,
    status: server.status,
    created: time(server.created),
    public_net: {
      ipv4,
      ipv6,
      floating_ips: held.floatingIPs(server.id),
      firewalls: held.firewalls(server).map(({ id }) => ({ id, status: 'applied' })),
    },
    private_net: [...server.networks].map(([network, { ip, aliasIPs }]) => ({
      network,
      ip,
      alias_ips: aliasIPs,
      mac_address: macOf(server.id + (network === project.firstNetwork ? 0 : network)),
    })),
    server_type: serverTypeView(server.type),
    ...placeOf(server.location, era),
    image: imageView(server.image, era),
    iso: server.iso && isoView(server.iso),
    rescue_enabled: server.rescue === 'enabled',
    locked,
    backup_window: server.backupWindow,
    outgoing_traffic: 0,
    ingoing_traffic: 0,
    included_traffic: 21_990_232_555_520,
    protection: server.protection,
    labels: server.labels,
    volumes: [],
    load_balancers: held.loadBalancers(server.id),
    primary_disk_size: server.type.disk,
    placement_group: group === undefined ? null : placementGroupView(group, project, held),
  };
}

export const primaryIPView = (ip: PrimaryIP, era: Era) => ({
  id: ip.id,
  name: ip.name,
  ip: ip.ip,
  type: ip.type,
  assignee_id: ip.assignee?.id ?? null,
  // Unassigned ones said `server` until the summer of 2026.
  assignee_type: ip.assignee?.type ?? (era === '2025' ? 'server' : 'unassigned'),
  auto_delete: ip.autoDelete,
  blocked: false,
  created: time(ip.created),
  dns_ptr: dnsPtrView(ip),
  labels: ip.labels,
  ...placeOf(ip.location, era),
  protection: ip.protection,
});

export const networkView = (network: Network, project: Project) => ({
  id: network.id,
  name: network.name,
  created: time(network.created),
  ip_range: network.ipRange,
  subnets: network.subnets.map((subnet) => ({
    type: subnet.type,
    ip_range: subnet.ipRange,
    network_zone: subnet.networkZone,
    gateway: gatewayOf(network),
    vswitch_id: subnet.vswitch,
  })),
  routes: network.routes,
  servers: [...project.servers.values()].filter((s) => s.networks.has(network.id)).map((s) => s.id),
  load_balancers: [...project.loadBalancers.values()]
    .filter((b) => b.attached?.network === network.id)
    .map((b) => b.id),
  protection: network.protection,
  labels: network.labels,
  expose_routes_to_vswitch: network.exposeRoutesToVSwitch,
});

/** Who is in a network (since October 2026). */
export function networkMembersView(
  network: Network,
  project: Project,
  url: URL,
  { perPageAboveLimit, networkMemberStatus: status }: CloudKnobs,
) {
  const subnet = network.subnets[0]?.ipRange ?? null;
  const servers = [...project.servers.values()].flatMap(({ id, networks }) => {
    const place = networks.get(network.id);
    return place === undefined ? [] : [{ type: 'server', id, ip: place.ip, status, alias_ips: place.aliasIPs, subnet }];
  });
  const balancers = [...project.loadBalancers.values()].flatMap(({ id, attached }) =>
    attached?.network === network.id
      ? [{ type: 'load_balancer', id, ip: attached.ip, status, alias_ips: [], subnet }]
      : [],
  );
  const rules = { key: 'members', sorts: { id: (member: { id: number }) => member.id }, perPageAboveLimit };
  return list([...servers, ...balancers], url, rules, (member) => member).body;
}
