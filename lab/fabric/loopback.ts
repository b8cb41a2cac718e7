import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { Failure } from '../../src/base/failure.ts';
import type { Random } from '../../src/base/random.ts';
import { holdAddress, type HeldAddress } from './address.ts';
import type { Traffic } from './connections.ts';
import { concerns, shapeOf } from './disturbance.ts';
import { ownerOf, type Processes } from './owner.ts';
import { HOST_PORTS, LEAST_PORT, wantedState } from './ports.ts';
import { claimRange } from './range.ts';
import type { Disturbance, Fabric, FabricHost, HostCondition, Party } from './types.ts';

export interface LoopbackOptions {
  readonly random: Random;
  readonly clock?: Clock;
  /** Real processes of machines, which cannot dial from the machine's hidden address. */
  readonly processes?: Processes;
  /** Second octet of the /16 to claim, 64 to 127; at random when absent. */
  readonly base?: number;
  /** Addresses of an earlier lab on this range, which are not given again. */
  readonly given?: readonly string[];
  /** For tests of the refusal elsewhere. */
  readonly platform?: NodeJS.Platform;
}

export interface LoopbackFabric extends Fabric {
  readonly kind: 'loopback';
  /** 127.N.0.0/16 */
  readonly range: string;
}

/** A silent address costs a process and ten sockets: those of machines long gone are given up. */
const SILENT_FOR_GOOD = 64;

const LIMITS: readonly string[] = [
  "Addresses are 127.x: for the node's rules (which drop 127.0.0.0/8) the lab's addresses count as ordinary ones.",
  "localhost and 0.0.0.0 in a node's configuration mean the node's own addresses.",
  'kube-apiserver is given a documentation address as --advertise-address (it refuses loopback), so the Endpoints of the kubernetes Service lead nowhere.',
  'etcd peers skip the check of the client SAN: their packets come from 127.0.0.1, as all source addresses in this lab do.',
  'IPv6 addresses are records of the documentation range that no packet reaches; there is no 169.254.169.254, and no port below 1024.',
  "Other programs cannot resolve the lab's names; fairlead has `resolvers:` in its configuration.",
  `Only the ports ${HOST_PORTS.join(', ')} of an address are held, and those of a load balancer's services: any other is refused, also when the machine is off.`,
  'A partition, a closed firewall or a lost SYN is a connection that the kernel accepts and nobody answers: a client sees it time out after connecting. Latency and loss act on chunks of bytes as TCP would show them, not on packets.',
  'Firewalls of the cloud and firewall documents of nodes are kept and shown, but close nothing.',
  `Of the addresses of machines that are no more, the last ${SILENT_FOR_GOOD} swallow; earlier ones refuse.`,
  'Bytes sent into a connection that has fallen silent are still acknowledged by the kernel; nothing answers them.',
];

interface Route {
  readonly held: HeldAddress;
  /** Ports that swallow while it is silent: those of every machine it ever led to. */
  readonly ports: Set<number>;
  host: Host | undefined;
  /** Whom the open connections belong to. */
  owner: Host | undefined;
  /** One change at a time. */
  queue: Promise<void>;
}

interface Host extends FabricHost {
  readonly claims: Set<string>;
  readonly ports: Set<number>;
  readonly others: Set<number>;
}

/**
 * A network of loopback addresses, without root: one /16 of 127.64.0.0/10 that no other lab has.
 * Linux only; a Failure elsewhere, when no range is free, or when another program has a host port on every address.
 */
