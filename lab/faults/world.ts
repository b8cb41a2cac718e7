import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure } from '../../src/base/failure.ts';
import type { CloudFaults } from '../cloud/faults.ts';
import type { Cloud, CloudEffects } from '../cloud/types.ts';
import type { DnsOptions } from '../dns/types.ts';
import type { Fabric, FabricHost, Party } from '../fabric/types.ts';
import { ruleOf } from './catalogue.ts';
import { cloudFaults } from './cloud.ts';
import { checkDnsAnswer, dnsFaults } from './dns.ts';
import { withFaults } from './effects.ts';
import { disturbancesOf, NETWORK_KINDS } from './network.ts';
import { readFault } from './read.ts';
import { createFaults, type Faults } from './registry.ts';
import { NODE_KINDS } from './nodes/begin.ts';
import type { Patient } from './nodes/hands.ts';
import { beginStanding, type StandingPorts } from './standing.ts';
import type { FaultReport, Parameters } from './types.ts';

/** The faults of one world, joined to its cloud, its machines and its network. */
export interface WorldFaults {
  readonly registry: Faults;
  /** For `startCloud`. */
  readonly cloud: CloudFaults;
  effects(usual: CloudEffects): CloudEffects;
  /** For the name server. */
  readonly dns: NonNullable<DnsOptions['fault']>;
  /** Reads, checks and sets; the names are those of the catalogue. Throws a Failure that says what would be right. */
  set(kind: string, given: Readonly<Record<string, unknown>>): Promise<FaultReport>;
}

export interface WorldFaultPorts {
  readonly clock: Clock;
  readonly fabric: Fabric;
  /** By the name `--token` takes. */
  readonly tokens: Readonly<Record<'fairlead' | 'node' | 'read-only', string>>;
  /** Asked only once the cloud is up. */
  readonly cloud: () => Cloud;
  readonly hosts: () => readonly FabricHost[];
  /** Those who get addresses that were given back. */
  readonly strangers?: () => StandingPorts['strangers'];
  /** Load balancers, by the names that people give them and those that the network knows them by. */
  readonly balancers?: () => readonly { readonly name: string; readonly party: Party }[];
  /** Machines from inside; absent: this world's machines are only hosts. */
  readonly patients?: () => readonly Patient[];
}

export function createWorldFaults(ports: WorldFaultPorts): WorldFaults {
  const { clock, fabric } = ports;
  const host = (name: string): FabricHost | undefined => ports.hosts().find((each) => each.name === name);
  const skips = new Map<string, Set<number>>();
  const skipped = (fault: string): Set<number> => {
    const known = skips.get(fault) ?? new Set<number>();
    skips.set(fault, known);
    return known;
  };
  let effects: CloudEffects | undefined;
  const settlePower = async (id: number): Promise<void> => {
    const server = ports
      .cloud()
      .servers()
      .find((each) => each.id === id);
    const condition = server && host(server.name)?.condition;
    if (server === undefined || condition === undefined) return;
    if (server.status === 'running' && condition === 'off') await effects?.powerOn(server);
    if (server.status === 'off' && condition !== 'off') await effects?.powerOff(server);
  };
  const registry: Faults = createFaults({
    clock,
    begin: (fault, memory) =>
      beginStanding(
        fault,
        {
          tamper: ports.cloud().tamper,
          servers: () => ports.cloud().servers(),
          condition: (node) => host(node)?.condition,
          setCondition: async (node, condition) => host(node)?.setCondition(condition),
          leadNowhere: (address) => fabric.route(address, undefined),
          strangers: ports.strangers?.(),
          skipped,
          settlePower,
          network: async () => fabric.disturb?.(disturbancesOf(registry)),
          nodes: ports.patients && { clock, patients: ports.patients, tamper: ports.cloud().tamper },
        },
        memory,
      ),
  });
  return {
    registry,
    cloud: cloudFaults(registry, {
      clock,
      tokens: ports.tokens,
      serverName: (id) =>
        ports
          .cloud()
          .servers()
          .find((server) => server.id === id)?.name,
    }),
    dns: dnsFaults(registry, clock),
    effects(usual) {
      effects = usual;
      return withFaults(usual, registry, (ip) => fabric.routed(ip)?.name, skipped);
    },
    set(kind, given) {
      const balancers = ports.balancers?.() ?? [];
      const names = {
        nodes: ports
          .cloud()
          .servers()
          .map((server) => server.name),
        balancers: balancers.map(({ name }) => name),
      };
      const read = readFault(kind, given, names);
      const spec = { kind, parameters: byParty(read.parameters, names.nodes, balancers) };
      if (NETWORK_KINDS.has(kind) && fabric.disturb === undefined)
        throw notHere(kind, `the ${fabric.kind} fabric has no rules between parties`);
      if (NODE_KINDS.has(kind) && ports.patients === undefined)
        throw notHere(kind, 'the machines of this world are only hosts');
      if (NETWORK_KINDS.has(kind) && fabric.kind === 'netns' && spec.parameters['count'] !== undefined)
        throw notHere(
          `${kind} with a count`,
          'in network namespaces the kernel drops packets and counts no connections',
        );
      if (kind === 'dns') checkDnsAnswer(spec.parameters);
      if (fabric.kind === 'loopback') checkParties(spec.parameters, kind);
      if (ruleOf(kind)?.parameters.some((rule) => rule.form === 'address') !== true) return registry.set(spec);
      // Named by its address from here on, so that what is led there can be told by it.
      const { address } = spec.parameters;
      const fip = ports.cloud().tamper.floatingIP(address === undefined ? undefined : String(address));
      return registry.set(fip === undefined ? spec : { kind, parameters: { ...spec.parameters, address: fip.ip } });
    },
  };
}

/** A load balancer is set down under the name that the network has for it: the other may change. */
function byParty(
  parameters: Parameters,
  nodes: readonly string[],
  balancers: readonly { readonly name: string; readonly party: Party }[],
): Parameters {
  const renamed = ['from', 'to'].flatMap((key): [string, Party][] => {
    const value = parameters[key];
    const known = balancers.find(({ name }) => name === value && !nodes.includes(name));
    return known === undefined ? [] : [[key, known.party]];
  });
  return { ...parameters, ...Object.fromEntries(renamed) };
}

/** Only clients ask the name server here, and they ask over UDP: they can be cut off from it, nothing finer. */
function checkParties({ from, to }: Parameters, kind: string): void {
  if (from !== 'dns' && to !== 'dns') return;
  if (kind !== 'partition')
    throw notHere(
      `${kind} on the way to DNS`,
      'its questions travel as single packets of UDP; use a partition or `dns`',
    );
  if (from !== 'client' && to !== 'client') throw notHere(kind, 'of this lab, only clients ask the name server');
}

const notHere = (kind: string, why: string): Failure =>
  new Failure({
    code: 'lab-fault-impossible',
    exit: EXIT.refused,
    what: `${kind} cannot be set here`,
    why,
    state: 'The lab is as it was.',
    next: 'See `fairlead lab info` for what this lab is made of.',
  });
