import type { CloudContext } from './routes.ts';
import { asCloudFloatingIP, asCloudServer, type FloatingIP } from './state.ts';
import type { CloudFloatingIP } from './types.ts';

/** A stranger's hand on the project: changes its record without a request, an action or an audit line of ours. */
export interface CloudTamper {
  /** By id, address or name; also one that was taken out. */
  floatingIP(which: string | undefined): CloudFloatingIP | undefined;
  floatingIPs(): readonly CloudFloatingIP[];
  /** Assigns it, or to nobody, and leads it there. */
  move(id: number, server: number | null): Promise<void>;
  /** Takes it out of the project's record, for `unhide`. Where it leads stays. */
  hide(id: number): FloatingIP | undefined;
  unhide(fip: FloatingIP): void;
  isProtected(id: number): boolean;
  protect(id: number, on: boolean): void;
  /** Leads one that was taken out where its own record says. */
  lead(fip: FloatingIP): Promise<void>;
  /** Leads it where the record says. */
  reroute(id: number): Promise<void>;
}

export function createTamper({ project, options }: Pick<CloudContext, 'project' | 'options'>): CloudTamper {
  const all = (): FloatingIP[] => [...project.floatingIPs.values()];
  const lead = async (fip: FloatingIP): Promise<void> => {
    const server = fip.server === null ? undefined : project.servers.get(fip.server);
    await options.effects.routed(asCloudFloatingIP(fip), server && asCloudServer(server));
  };
  const reroute = async (id: number): Promise<void> => {
    const fip = project.floatingIPs.get(id);
    if (fip !== undefined) await lead(fip);
  };
  return {
    floatingIP(which) {
      const known = all();
      const found =
        which === undefined
          ? known.length === 1
            ? known[0]
            : undefined
          : known.find((fip) => String(fip.id) === which || fip.ip === which || fip.name === which);
      return found && asCloudFloatingIP(found);
    },
    floatingIPs: () => all().map(asCloudFloatingIP),
    async move(id, server) {
      const fip = project.floatingIPs.get(id);
      if (fip === undefined) return;
      fip.server = server;
      await reroute(id);
    },
    hide(id) {
      const fip = project.floatingIPs.get(id);
      if (fip !== undefined) project.floatingIPs.delete(id);
      return fip;
    },
    unhide(fip) {
      // A server that is gone meanwhile took its assignment with it.
      if (fip.server !== null && !project.servers.has(fip.server)) fip.server = null;
      project.floatingIPs.set(fip.id, fip);
      const inOrder = all().toSorted((a, b) => a.id - b.id);
      project.floatingIPs.clear();
      for (const each of inOrder) project.floatingIPs.set(each.id, each);
    },
    isProtected: (id) => project.floatingIPs.get(id)?.protection.delete === true,
    protect(id, on) {
      const fip = project.floatingIPs.get(id);
      if (fip !== undefined) fip.protection = { delete: on };
    },
    lead,
    reroute,
  };
}