export async function startLoopback(options: LoopbackOptions): Promise<LoopbackFabric> {
  const platform = options.platform ?? process.platform;
  if (platform !== 'linux') throw notLinux(platform);
  const range = await claimRange(options.random, options.base, options.given);
  const routes = new Map<string, Route>();
  const hosts = new Set<Host>();
  const clock = options.clock ?? systemClock;
  let closing = false;
  let rules: readonly Disturbance[] = [];
  const dialers = new WeakMap<Socket, Party>();

  /** Whoever dialled: a machine's emulated parts dial from its hidden address, its real ones are known by their process. */
  const dialerOf = (socket: Socket): Party => {
    const known = dialers.get(socket);
    if (known !== undefined) return known;
    const { remoteAddress = '', remotePort = 0 } = socket;
    const machine = [...hosts].find((host) => host.hidden === remoteAddress)?.name;
    // An address of the lab that is no machine's is a balancer's, or the lab's own hand.
    const own = remoteAddress.startsWith(range.prefix) ? 'cloud' : undefined;
    const party = machine ?? own ?? ownerOf(remoteAddress, remotePort, options.processes?.() ?? []) ?? 'client';
    dialers.set(socket, party);
    return party;
  };
  /** By the rules' ids: what each of them decided about a connection when it first met it. */
  const decided = new WeakMap<Socket, Map<string, boolean>>();
  const befalls = ({ id, take }: Disturbance, socket: Socket): boolean => {
    if (id === undefined || take === undefined) return true;
    const of = decided.get(socket) ?? new Map<string, boolean>();
    decided.set(socket, of);
    const known = of.get(id) ?? take();
    of.set(id, known);
    return known;
  };
  const waits = new Map<number, () => Promise<void>>();
  const trafficTo = (address: string): Traffic => ({
    clock,
    random: options.random,
    answersWait: (port) => waits.get(port),
    shapeOf(socket, port, open) {
      const host = routes.get(address)?.host;
      if (rules.length === 0 || host === undefined) return undefined;
      const dialer = dialerOf(socket);
      const acting = rules.filter((rule) => concerns(rule, dialer, host.name, port, open) && befalls(rule, socket));
      return shapeOf(acting, dialer, host.name, port);
    },
  });

  const reconcile = (address: string): Promise<void> => {
    const route = routes.get(address);
    if (route === undefined) return Promise.resolve();
    const next = route.queue.then(async () => {
      if (closing) return;
      const { host } = route;
      const wanted = wantedState(
        address,
        host && {
          hidden: host.hidden,
          condition: host.condition,
          claimed: host.claims,
          open: host.ports,
          others: host.others,
        },
      );
      for (const port of host?.others ?? []) route.ports.add(port);
      // Led nowhere, connections fall silent; led to another machine, that one does not know them. A machine that
      // refuses has lost its processes, and its kernel says so.
      const reset =
        (host !== undefined && route.owner !== undefined && host !== route.owner) || host?.condition === 'refusing';
      if (host !== undefined) route.owner = host;
      await route.held.apply(wanted, reset ? 'reset' : 'keep', route.ports);
    });
    // One failed change must not keep the next from being tried.
    route.queue = next.catch(() => {});
    return next;
  };
  /** Addresses of servers that lead nowhere, the oldest first. */
  const abandoned = new Set<string>();
  const abandon = async (address: string): Promise<void> => {
    // A floating one may yet be assigned again.
    if (range.has('floating', address)) return;
    abandoned.add(address);
    for (const oldest of abandoned) {
      if (abandoned.size <= SILENT_FOR_GOOD) return;
      abandoned.delete(oldest);
      const route = routes.get(oldest);
      routes.delete(oldest);
      await route?.queue;
      await route?.held.close();
    }
  };
  const reconcileHost = async (host: Host): Promise<void> => {
    await Promise.all([...routes].filter(([, route]) => route.host === host).map(([address]) => reconcile(address)));
  };

  const addHost = (name: string): Host => {
    let condition: HostCondition = 'up';
    const host: Host = {
      name,
      hidden: range.draw('hidden'),
      claims: new Set(),
      ports: new Set(),
      others: new Set(),
      get condition() {
        return condition;
      },
      get claimed() {
        return [...host.claims];
      },
      async setCondition(next) {
        condition = next;
        await reconcileHost(host);
      },
      async claim(address) {
        host.claims.add(address);
        if (routes.get(address)?.host === host) await reconcile(address);
      },
      async unclaim(address) {
        host.claims.delete(address);
        if (routes.get(address)?.host === host) await reconcile(address);
      },
      async open(port) {
        if (port < LEAST_PORT) throw new RangeError(`port ${port} is not one the fabric can hold`);
        host.ports.add(port);
        if (!HOST_PORTS.includes(port)) host.others.add(port);
        try {
          await reconcileHost(host);
        } catch (error) {
          // Another program has the port: the machine goes on without it.
          host.ports.delete(port);
          host.others.delete(port);
          for (const route of routes.values())
            if (route.host === host && !HOST_PORTS.includes(port)) route.ports.delete(port);
          await reconcileHost(host);
          throw error;
        }
      },
      async shut(port) {
        host.ports.delete(port);
        await reconcileHost(host);
      },
      async remove() {
        const left = [...routes].filter(([, route]) => route.host === host).map(([address]) => address);
        if (left.length > 0) throw new Error(`${name} is removed while ${left.join(', ')} still lead to it`);
        hosts.delete(host);
      },
    };
    hosts.add(host);
    return host;
  };

  return {
    kind: 'loopback',
    limits: LIMITS,
    range: range.cidr,
    privateRange: range.privateCidr,
    allocate: (purpose) => range.draw(purpose),
    memory: () => ({ base: Number(range.prefix.split('.')[1]), given: range.given }),
    addHost,
    async route(address, host) {
      const known = host === undefined ? undefined : [...hosts].find((h) => h === host);
      if (host !== undefined && known === undefined) throw new Error(`${host.name} is not a machine of this fabric`);
      let route = routes.get(address);
      if (route === undefined) {
        route = {
          held: holdAddress(address, trafficTo(address)),
          ports: new Set(HOST_PORTS),
          host: known,
          owner: undefined,
          queue: Promise.resolve(),
        };
        routes.set(address, route);
      }
      route.host = known;
      abandoned.delete(address);
      await reconcile(address);
      if (known === undefined) await abandon(address);
    },
    routed: (address) => routes.get(address)?.host,
    async disturb(next) {
      rules = next;
      for (const route of routes.values()) route.held.reshape();
    },
    answersWait(port, until) {
      if (until === undefined) waits.delete(port);
      else waits.set(port, until);
    },
    async close() {
      closing = true;
      await Promise.all([...routes.values()].map((route) => route.queue.then(() => route.held.close())));
      routes.clear();
      await range.release();
    },
  };
}

const notLinux = (platform: string): Failure =>
  new Failure({
    code: 'lab-needs-linux',
    what: 'the lab cannot run on this system',
    why: `it needs many loopback addresses, which only Linux has (this is ${platform})`,
    state: 'nothing was started',
    next: 'run the lab on Linux, in a virtual machine or in a container; every other command of fairlead works here',
  });
