import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { textOf } from '../../../src/base/failure.ts';
import type { Random } from '../../../src/base/random.ts';
import type { Disturbance, Fabric, FabricHost, FirewallRule } from '../types.ts';
import {
  CLIENT_ADDRESS,
  CLIENT_ADDRESS_6,
  createPool,
  GATEWAY_6,
  HIDDEN_RANGE,
  isIPv6,
  LAB_ADDRESS,
  linkOf,
  NEXT_HOP_6,
  PRIVATE_GATEWAY,
  PRIVATE_RANGE,
  PUBLIC_GATEWAY,
  PUBLIC_RANGE,
  PUBLIC_RANGE_6,
  SERVICE_RANGE,
} from './addresses.ts';
import { endShells, ip, makePlace, nft, type Place, run, settleHere } from './commands.ts';
import { type Delay, lanesOf, startDelay, whyNoLatency } from './latency.ts';
import { createMachine, type NetnsMachine } from './machine.ts';
import { createRelays } from './relays.ts';
import { routerRules } from './router-rules.ts';
import { FIRST_GROUP, LAB_RULES } from './rules.ts';
import { assertOwnNetwork } from './unshared.ts';

export interface NetnsOptions {
  readonly random: Random;
  /** Empty folder of the lab's own; becomes a file system of this process' mount namespace, with a file a namespace. */
  readonly dir: string;
  /** Addresses that an earlier lab of these namespaces gave, which are not given again. */
  readonly given?: readonly string[];
}

export interface NetnsFabric extends Fabric {
  readonly kind: 'netns';
  disturb(rules: readonly Disturbance[]): Promise<void>;
  firewall(host: FabricHost, rules: readonly FirewallRule[] | undefined): Promise<void>;
  /** The file of the namespace of `client`, `router` or the machine of this name, in this process' mount namespace. */
  fileOf(name: string): string | undefined;
}

const LIMITS: readonly string[] = [
  'Addresses are reachable inside the lab only: `fairlead lab exec --from client -- CMD`, or `--from NODE`.',
  'The processes of all machines live in one namespace behind them; what they receive and send passes the kernel of their machine.',
  'A hung machine accepts on every port of a control plane, also on one nothing listened on.',
];

const WITH_IPV6 =
  'Processes of nodes and balancers listen on IPv4: what comes to them over IPv6 is passed on by the lab and seems to come from the machine itself, and they begin nothing over IPv6. Private networks, the cloud’s API and the name server have IPv4 alone.';
const NO_IPV6 = 'There is no IPv6: this kernel has none.';

const noLatency = (): readonly string[] => {
  const why = whyNoLatency(process.env);
  return why === undefined ? [] : [`There is no latency: ${why}.`];
};

const UNGROUPED =
  'In the user namespace of an ordinary user, a real etcd or API server cannot be told apart by its group: what it sends leaves from the cloud’s side, not through its machine, and etcd peers skip the check of the client SAN.';

/**
 * A network of Linux namespaces: a router that is the cloud, a client, and one for every machine, with kernel routes and
 * links between them. This process must live in network and mount namespaces of its own (see `unshared`), in which it is
 * root: its own namespace becomes the one where the lab's processes listen, on hidden addresses behind the machines.
 * Nothing of all this is seen outside, and all of it is gone when the process is, however it ends.
 */
