import { type MissingKey, parseSelector } from '../labels.ts';
import type { Project, Server } from '../state.ts';
import type { Firewall } from './firewall-state.ts';

/** The firewalls in front of a server's public interface, applied to it by id or by its labels. */
export const firewallsOf = (project: Project, server: Pick<Server, 'id' | 'labels'>, missing: MissingKey): Firewall[] =>
  [...project.firewalls.values()].filter(({ appliedTo }) =>
    appliedTo.some((target) =>
      target.type === 'server' ? target.server === server.id : parseSelector(target.selector, missing)(server.labels),
    ),
  );
