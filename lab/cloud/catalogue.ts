/** What every project sees alike. Coordinates, names and zones are Hetzner's; the ids of ash, hil and sin are a guess. */
export interface Location {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly country: string;
  readonly city: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly network_zone: string;
}

const location = (
  id: number,
  name: string,
  [description, country, city]: readonly [string, string, string],
  [latitude, longitude]: readonly [number, number],
  network_zone: string,
): Location => ({ id, name, description, country, city, latitude, longitude, network_zone });

export const LOCATIONS: readonly Location[] = [
  location(1, 'fsn1', ['Falkenstein DC Park 1', 'DE', 'Falkenstein'], [50.47612, 12.370071], 'eu-central'),
  location(2, 'nbg1', ['Nuremberg DC Park 1', 'DE', 'Nuremberg'], [49.452102, 11.076665], 'eu-central'),
  location(3, 'hel1', ['Helsinki DC Park 1', 'FI', 'Helsinki'], [60.169855, 24.938379], 'eu-central'),
  location(4, 'ash', ['Ashburn, VA', 'US', 'Ashburn, VA'], [39.045821, -77.487073], 'us-east'),
  location(5, 'hil', ['Hillsboro, OR', 'US', 'Hillsboro, OR'], [45.54222, -122.951924], 'us-west'),
  location(6, 'sin', ['Singapore', 'SG', 'Singapore'], [1.283333, 103.833333], 'ap-southeast'),
];

/** Old eras only: one data center per location, which is all that old clients look at. */
export const datacenterOf = (place: Location) => ({
  id: place.id + 1,
  name: `${place.name}-dc1`,
  description: `${place.city} 1 virtual DC 1`,
  location: place,
  server_types: {
    supported: SERVER_TYPES.map((t) => t.id),
    available: SERVER_TYPES.map((t) => t.id),
    available_for_migration: SERVER_TYPES.map((t) => t.id),
  },
});

export interface ServerType {
  readonly id: number;
  readonly name: string;
  readonly architecture: 'x86' | 'arm';
  readonly cores: number;
  readonly memory: number;
  readonly disk: number;
  /** EUR, net, per hour and month. Only shapes matter here: real prices change and are read from the real API. */
  readonly hourly: string;
  readonly monthly: string;
}

const serverType = (
  id: number,
  name: string,
  architecture: ServerType['architecture'],
  [cores, memory, disk]: readonly [number, number, number],
  [hourly, monthly]: readonly [string, string],
): ServerType => ({ id, name, architecture, cores, memory, disk, hourly, monthly });

/** The small shared ones: enough to run Talos. The id of cx23 is Hetzner's, the others are a guess. */
export const SERVER_TYPES: readonly ServerType[] = [
  serverType(114, 'cx23', 'x86', [2, 4, 40], ['0.0060000000', '3.4900000000']),
  serverType(115, 'cx33', 'x86', [4, 8, 80], ['0.0090000000', '5.4900000000']),
  serverType(116, 'cx43', 'x86', [8, 16, 160], ['0.0160000000', '9.4900000000']),
  serverType(117, 'cx53', 'x86', [16, 32, 320], ['0.0300000000', '17.4900000000']),
  serverType(45, 'cax11', 'arm', [2, 4, 40], ['0.0064000000', '3.9900000000']),
  serverType(93, 'cax21', 'arm', [4, 8, 80], ['0.0113000000', '6.9900000000']),
];

export interface Image {
  readonly id: number;
  readonly type: 'system' | 'snapshot' | 'backup';
  readonly name: string | null;
  readonly description: string;
  readonly os_flavor: string;
  readonly os_version: string | null;
  readonly architecture: 'x86' | 'arm';
  readonly labels: Readonly<Record<string, string>>;
}

const system = (id: number, os_flavor: string, os_version: string, architecture: Image['architecture']): Image => ({
  id,
  type: 'system',
  name: `${os_flavor}-${os_version}`,
  description: `${os_flavor.replace(/^./, (letter) => letter.toUpperCase())} ${os_version}`,
  os_flavor,
  os_version,
  architecture,
  labels: {},
});

/** Whatever image is named, the lab boots Talos: the image is only what the request says. */
export const IMAGES: readonly Image[] = [
  system(114690387, 'debian', '12', 'x86'),
  system(310557660, 'debian', '13', 'x86'),
  system(161547269, 'ubuntu', '24.04', 'x86'),
  system(114690389, 'debian', '12', 'arm'),
  system(310557662, 'debian', '13', 'arm'),
  system(161547270, 'ubuntu', '24.04', 'arm'),
  {
    id: 321000001,
    type: 'snapshot',
    name: null,
    description: 'Talos',
    os_flavor: 'unknown',
    os_version: null,
    architecture: 'x86',
    // As the packer template of Talos' guide labels it.
    labels: { os: 'talos' },
  },
];

export interface ISO {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly type: 'public';
  readonly architecture: 'x86' | 'arm';
}

/** Hetzner offers Talos as a public ISO; the names and all but the first id are a guess. */
export const ISOS: readonly ISO[] = [
  { id: 125127, name: 'talos-v1.12-amd64.iso', description: 'Talos 1.12', type: 'public', architecture: 'x86' },
  { id: 125128, name: 'talos-v1.12-arm64.iso', description: 'Talos 1.12', type: 'public', architecture: 'arm' },
];

export interface LoadBalancerType {
  readonly id: number;
  readonly name: string;
  readonly maxConnections: number;
  readonly maxServices: number;
  readonly maxTargets: number;
  readonly maxCertificates: number;
  readonly hourly: string;
  readonly monthly: string;
  /** Bytes per month. */
  readonly traffic: number;
}

const balancerType = (
  id: number,
  name: string,
  [maxConnections, maxServices, maxTargets, maxCertificates]: readonly [number, number, number, number],
  [hourly, monthly]: readonly [string, string],
  terabytes: number,
): LoadBalancerType => ({
  id,
  name,
  maxConnections,
  maxServices,
  maxTargets,
  maxCertificates,
  hourly,
  monthly,
  traffic: terabytes * 1024 ** 4,
});

/** As documented in 2026; prices are a guess but for the first. */
export const LOAD_BALANCER_TYPES: readonly LoadBalancerType[] = [
  balancerType(1, 'lb11', [10_000, 5, 25, 10], ['0.0120000000', '7.4900000000'], 1),
  balancerType(2, 'lb21', [20_000, 15, 75, 25], ['0.0320000000', '19.9900000000'], 2),
  balancerType(3, 'lb31', [40_000, 30, 150, 50], ['0.0640000000', '39.9900000000'], 3),
];

/** By id, or by the name or the digits that clients send in its place. */
export function byIdOrName<T extends { readonly id: number; readonly name: string | null }>(
  items: readonly T[],
  value: number | string,
): T | undefined {
  return items.find((item) => item.name === value) ?? items.find((item) => item.id === Number(value));
}
