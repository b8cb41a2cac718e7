import { z } from 'zod';
import * as body from '../bodies.ts';
import { collection } from '../collection.ts';
import { ApiError, invalidInput, limitExceeded } from '../errors.ts';
import { type MissingKey, parseSelector } from '../labels.ts';
import { type Call, type CloudContext, created, noContent, type Reply, type Routes } from '../routes.ts';
import type { Action, Project, Resource } from '../state.ts';
import { time } from '../times.ts';
import { actionView } from '../views.ts';
import { firewallsOf } from './firewall-rules.ts';
import type { Firewall, FirewallRule, FirewallTarget } from './firewall-state.ts';
import { followFirewalls } from './tell.ts';

const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const RULE = z.object({
  direction: z.enum(['in', 'out']),
  protocol: z.enum(['tcp', 'udp', 'icmp', 'esp', 'gre']),
  port: z.string().nullish(),
  source_ips: z.array(cidr).max(100).nullish(),
  destination_ips: z.array(cidr).max(100).nullish(),
  description: z.string().max(255).nullish(),
});
const TARGET = z.object({
  type: z.enum(['server', 'label_selector']),
  server: z.object({ id: body.id }).nullish(),
  label_selector: z.object({ selector: z.string().min(1) }).nullish(),
});
const CREATE = z.object({
  name: z.string().min(1).max(128),
  labels: body.labels.nullish(),
  rules: z.array(RULE).nullish(),
  apply_to: z.array(TARGET).nullish(),
});

function newRule(rule: z.output<typeof RULE>, index: number): FirewallRule {
  const field = `rules.${index}`;
  const { direction, protocol } = rule;
  const hasPorts = protocol === 'tcp' || protocol === 'udp';
  if (hasPorts !== (rule.port != null))
    throw invalidInput(`${field}.port`, hasPorts ? 'is needed for tcp and udp' : `${protocol} has no ports`);
  if (rule.port != null && !isPort(rule.port)) throw invalidInput(`${field}.port`, 'must be a port, a range or any');
  const [sourceIPs, destinationIPs] = [rule.source_ips ?? [], rule.destination_ips ?? []];
  if (direction === 'in' && sourceIPs.length === 0)
    throw invalidInput(`${field}.source_ips`, 'is needed for incoming traffic');
  if (direction === 'out' && destinationIPs.length === 0)
    throw invalidInput(`${field}.destination_ips`, 'is needed for outgoing traffic');
  return {
    direction,
    protocol,
    port: rule.port ?? null,
    sourceIPs,
    destinationIPs,
    description: rule.description ?? null,
  };
}

function isPort(text: string): boolean {
  if (text === 'any') return true;
  const ends = text.split('-').map(Number);
  const [first = 0, last = first] = ends;
  return /^\d{1,5}(-\d{1,5})?$/.test(text) && first >= 1 && last <= 65_535 && first <= last;
}

const namedTarget = (wanted: z.output<typeof TARGET>): FirewallTarget => {
  if (wanted.type === 'server') {
    if (wanted.server == null) throw invalidInput('server', 'is missing');
    return { type: 'server', server: wanted.server.id };
  }
  if (wanted.label_selector == null) throw invalidInput('label_selector', 'is missing');
  parseSelector(wanted.label_selector.selector);
  return { type: 'label_selector', selector: wanted.label_selector.selector };
};

const same = (a: FirewallTarget, b: FirewallTarget): boolean =>
  a.type === 'server'
    ? b.type === 'server' && a.server === b.server
    : b.type === 'label_selector' && a.selector === b.selector;

export const firewallView = (firewall: Firewall, project: Project, missing: MissingKey) => ({
  id: firewall.id,
  name: firewall.name,
  labels: firewall.labels,
  created: time(firewall.created),
  rules: firewall.rules.map((rule) => ({
    direction: rule.direction,
    protocol: rule.protocol,
    port: rule.port,
    source_ips: rule.sourceIPs,
    destination_ips: rule.destinationIPs,
    description: rule.description,
  })),
  applied_to: firewall.appliedTo.map((target) =>
    target.type === 'server'
      ? { type: 'server', server: { id: target.server } }
      : {
          type: 'label_selector',
          label_selector: { selector: target.selector },
          applied_to_resources: [...project.servers.values()]
            .filter((server) => parseSelector(target.selector, missing)(server.labels))
            .map((server) => ({ type: 'server', server: { id: server.id } })),
        },
  ),
});

