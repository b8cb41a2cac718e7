import { EXIT, Failure } from '../../src/base/failure.ts';
import type { CloudFloatingIP } from '../cloud/types.ts';
import type { CloudTamper } from '../cloud/tamper.ts';
import type { HostCondition } from '../fabric/types.ts';
import { beginNodeFault } from './nodes/begin.ts';
import type { NodeHands } from './nodes/hands.ts';
import type { Fault, Standing } from './types.ts';

/** What the standing faults lay hands on. */
export interface StandingPorts {
  readonly tamper: CloudTamper;
  /** Servers of the project, by id and name. */
  readonly servers: () => readonly { readonly id: number; readonly name: string }[];
  readonly condition: (node: string) => HostCondition | undefined;
  readonly setCondition: (node: string, condition: HostCondition) => Promise<void>;
  /** Leads a floating IP nowhere, whatever the record says. */
  readonly leadNowhere: (address: string) => Promise<void>;
  /** Addresses that were given back; absent: this world has nobody else. */
  readonly strangers: { give(address: string): Promise<void>; takeBack(address: string): Promise<void> } | undefined;
  /** Ids of servers that a fault kept from being switched; to be added to and emptied. */
  readonly skipped: (fault: string) => Set<number>;
  /** Switches a machine on or off, as the record says. */
  readonly settlePower: (server: number) => Promise<void>;
  /** Rules between parties have changed. */
  readonly network: () => Promise<void>;
  /** Machines from inside; absent: this world's machines are only hosts. */
  readonly nodes?: NodeHands | undefined;
}

/**
 * Brings a fault that changes the world into force, and says how it is put right. The others are asked for when needed.
 * `memory`: it has changed the world already, which was kept since; only the way back is made anew.
 */
export async function beginStanding(
  fault: Fault,
  ports: StandingPorts,
  memory?: unknown,
): Promise<Standing | undefined> {
  switch (fault.kind) {
    case 'address-moved':
    case 'address-deleted':
    case 'address-unprotected':
    case 'address-foreign':
    case 'address-unrouted':
      return beginAddress(fault, ports, memory as AddressMemory | undefined);
    case 'action-without-effect':
      return beginWithoutEffect(fault, ports, memory as WithoutEffectMemory | undefined);
    case 'address-stranger':
      return beginStranger(String(fault.parameters['address']), ports);
    case 'node-hung':
    case 'node-refusing':
      return beginCondition(fault, ports);
    case 'partition':
    case 'latency':
    case 'loss':
    case 'firewall': {
      await ports.network();
      return {
        note: 'in force',
        undo: async () => {
          await ports.network();
          return undefined;
        },
      };
    }
    default:
      return ports.nodes === undefined ? undefined : beginNodeFault(fault, ports.nodes);
  }
}

interface WithoutEffectMemory {
  /** Ids of servers that were not switched. */
  readonly skipped: readonly number[];
}

function beginWithoutEffect(fault: Fault, ports: StandingPorts, memory: WithoutEffectMemory | undefined): Standing {
  const skipped = ports.skipped(fault.id);
  for (const id of memory?.skipped ?? []) skipped.add(id);
  return {
    note: 'addresses are led where the record says, and machines switched as it says, when it is cleared',
    get memory() {
      return { skipped: [...skipped] } satisfies WithoutEffectMemory;
    },
    undo: async () => {
      for (const { id } of ports.tamper.floatingIPs()) await ports.tamper.reroute(id);
      for (const id of skipped) await ports.settlePower(id);
      skipped.clear();
      return undefined;
    },
  };
}

interface AddressMemory {
  readonly fip: CloudFloatingIP;
  /** Of an address that was moved. */
  readonly to?: { readonly id: number; readonly name: string };
  /** Of one that was taken out. */
  readonly hidden?: Parameters<CloudTamper['unhide']>[0];
  readonly wasProtected?: boolean;
}

