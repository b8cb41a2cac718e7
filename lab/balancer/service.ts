import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../src/base/clock.ts';
import type { CloudLoadBalancer, CloudService, CloudTarget } from '../cloud/types.ts';
import { type Checker, startChecker } from './checker.ts';
import type { Backend, Front } from './front.ts';
import { createHttpFront } from './http-front.ts';
import { markOf } from './http-headers.ts';
import { pickTarget } from './pick.ts';
import { createTcpFront } from './tcp-front.ts';
import type { BalancerKnobs, TargetState } from './types.ts';

/** One listening port of a balancer, with its health checks. */
export interface ServiceProxy {
  /** The service and the targets are as in this snapshot from now on. */
  update(balancer: CloudLoadBalancer, service: CloudService): void;
  /** Accepts on the hidden address; rejects when the port is taken. */
  listen(): Promise<void>;
  /** One that speaks another is another service. */
  readonly protocol: CloudService['protocol'];
  readonly listening: boolean;
  targets(): readonly TargetState[];
  /** Stops listening and looking; open connections are reset. */
  close(): void;
}

interface Watched {
  readonly target: CloudTarget;
  readonly checker: Checker;
}

export interface ServicePorts {
  readonly clock: Clock;
  readonly speed: number;
  readonly knobs: BalancerKnobs;
  /** The hidden address to listen on and to dial from. */
  readonly hidden: string;
  readonly log: (line: string) => void;
  /** Counts a new connection of the balancer until it closes; false where so many are open already. */
  readonly admit: (client: Socket, most: number) => boolean;
}

export function createServiceProxy(ports: ServicePorts, first: CloudLoadBalancer, initial: CloudService): ServiceProxy {
  const { knobs } = ports;
  const watched = new Map<string, Watched>();
  /** Connections or requests that are open, by target. */
  const open = new Map<string, number>();
  let balancer = first;
  let service = initial;
  let last: string | undefined;

  const lose = (key: string): void => {
    if (knobs.connectionsOfLostTarget === 'reset') front.reset(key);
  };
  const watch = (target: CloudTarget): Watched => {
    const port = service.listenPort;
    const checker = startChecker(ports, service.healthCheck, target, (health) => {
      ports.log(`${balancer.name}:${port}: target ${target.key} is ${health.status} ${health.detail ?? ''}`.trimEnd());
      balancer.setHealth(target.key, port, health);
      if (health.status === 'unhealthy') lose(target.key);
    });
    return { target, checker };
  };
  const receives = ({ target, checker }: Watched): boolean =>
    target.carried &&
    (checker.health.status === 'healthy' || (knobs.unknownReceives && checker.health.status === 'unknown'));

  const backend: Backend = {
    get service() {
      return service;
    },
    pick(tried, wanted) {
      const candidates = [...watched.values()]
        .filter((candidate) => receives(candidate) && !tried.has(candidate.target.key))
        .map(({ target: { key, address } }) => ({ key, address, connections: open.get(key) ?? 0 }));
      const chosen =
        candidates.find(({ key }) => wanted !== undefined && markOf(key) === wanted) ??
        pickTarget(balancer.algorithm, candidates, last);
      last = chosen?.key ?? last;
      return chosen;
    },
    occupy(target) {
      open.set(target, (open.get(target) ?? 0) + 1);
      return () => void open.set(target, (open.get(target) ?? 1) - 1);
    },
    admit: (client) => ports.admit(client, balancer.maxConnections),
  };
  const front: Front =
    initial.protocol === 'tcp'
      ? createTcpFront(ports, initial.listenPort, backend)
      : createHttpFront(ports, { protocol: initial.protocol, port: initial.listenPort }, backend);

  const update = (now: CloudLoadBalancer, wanted: CloudService): void => {
    balancer = now;
    service = wanted;
    front.update();
    const keys = new Set(now.targets.map((target) => target.key));
    for (const [key, { checker }] of watched) {
      if (keys.has(key)) continue;
      checker.stop();
      watched.delete(key);
      lose(key);
    }
    for (const target of now.targets) {
      const known = watched.get(target.key);
      const same =
        known !== undefined &&
        isDeepStrictEqual(known.target, target) &&
        isDeepStrictEqual(known.checker.check, wanted.healthCheck);
      if (same) {
        // A snapshot of its own may not know yet what was found out before.
        if (known.checker.health.status !== 'unknown')
          now.setHealth(target.key, wanted.listenPort, known.checker.health);
        continue;
      }
      known?.checker.stop();
      // In the order of the targets, which is the order of the round.
      watched.set(target.key, watch(target));
    }
  };
  update(first, initial);

  return {
    update,
    protocol: initial.protocol,
    listen: () => front.listen(),
    get listening() {
      return front.listening;
    },
    targets: () =>
      [...watched.values()].map(({ target: { key, server: of, address }, checker }) => ({
        key,
        server: of,
        address,
        health: checker.health,
        connections: open.get(key) ?? 0,
      })),
    close() {
      for (const { checker } of watched.values()) checker.stop();
      watched.clear();
      front.close();
    },
  };
}