/** Cloud firewalls: rules in front of the public interfaces of servers. */
export function firewallRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const firewalls = collection<Firewall>(context, {
    one: 'firewall',
    items: project.firewalls,
    view: (firewall) => firewallView(firewall, project, knobs.selectorMissingKey),
  });

  const newRules = (rules: readonly z.output<typeof RULE>[]): FirewallRule[] => {
    if (rules.length > knobs.quotas.rulesPerFirewall)
      throw limitExceeded('firewall_rule_limit', 'firewall rule limit exceeded');
    return rules.map(newRule);
  };
  const newTargets = (firewall: Pick<Firewall, 'appliedTo'>, wanted: readonly z.output<typeof TARGET>[]) =>
    wanted.map((each) => {
      const target = namedTarget(each);
      if (firewall.appliedTo.some((other) => same(other, target)))
        throw new ApiError(422, 'firewall_already_applied', 'firewall is already applied to the resource');
      if (target.type !== 'server') return target;
      const server = project.servers.get(target.server);
      if (server === undefined)
        throw new ApiError(422, 'firewall_resource_not_found', `server ${target.server} not found`);
      if (firewallsOf(project, server, knobs.selectorMissingKey).length >= knobs.quotas.firewallsPerServer)
        throw limitExceeded('firewalls_per_server', 'server has the most firewalls it can have');
      return target;
    });
  const start = (
    firewall: Firewall,
    command: string,
    effect: () => void,
    targets: readonly FirewallTarget[] = [],
  ): Action => {
    const self: Resource = { id: firewall.id, type: 'firewall' };
    const servers = targets.flatMap((t): Resource[] => (t.type === 'server' ? [{ id: t.server, type: 'server' }] : []));
    return actions.start({
      command,
      resources: [self, ...servers],
      // Several may run together.
      locks: knobs.firewallLocksServer ? servers : [],
      delay: knobs.delays.firewall,
      effect: async () => {
        effect();
        await followFirewalls(context);
      },
    });
  };
  /** One action per resource, as the API does; without any, none. */
  const apply = (firewall: Firewall, targets: readonly FirewallTarget[]): Action[] =>
    targets.map((target) =>
      start(
        firewall,
        'apply_firewall',
        () => (firewall.appliedTo = [...firewall.appliedTo.filter((other) => !same(other, target)), target]),
        [target],
      ),
    );
  const reply = (started: readonly Action[]): Reply => created({ actions: started.map(actionView) });

  const create = (call: Call): Reply => {
    const wanted = body.readBody(CREATE, call.body);
    firewalls.unique(wanted.name);
    firewalls.room(knobs.quotas.firewalls);
    const rules = newRules(wanted.rules ?? []);
    const targets = newTargets({ appliedTo: [] }, wanted.apply_to ?? []);
    const firewall: Firewall = {
      id: project.nextId(),
      name: wanted.name,
      labels: wanted.labels ?? {},
      created: options.clock.wall(),
      rules,
      appliedTo: [],
    };
    project.firewalls.set(firewall.id, firewall);
    const started = [start(firewall, 'set_firewall_rules', () => {}), ...apply(firewall, targets)];
    return created({ ...firewalls.answer(firewall), actions: started.map(actionView) });
  };

  return {
    '/firewalls': { GET: firewalls.listing, POST: create },
    '/firewalls/:id': {
      GET: firewalls.show,
      PUT: firewalls.update,
      DELETE: (call) => {
        const firewall = firewalls.find(call);
        if (firewall.appliedTo.length > 0)
          throw new ApiError(422, 'resource_in_use', `firewall with ID ${firewall.id} is still in use`);
        project.firewalls.delete(firewall.id);
        return noContent;
      },
    },
    '/firewalls/:id/actions/set_rules': {
      POST: (call) => {
        const firewall = firewalls.find(call);
        const rules = newRules(body.readBody(z.object({ rules: z.array(RULE) }), call.body).rules);
        return reply([start(firewall, 'set_firewall_rules', () => (firewall.rules = rules))]);
      },
    },
    '/firewalls/:id/actions/apply_to_resources': {
      POST: (call) => {
        const firewall = firewalls.find(call);
        const wanted = body.readBody(z.object({ apply_to: z.array(TARGET).min(1) }), call.body).apply_to;
        return reply(apply(firewall, newTargets(firewall, wanted)));
      },
    },
    '/firewalls/:id/actions/remove_from_resources': {
      POST: (call) => {
        const firewall = firewalls.find(call);
        const wanted = body.readBody(z.object({ remove_from: z.array(TARGET).min(1) }), call.body).remove_from;
        const targets = wanted.map(namedTarget);
        for (const target of targets) {
          // What it is not applied to (since August 2025) is no error, but what a label selector put there stays there.
          if (target.type !== 'server' || firewall.appliedTo.some((other) => same(other, target))) continue;
          const server = project.servers.get(target.server);
          if (server === undefined)
            throw new ApiError(422, 'firewall_resource_not_found', `server ${target.server} not found`);
          if (firewallsOf(project, server, knobs.selectorMissingKey).includes(firewall))
            throw new ApiError(422, 'firewall_managed_by_label_selector', 'firewall is applied via a label selector');
        }
        const remove = (target: FirewallTarget) => () => {
          firewall.appliedTo = firewall.appliedTo.filter((other) => !same(other, target));
        };
        return reply(targets.map((target) => start(firewall, 'remove_firewall', remove(target), [target])));
      },
    },
  };
}