async function beginAddress(fault: Fault, ports: StandingPorts, memory?: AddressMemory): Promise<Standing> {
  const { tamper } = ports;
  const fip = memory?.fip ?? addressOf(fault, ports);
  const now = (): CloudFloatingIP | undefined => tamper.floatingIP(String(fip.id));
  const nameOf = (id: number | null): string =>
    id === null ? 'nobody' : (ports.servers().find((server) => server.id === id)?.name ?? `server ${id}`);
  switch (fault.kind) {
    case 'address-moved': {
      const to = memory?.to ?? strangerOf(fault, fip, ports);
      if (memory === undefined) await tamper.move(fip.id, to.id);
      return {
        memory: { fip, to } satisfies AddressMemory,
        acted: true,
        note: `${fip.ip} was moved from ${nameOf(fip.server)} to ${to.name}`,
        undo: async () => {
          const current = now();
          if (current === undefined) return `${fip.ip} is gone; nothing was moved back`;
          if (current.server !== to.id) return `somebody has assigned ${fip.ip} since; it was left there`;
          const gone = fip.server !== null && !ports.servers().some((server) => server.id === fip.server);
          await tamper.move(fip.id, gone ? null : fip.server);
          return gone ? `the holder before is gone; ${fip.ip} is assigned to nobody` : undefined;
        },
      };
    }
    case 'address-deleted':
    case 'address-foreign': {
      const hidden = memory?.hidden ?? tamper.hide(fip.id);
      if (fault.kind === 'address-deleted') await ports.leadNowhere(fip.ip);
      else if (memory?.hidden !== undefined) await tamper.lead(memory.hidden);
      return {
        acted: true,
        note: `${fip.ip} (id ${fip.id}) is no longer in the project`,
        memory: { fip, ...(hidden && { hidden }) } satisfies AddressMemory,
        undo: async () => {
          if (hidden !== undefined) tamper.unhide(hidden);
          await tamper.reroute(fip.id);
          return undefined;
        },
      };
    }
    case 'address-unprotected': {
      const was = memory?.wasProtected ?? tamper.isProtected(fip.id);
      tamper.protect(fip.id, false);
      return {
        memory: { fip, wasProtected: was } satisfies AddressMemory,
        acted: true,
        note: was ? `${fip.ip} can be deleted` : `${fip.ip} was not protected before`,
        undo: async () => {
          if (was) tamper.protect(fip.id, true);
          return was && now() === undefined ? `${fip.ip} is gone` : undefined;
        },
      };
    }
    default:
      // The rule in force is this fault itself: while it is there, every change of the route is swallowed.
      await ports.leadNowhere(fip.ip);
      return {
        acted: true,
        note: `${fip.ip} leads nowhere`,
        undo: async () => {
          await tamper.reroute(fip.id);
          return undefined;
        },
      };
  }
}

async function beginStranger(address: string, { tamper, strangers }: StandingPorts): Promise<Standing> {
  if (strangers === undefined) throw refused('this world has no other customers', 'See `fairlead lab info`.');
  if (tamper.floatingIPs().some(({ ip }) => ip === address))
    throw refused(`${address} is still a floating IP of this project`, 'Delete it first, or name another address.');
  await strangers.give(address);
  return {
    acted: true,
    note: `${address} is a stranger's`,
    undo: async () => {
      await strangers.takeBack(address);
      return undefined;
    },
  };
}

async function beginCondition(fault: Fault, ports: StandingPorts): Promise<Standing> {
  const node = String(fault.parameters['node']);
  const wanted = fault.kind === 'node-hung' ? 'hung' : 'refusing';
  const before = ports.condition(node);
  if (before !== 'up')
    throw refused(
      `${node} is ${before ?? 'gone'}`,
      'Only a machine that is up can hang or refuse: see `fairlead lab info`.',
    );
  await ports.setCondition(node, wanted);
  return {
    acted: true,
    note: `${node} is ${wanted}`,
    undo: async () => {
      if (ports.condition(node) !== wanted) return `${node} has been switched or deleted since; it was left so`;
      await ports.setCondition(node, 'up');
      return undefined;
    },
  };
}

function addressOf(fault: Fault, { tamper }: StandingPorts): CloudFloatingIP {
  const which = fault.parameters['address'];
  const fip = tamper.floatingIP(which === undefined ? undefined : String(which));
  if (fip !== undefined) return fip;
  const known = tamper.floatingIPs().map(({ ip, name }) => `${ip} (${name})`);
  throw refused(
    which === undefined ? `the project has ${known.length} floating IPs` : `the project has no floating IP ${which}`,
    known.length === 0 ? 'Make one first, with `fairlead apply` or `hcloud`.' : `Give --address: ${known.join(', ')}.`,
  );
}

function strangerOf(fault: Fault, fip: CloudFloatingIP, ports: StandingPorts): { id: number; name: string } {
  const { node } = fault.parameters;
  const to = ports
    .servers()
    .toReversed()
    .find((server) => (node === undefined ? server.id !== fip.server : server.name === node));
  if (to === undefined) throw refused('the project has no server that could take it', 'Give --node NAME.');
  return to;
}

const refused = (why: string, next: string): Failure =>
  new Failure({
    code: 'lab-fault-impossible',
    exit: EXIT.refused,
    what: 'The fault was not set',
    why,
    state: 'The lab is as it was.',
    next,
  });
