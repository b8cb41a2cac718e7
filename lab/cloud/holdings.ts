import type { Firewall } from './access/firewall-state.ts';
import { type MissingKey, parseSelector } from './labels.ts';
import type { PrimaryIP } from './networking/primary-ip-state.ts';
import type { Project, Server } from './state.ts';

type Family = 'ipv4' | 'ipv6';
type Holder = { readonly type: 'server' | 'load_balancer'; readonly id: number };

/** Who has what in a project at this moment. */
export interface Holdings {
  primaryIP(holder: Holder, family: Family): PrimaryIP | undefined;
  /** Ids of the floating IPs assigned to a server. */
  floatingIPs(server: number): readonly number[];
  /** The firewalls in front of a server's public interface, applied to it by id or by its labels. */
  firewalls(server: Pick<Server, 'id' | 'labels'>): readonly Firewall[];
  /** Ids of the balancers a server is a target of. */
  loadBalancers(server: number): readonly number[];
  /** Ids of the servers in a placement group. */
  groupMembers(group: number): readonly number[];
}

/**
 * Looks through the project once for each question, however many items of a page ask it: to be thrown away with the
 * answer it was made for.
 */
export function holdingsOf(project: Project, missing?: MissingKey): Holdings {
  const ips = once(() => {
    const held = new Map<string, PrimaryIP>();
    for (const ip of project.primaryIPs.values())
      if (ip.assignee != null) held.set(`${ip.assignee.type}/${ip.assignee.id}/${ip.type}`, ip);
    return held;
  });
  const floatingIPs = once(() =>
    grouped([...project.floatingIPs.values()].flatMap(({ id, server }) => (server === null ? [] : [[server, id]]))),
  );
  const loadBalancers = once(() =>
    grouped(
      [...project.loadBalancers.values()].flatMap(({ id, targets }) => {
        const servers = targets.flatMap((target) =>
          target.type === 'server' ? [target.server] : target.type === 'ip' ? [] : target.servers,
        );
        return [...new Set(servers)].map((server): [number, number] => [server, id]);
      }),
    ),
  );
  const members = once(() =>
    grouped(
      [...project.servers.values()].flatMap(({ id, placementGroup }) =>
        placementGroup === null ? [] : [[placementGroup, id]],
      ),
    ),
  );
  const firewalls = once(() =>
    [...project.firewalls.values()].map((firewall) => ({
      firewall,
      servers: new Set(firewall.appliedTo.flatMap((target) => (target.type === 'server' ? [target.server] : []))),
      selectors: firewall.appliedTo.flatMap((target) =>
        target.type === 'server' ? [] : [parseSelector(target.selector, missing)],
      ),
    })),
  );
  return {
    primaryIP: ({ type, id }, family) => ips().get(`${type}/${id}/${family}`),
    floatingIPs: (server) => floatingIPs().get(server) ?? [],
    firewalls: ({ id, labels }) =>
      firewalls()
        .filter(({ servers, selectors }) => servers.has(id) || selectors.some((matches) => matches(labels)))
        .map(({ firewall }) => firewall),
    loadBalancers: (server) => loadBalancers().get(server) ?? [],
    groupMembers: (group) => members().get(group) ?? [],
  };
}

function grouped(pairs: readonly (readonly number[])[]): ReadonlyMap<number, readonly number[]> {
  const groups = new Map<number, number[]>();
  for (const [key = 0, value = 0] of pairs) {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
