import type { CloudContext } from '../routes.ts';
import { asCloudServer } from '../state.ts';
import { firewallsOf } from './firewall-rules.ts';
import type { FirewallRule } from './firewall-state.ts';

const told = new WeakMap<CloudContext, Map<number, string>>();

/**
 * Tells the world which rules stand in front of each server, where that has changed. Without a firewall all may pass;
 * with one or more, what any of their rules lets in (an incoming packet that none names is dropped).
 */
export async function followFirewalls(context: CloudContext): Promise<void> {
  const { project, options, knobs } = context;
  const before = told.get(context) ?? new Map<number, string>();
  told.set(context, before);
  for (const id of before.keys()) if (!project.servers.has(id)) before.delete(id);
  for (const server of project.servers.values()) {
    const firewalls = firewallsOf(project, server, knobs.selectorMissingKey);
    const rules: readonly FirewallRule[] | undefined =
      firewalls.length === 0 ? undefined : firewalls.flatMap((firewall) => firewall.rules);
    const now = JSON.stringify(rules) ?? '';
    if (now === (before.get(server.id) ?? '')) continue;
    before.set(server.id, now);
    await options.effects.firewallChanged?.(asCloudServer(server), rules);
  }
}
