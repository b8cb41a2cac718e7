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
  readonly cores: number;
  readonly memory: number;
  readonly disk: number;
  /** EUR, net, per hour and month. Only shapes matter here: real prices change and are read from the real API. */
  readonly hourly: string;
  readonly monthly: string;
}

/** The small shared x86 ones: enough to run Talos. The id of cx23 is Hetzner's, the others are a guess. */
export const SERVER_TYPES: readonly ServerType[] = [
  { id: 114, name: 'cx23', cores: 2, memory: 4, disk: 40, hourly: '0.0060000000', monthly: '3.4900000000' },
  { id: 115, name: 'cx33', cores: 4, memory: 8, disk: 80, hourly: '0.0090000000', monthly: '5.4900000000' },
  { id: 116, name: 'cx43', cores: 8, memory: 16, disk: 160, hourly: '0.0160000000', monthly: '9.4900000000' },
  { id: 117, name: 'cx53', cores: 16, memory: 32, disk: 320, hourly: '0.0300000000', monthly: '17.4900000000' },
];

export interface Image {
  readonly id: number;
  readonly type: 'system' | 'snapshot';
  readonly name: string | null;
  readonly description: string;
  readonly os_flavor: string;
  readonly os_version: string | null;
}

/** Whatever image is named, the lab boots Talos: the image is only what the request says. */
export const IMAGES: readonly Image[] = [
  { id: 114690387, type: 'system', name: 'debian-12', description: 'Debian 12', os_flavor: 'debian', os_version: '12' },
  { id: 310557660, type: 'system', name: 'debian-13', description: 'Debian 13', os_flavor: 'debian', os_version: '13' },
  {
    id: 161547269,
    type: 'system',
    name: 'ubuntu-24.04',
    description: 'Ubuntu 24.04',
    os_flavor: 'ubuntu',
    os_version: '24.04',
  },
  { id: 321000001, type: 'snapshot', name: null, description: 'Talos', os_flavor: 'unknown', os_version: null },
];

/** By id, or by the name or the digits that clients send in its place. */
export function byIdOrName<T extends { readonly id: number; readonly name: string | null }>(
  items: readonly T[],
  value: number | string,
): T | undefined {
  return items.find((item) => item.name === value) ?? items.find((item) => item.id === Number(value));
}
