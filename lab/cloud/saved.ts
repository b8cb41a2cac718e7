import { pickInteger, type Random } from '../../src/base/random.ts';
import { tellBalancer } from './balancers/tell.ts';
import type { CloudContext } from './routes.ts';
import { serversChanged } from './servers-changed.ts';
import { type Action, asCloudFloatingIP, asCloudServer, type Counters, type Project } from './state.ts';
import { asCloudZone } from './zones/context.ts';

/** A whole project as it can be kept: maps, dates and plain values only. */
export interface SavedProject extends Omit<Project, 'nextId' | 'nextPrefix' | 'counters' | 'actions'> {
  readonly counters: Counters;
  readonly actions: readonly Action[];
}

/** Everything of the project; what is returned shares its values with the project. */
export const saveProject = (project: Project): SavedProject => ({
  servers: project.servers,
  floatingIPs: project.floatingIPs,
  primaryIPs: project.primaryIPs,
  networks: project.networks,
  loadBalancers: project.loadBalancers,
  firewalls: project.firewalls,
  certificates: project.certificates,
  placementGroups: project.placementGroups,
  sshKeys: project.sshKeys,
  images: project.images,
  zones: project.zones,
  actions: project.actions.all(),
  firstNetwork: project.firstNetwork,
  counters: project.counters(),
});

/**
 * Puts a kept project in the place of a new one. Its counters go on from beyond whatever may have been given since it
 * was kept, as an id that was given once never comes back.
 */
export function takeUp(project: Project, saved: SavedProject, random: Random): void {
  const tables = ['servers', 'floatingIPs', 'primaryIPs', 'networks', 'loadBalancers', 'firewalls'] as const;
  const others = ['certificates', 'placementGroups', 'sshKeys', 'images', 'zones'] as const;
  for (const name of [...tables, ...others]) {
    // The same table on both sides.
    const table: Map<number, unknown> = project[name];
    table.clear();
    for (const [id, value] of saved[name]) table.set(id, value);
  }
  for (const action of saved.actions) project.actions.add(action);
  const { id, prefix } = saved.counters;
  project.counters({ id: id + pickInteger(random, 100_000, 1_000_000), prefix: prefix + 100_000 });
}

/** Tells the world of everything that leads somewhere, as if it had just come about. */
export async function tellAll(context: CloudContext): Promise<void> {
  const { project, options } = context;
  const { effects } = options;
  const serverOf = (id: number | null | undefined) => {
    const server = id === null || id === undefined ? undefined : project.servers.get(id);
    return server && asCloudServer(server);
  };
  for (const ip of project.primaryIPs.values()) {
    const server = ip.assignee?.type === 'server' ? serverOf(ip.assignee.id) : undefined;
    if (server !== undefined) await effects.primaryIPRouted?.(ip.ip, server);
  }
  for (const server of project.servers.values()) {
    const ip = server.networks.get(project.firstNetwork)?.ip;
    if (ip !== server.privateIPv4)
      await effects.privateIPRouted?.(ip ?? server.privateIPv4, ip === undefined ? undefined : asCloudServer(server));
  }
  for (const fip of project.floatingIPs.values()) await effects.routed(asCloudFloatingIP(fip), serverOf(fip.server));
  for (const zone of project.zones.values()) await effects.zoneChanged?.(asCloudZone(zone));
  for (const balancer of project.loadBalancers.values()) await tellBalancer(context, balancer);
  await serversChanged(context);
}