export async function startNetns(options: NetnsOptions): Promise<NetnsFabric> {
  const { dir, random } = options;
  await assertOwnNetwork();
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await run('mount', ['-t', 'tmpfs', '-o', 'mode=0700,size=64k', 'fairlead-lab', dir]);
  const here: Place = { file: undefined };
  const router = { file: path.join(dir, 'router') };
  const client = { file: path.join(dir, 'client') };
  const ipv6 = existsSync('/proc/sys/net/ipv6');
  const six = (lines: readonly string[]): readonly string[] => (ipv6 ? lines : []);
  await Promise.all([makePlace(router.file), makePlace(client.file), settleHere()]);
  const grouped = await mayGroup();
  await nft(
    router,
    routerRules([], () => undefined, new Map(), []),
  );
  await nft(here, LAB_RULES);
  await ip(here, [
    'link set lo up',
    `link add cloud type veth peer name lab netns ${router.file}`,
    'link set cloud up',
    `addr add ${LAB_ADDRESS}/32 dev cloud`,
    `route add default via ${PUBLIC_GATEWAY} dev cloud onlink`,
    // Every address of these ranges can be listened on, without being added first.
    `route add local ${HIDDEN_RANGE} dev lo`,
    `route add local ${SERVICE_RANGE} dev lo`,
    // What a machine's processes answer or send goes through their machine, also where the other end is the lab itself:
    // the rules of machines come before the kernel's own table of local addresses.
    `rule add to ${HIDDEN_RANGE} pref 10 table local`,
    'rule add pref 20000 table local',
    'rule del pref 0',
  ]);
  await ip(router, [
    'link set lo up',
    `addr add ${PUBLIC_GATEWAY}/32 dev lo`,
    `addr add ${PRIVATE_GATEWAY}/32 dev lo`,
    'link set lab up',
    `route add ${SERVICE_RANGE} dev lab`,
    `link add client type veth peer name eth0 netns ${client.file}`,
    'link set client up',
    `route add ${CLIENT_ADDRESS}/32 dev client`,
    // What leads nowhere vanishes.
    `route add blackhole ${PUBLIC_RANGE}`,
    `route add blackhole ${PRIVATE_RANGE}`,
    ...six([
      `route add blackhole ${PUBLIC_RANGE_6}`,
      `addr add ${GATEWAY_6}/64 dev client nodad`,
      `route add ${CLIENT_ADDRESS_6}/128 via ${NEXT_HOP_6} dev client`,
    ]),
  ]);
  await ip(client, [
    'link set lo up',
    'link set eth0 up',
    `addr add ${CLIENT_ADDRESS}/32 dev eth0`,
    `route add default via ${PUBLIC_GATEWAY} dev eth0 onlink`,
    ...six([
      `addr add ${NEXT_HOP_6}/64 dev eth0 nodad`,
      `addr add ${CLIENT_ADDRESS_6}/128 dev eth0 nodad`,
      `route add default via ${GATEWAY_6} dev eth0`,
    ]),
  ]);

  const pool = createPool(random, options.given);
  const machines = new Set<NetnsMachine>();
  const routes = new Map<string, NetnsMachine | undefined>();
  let last = 0;
  /** What was asked for before its turn came is one change. */
  const asked: [address: string, machine: NetnsMachine | undefined][] = [];
  let routing: Promise<void> | undefined;
  /** Routes and rules change one after the other, in the order they were asked for. */
  let queue: Promise<unknown> = Promise.resolve();

  let disturbances: readonly Disturbance[] = [];
  let delay: Delay | undefined;
  let disturbing: Promise<unknown> = Promise.resolve();
  const firewalls = new Map<number, readonly FirewallRule[]>();
  const numberOf = (name: string): number | undefined =>
    [...machines].findLast((machine) => machine.name === name)?.number;
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = queue.then(work);
    queue = turn.catch(() => {});
    return turn;
  };
  const renewRouter = (): Promise<void> =>
    inTurn(() => nft(router, routerRules(disturbances, numberOf, firewalls, delay?.detours ?? [])));

  const silence = silentListeners();
  const relays = createRelays();
  const limits = [...LIMITS, ipv6 ? WITH_IPV6 : NO_IPV6, ...noLatency(), ...(grouped ? [] : [UNGROUPED])];

  return {
    kind: 'netns',
    limits,
    ipv6,
    privateRange: PRIVATE_RANGE,
    allocate: (purpose) => pool(purpose),
    memory: () => ({ given: pool.given() }),
    addHost(name): FabricHost {
      last += 1;
      const machine = createMachine({
        name,
        number: last,
        dir,
        hidden: pool('hidden'),
        ipv6,
        relays,
        group: grouped ? FIRST_GROUP + last : undefined,
        here,
        router,
        hang: (address, port) => silence.listen(address, port),
        removed(gone) {
          machines.delete(gone);
          firewalls.delete(gone.number);
        },
        leading: (to) => [...routes].filter(([, host]) => host === to).map(([address]) => address),
      });
      machines.add(machine);
      // Rules speak of its links, whose names are its own.
      if (disturbances.length > 0) void renewRouter().catch((error: unknown) => console.error(textOf(error)));
      return machine;
    },
    async route(address, host) {
      const machine = host === undefined ? undefined : [...machines].find((known) => known === host);
      if (host !== undefined && machine === undefined) throw new Error(`${host.name} is not a machine of this fabric`);
      asked.push([address, machine]);
      await (routing ??= inTurn(async () => {
        routing = undefined;
        const changes = asked.splice(0);
        for (const [, to] of changes) await to?.ready;
        await ip(
          router,
          changes.map(([from, to]) => routeLine(from, to)),
        );
        for (const [from, to] of changes) routes.set(from, to);
      }));
    },
    fileOf: (name) =>
      name === 'client'
        ? client.file
        : name === 'router'
          ? router.file
          : [...machines].findLast((machine) => machine.name === name)?.file,
    routed: (address) => routes.get(address),
    disturb(rules) {
      const turn = disturbing.then(async () => {
        const lanes = lanesOf(rules);
        const before = delay;
        const same = isDeepStrictEqual(lanes, before?.detours.map(({ from, to, ms }) => ({ from, to, ms })) ?? []);
        // What cannot be made leaves the old rules in force.
        if (!same) delay = lanes.length === 0 ? undefined : await startDelay(router, lanes);
        disturbances = rules;
        await renewRouter();
        if (!same) await before?.end();
      });
      disturbing = turn.catch(() => {});
      return turn;
    },
    async firewall(host, rules) {
      const machine = [...machines].find((known) => known === host);
      if (machine === undefined) return;
      if (rules === undefined) firewalls.delete(machine.number);
      else firewalls.set(machine.number, rules);
      await renewRouter();
    },
    async close() {
      await disturbing;
      await delay?.end();
      await queue;
      await Promise.all([...machines].map((machine) => machine.discard()));
      routes.clear();
      silence.close();
      relays.close();
      await ip(here, ['link del cloud']);
      await run('umount', ['-l', dir]);
      await rm(dir, { recursive: true, force: true });
      await endShells();
    },
  };
}

