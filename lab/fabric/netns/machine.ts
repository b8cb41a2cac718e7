import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { FabricHost, HostCondition, IngressPolicy } from '../types.ts';
import {
  behind6,
  GATEWAY_6,
  isIPv6,
  linkOf,
  MACHINE_END,
  NEXT_HOP_6,
  PRIVATE_GATEWAY,
  PRIVATE_RANGE,
  PUBLIC_GATEWAY,
} from './addresses.ts';
import { ip, makePlace, nft, type Place, run } from './commands.ts';
import type { Relays } from './relays.ts';
import { HANG_PORT, machineRules, senderRules } from './rules.ts';

export interface MachinePorts {
  readonly name: string;
  /** Names its links: p3, v3 and b3 are the router's and the lab's ends of machine 3. */
  readonly number: number;
  readonly dir: string;
  readonly hidden: string;
  /** Whether this kernel has IPv6. */
  readonly ipv6: boolean;
  /** Undefined where this process may not give a child another group. */
  readonly group: number | undefined;
  readonly here: Place;
  readonly router: Place;
  /** Makes a listener that accepts and says nothing. */
  readonly hang: (address: string, port: number) => Promise<void>;
  readonly relays: Relays;
  readonly removed: (machine: NetnsMachine) => void;
  /** Addresses that are led to this machine. */
  readonly leading: (machine: NetnsMachine) => readonly string[];
}

export interface NetnsMachine extends FabricHost {
  readonly number: number;
  /** Its namespace and links exist. */
  readonly ready: Promise<void>;
  /** The file that holds its namespace. */
  readonly file: string;
  /** The address the router hands its packets to, on the public (p) or private (v) link. */
  nextHop(link: 'p' | 'v'): string;
  /** As `remove`, whatever leads to it. */
  discard(): Promise<void>;
}

/** Every machine's own end of its two links has the same address: the router always names the link too. */
const NEXT_HOP = { p: '169.254.78.1', v: '169.254.79.1' } as const;

