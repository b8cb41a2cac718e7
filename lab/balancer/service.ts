import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../src/base/clock.ts';
import type { CloudLoadBalancer, CloudService, CloudTarget } from '../cloud/types.ts';
import { type Checker, startChecker } from './checker.ts';
import { createLinks } from './links.ts';
import { pickTarget } from './pick.ts';
import { proxyHeader } from './proxy-header.ts';
import type { BalancerKnobs, TargetState } from './types.ts';

/** One listening port of a balancer, with its health checks. */
export interface ServiceProxy {
  /** The service and the targets are as in this snapshot from now on. */
  update(balancer: CloudLoadBalancer, service: CloudService): void;
  /** Accepts on the hidden address; rejects when the port is taken. */
  listen(): Promise<void>;
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
}

export function createServiceProxy(ports: ServicePorts, first: CloudLoadBalancer, initial: CloudService): ServiceProxy {
  const { knobs, speed } = ports;
  const watched = new Map<string, Watched>();
  const links = createLinks(knobs.tcpIdleMs / speed);
  const waiting = new Set<Socket>();
  let balancer = first;
  let service = initial;
  let last: string | undefined;

  const lose = (key: string): void => {
    if (knobs.connectionsOfLostTarget === 'reset') links.reset(key);
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

  const giveUp = (client: Socket): void => {
    if (knobs.withoutTarget === 'reset') client.resetAndDestroy();
    else client.destroy();
  };
  const forward = (client: Socket, tried: ReadonlySet<string>): void => {
    if (client.destroyed) return;
    const candidates = [...watched.values()]
      .filter((candidate) => receives(candidate) && !tried.has(candidate.target.key))
      .map(({ target }) => ({ key: target.key, target, connections: links.count(target.key) }));
    const chosen = pickTarget(balancer.algorithm, candidates, last);
    if (chosen === undefined) return giveUp(client);
    last = chosen.key;
    const upstream = connect({
      host: chosen.target.address,
      localAddress: ports.hidden,
      port: service.destinationPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    const next = (): void => {
      clearTimeout(timer);
      client.off('close', gone);
      upstream.destroy();
      const all = new Set([...tried, chosen.key]);
      if (all.size < knobs.connectAttempts) forward(client, all);
      else giveUp(client);
    };
    const timer = setTimeout(next, Math.max(knobs.leastTimeoutMs, knobs.connectTimeoutMs / speed));
    const gone = (): void => {
      clearTimeout(timer);
      upstream.destroy();
    };
    client.on('close', gone);
    upstream.on('error', next);
    upstream.on('connect', () => {
      clearTimeout(timer);
      client.off('close', gone);
      upstream.off('error', next);
      waiting.delete(client);
      if (service.proxyProtocol) upstream.write(proxyHeader(knobs.proxyProtocolVersion, endpointsOf(client)));
      links.join(chosen.key, client, upstream);
    });
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    waiting.add(client);
    client.on('close', () => waiting.delete(client));
    // Until it is joined, a client that breaks off only goes away.
    client.on('error', () => {});
    forward(client, new Set());
  });

  const update = (now: CloudLoadBalancer, wanted: CloudService): void => {
    balancer = now;
    service = wanted;
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
    async listen() {
      server.listen({ host: ports.hidden, port: initial.listenPort });
      await once(server, 'listening');
    },
    get listening() {
      return server.listening;
    },
    targets: () =>
      [...watched.values()].map(({ target: { key, server: of, address }, checker }) => ({
        key,
        server: of,
        address,
        health: checker.health,
        connections: links.count(key),
      })),
    close() {
      for (const { checker } of watched.values()) checker.stop();
      watched.clear();
      if (server.listening) server.close();
      for (const client of waiting) client.resetAndDestroy();
      links.resetAll();
    },
  };
}

const endpointsOf = (client: Socket) => ({
  source: { address: client.remoteAddress ?? '0.0.0.0', port: client.remotePort ?? 0 },
  destination: { address: client.localAddress ?? '0.0.0.0', port: client.localPort ?? 0 },
});