/** What the router is told of an address, or of a /64: where it leads, or that it leads nowhere. */
function routeLine(address: string, to: NetnsMachine | undefined): string {
  const prefix = isIPv6(address) ? address : `${address}/32`;
  if (to === undefined) return `route replace blackhole ${prefix}`;
  if (isIPv6(address)) return `route replace ${prefix} via ${NEXT_HOP_6} dev p${to.number}`;
  const link = linkOf(address) === 'enp7s0' ? 'v' : 'p';
  return `route replace ${prefix} via ${to.nextHop(link)} dev ${link}${to.number} onlink`;
}

/** Whether a child can be given a group of ours: in a user namespace of an ordinary user only one group exists. */
async function mayGroup(): Promise<boolean> {
  const map = await readFile('/proc/self/gid_map', 'utf8');
  return map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .some(([first = 0, , count = 0]) => first <= FIRST_GROUP && FIRST_GROUP + 1000 < first + count);
}

/** Listeners that accept and never say a word, one a hidden address, each from the first time its machine hangs. */
function silentListeners(): { listen(address: string, port: number): Promise<void>; close(): void } {
  const servers = new Map<string, Server>();
  const held = new Set<Socket>();
  return {
    async listen(address, port) {
      if (servers.has(address)) return;
      const server = createServer({ pauseOnConnect: true }, (socket) => {
        held.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => held.delete(socket));
      });
      servers.set(address, server);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: address, port }, resolve);
      });
      server.unref();
    },
    close() {
      for (const socket of held) socket.destroy();
      for (const server of servers.values()) server.close();
    },
  };
}