/** A machine in a namespace of its own, with a public and a private link to the router, and one to the lab's processes. */
export function createMachine(ports: MachinePorts): NetnsMachine {
  const { name, number, hidden, group, here, router, relays } = ports;
  const behind = behind6(number);
  const hidden6 = ports.ipv6 ? behind.hidden : undefined;
  const six = (lines: readonly string[]): readonly string[] => (ports.ipv6 ? lines : []);
  const place = { file: path.join(ports.dir, `machine-${number}`) };
  const claims = new Set<string>();
  const opened = new Set<number>();
  const table = 1000 + number;
  let condition: HostCondition = 'up';
  let runs = 1;
  let ingress: IngressPolicy | undefined;

  const rules = (): string =>
    machineRules({ hidden, hidden6, condition, claimed: claims, open: opened, run: runs, ingress });
  /** What the kernel forgets when a link goes down. */
  const linksUp = [
    'link set enp1s0 up',
    'link set enp7s0 up',
    `route replace default via ${PUBLIC_GATEWAY} dev enp1s0 onlink`,
    `route replace ${PRIVATE_GATEWAY}/32 dev enp7s0`,
    `route replace ${PRIVATE_RANGE} via ${PRIVATE_GATEWAY} dev enp7s0`,
    ...six([`addr replace ${NEXT_HOP_6}/64 dev enp1s0 nodad`, `route replace default via ${GATEWAY_6} dev enp1s0`]),
  ];
  const bind = (address: string): string =>
    isIPv6(address) ? `${address}/64 dev enp1s0 nodad` : `${address}/32 dev ${linkOf(address)}`;

  const make = async (): Promise<void> => {
    await makePlace(place.file);
    await ip(here, [
      `link add b${number} type veth peer name lab0 netns ${place.file}`,
      `link set b${number} up`,
      ...six([`addr add ${behind.hidden}/64 dev b${number} nodad`]),
      `route add table ${table} default via ${MACHINE_END} dev b${number} onlink`,
      `rule add from ${hidden} pref ${table} table ${table}`,
      ...(group === undefined ? [] : [`rule add fwmark ${group} pref ${table} table ${table}`]),
    ]);
    if (group !== undefined) await nft(here, senderRules(group, hidden));
    await ip(router, [
      `link add p${number} type veth peer name enp1s0 netns ${place.file}`,
      `link add v${number} type veth peer name enp7s0 netns ${place.file}`,
      `link set p${number} up`,
      `link set v${number} up`,
      ...six([`addr add ${GATEWAY_6}/64 dev p${number} nodad`]),
    ]);
    await ip(place, [
      'link set lo up',
      'link set lab0 up',
      `addr add ${MACHINE_END}/32 dev lab0 scope link`,
      `addr add ${NEXT_HOP.p}/32 dev enp1s0 scope link`,
      `addr add ${NEXT_HOP.v}/32 dev enp7s0 scope link`,
      `route add ${hidden}/32 dev lab0`,
      ...six([`addr add ${behind.machineEnd}/64 dev lab0 nodad`]),
      ...linksUp,
    ]);
    await nft(place, rules());
  };
  const ready = make();
  /** Changes of one machine happen one after the other; one that failed must not keep the next from being tried. */
  let queue: Promise<unknown> = ready;
  queue.catch(() => {});
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = queue.then(work);
    queue = turn.catch(() => {});
    return turn;
  };

  /** Lines of `ip` for the next settling. */
  const lines: string[] = [];
  let settling: Promise<void> | undefined;
  /** Makes rules and addresses what they are to be: all changes that were asked for before its turn comes, in one go. */
  const settle = (): Promise<void> =>
    (settling ??= inTurn(async () => {
      settling = undefined;
      const now = lines.splice(0);
      await nft(place, rules());
      if (now.length > 0) await ip(place, now);
    }));

  const machine: NetnsMachine = {
    name,
    number,
    hidden,
    ...(group === undefined ? {} : { group }),
    ready,
    file: place.file,
    nextHop: (link) => NEXT_HOP[link],
    get condition() {
      return condition;
    },
    get claimed() {
      return [...claims];
    },
    setCondition: (next) =>
      inTurn(async () => {
        const before = condition;
        condition = next;
        if (next === 'hung') {
          await ports.hang(hidden, HANG_PORT);
          if (hidden6 !== undefined) await ports.hang(hidden6, HANG_PORT);
        }
        if (before === 'off' && next !== 'off') runs += 1;
        if (next === 'off') await ip(place, ['link set enp1s0 down', 'link set enp7s0 down']);
        await nft(place, rules());
        if (before === 'off' && next !== 'off') await ip(place, linksUp);
      }),
    async claim(address) {
      if (!claims.has(address)) lines.push(`addr replace ${bind(address)}`);
      claims.add(address);
      await settle();
    },
    async unclaim(address) {
      if (!claims.delete(address)) return;
      lines.push(`addr del ${bind(address).replace(' nodad', '')}`);
      await settle();
    },
    async open(port) {
      if (!opened.has(port) && hidden6 !== undefined) {
        opened.add(port);
        await ready;
        await relays.open(hidden6, port, hidden);
      }
      opened.add(port);
      await settle();
    },
    async shut(port) {
      if (!opened.delete(port)) return;
      await settle();
      if (hidden6 !== undefined) relays.shut(hidden6, port);
    },
    ingress(policy) {
      ingress = policy;
      return settle();
    },
    async remove() {
      const left = ports.leading(machine);
      if (left.length > 0) throw new Error(`${name} is removed while ${left.join(', ')} still lead to it`);
      await machine.discard();
    },
    discard: () =>
      inTurn(async () => {
        ports.removed(machine);
        if (hidden6 !== undefined) for (const port of opened) relays.shut(hidden6, port);
        await ip(here, [
          `rule del pref ${table}`,
          ...(group === undefined ? [] : [`rule del pref ${table}`]),
          `link del b${number}`,
        ]);
        await ip(router, [`link del p${number}`, `link del v${number}`]);
        // The namespace ends with its name, or, where somebody's command still runs in it, with that command.
        await run('umount', ['-l', place.file]);
        await rm(place.file, { force: true });
      }),
  };
  return machine;
}
