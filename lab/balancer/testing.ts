import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { CloudHealthCheck, CloudLoadBalancer, CloudService, TargetHealth } from '../cloud/types.ts';
import { startLoopback } from '../fabric/loopback.ts';
import type { Fabric, FabricHost } from '../fabric/types.ts';
import { createAuthority, issue } from '../pki/pki.ts';
import type { KeyPair } from '../pki/types.ts';
import { startBalancers } from './balancers.ts';
import type { BalancerKnobs, Balancers } from './types.ts';

/** What a test has started is ended after it, the last first. */
export const cleanups: (() => unknown)[] = [];
export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}

/** A server's certificate and key, of an authority that nobody knows. */
export async function serverPair(...dnsNames: string[]): Promise<KeyPair> {
  const validity = { notBefore: new Date(Date.now() - 1e6), notAfter: new Date(Date.now() + 1e9) };
  const ca = await createAuthority('ecdsa', { commonName: 'test', ...validity });
  return issue(ca, { commonName: dnsNames[0] ?? '', dnsNames, usages: ['serverAuth'], ...validity });
}

export interface Machine {
  readonly key: string;
  readonly host: FabricHost;
  readonly address: string;
  readonly sockets: Set<Socket>;
  /** What /readyz answers. */
  status: number;
  paths: string[];
}

/** A machine with an HTTPS server that says its name, as an API server would be. */
export async function tlsMachine(net: Fabric, key: string, pair: KeyPair): Promise<Machine> {
  const machine: Machine = {
    key,
    host: net.addHost(key),
    address: net.allocate('private'),
    sockets: new Set(),
    status: 200,
    paths: [],
  };
  const server = https.createServer(pair, (request, response) => {
    machine.paths.push(`${request.headers.host} ${request.url}`);
    response.statusCode = request.url === '/readyz' ? machine.status : 200;
    response.end(key);
  });
  await serve(net, machine, server);
  return machine;
}

/** A machine with an HTTP server that answers as told. */
export async function httpMachine(net: Fabric, key: string, answer: http.RequestListener): Promise<Machine> {
  const address = net.allocate('private');
  const machine: Machine = { key, host: net.addHost(key), address, sockets: new Set(), status: 200, paths: [] };
  await serve(net, machine, http.createServer(answer));
  return machine;
}

/** A machine that says its name and echoes. */
export async function plainMachine(net: Fabric, key: string): Promise<Machine> {
  const address = net.allocate('public');
  const machine: Machine = { key, host: net.addHost(key), address, sockets: new Set(), status: 0, paths: [] };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.write(`${key}\n`);
    socket.pipe(socket);
  });
  await serve(net, machine, server);
  return machine;
}

/** A process of a machine, on port 6443. */
async function serve(net: Fabric, machine: Machine, server: Server): Promise<void> {
  server.on('connection', (socket: Socket) => {
    machine.sockets.add(socket);
    socket.on('close', () => machine.sockets.delete(socket));
  });
  server.listen(6443, machine.host.hidden);
  await once(server, 'listening');
  cleanups.push(() => {
    for (const socket of machine.sockets) socket.destroy();
    server.close();
  });
  await machine.host.claim(machine.address);
  await machine.host.open(6443);
  await net.route(machine.address, machine.host);
}

export const tcpCheck: CloudHealthCheck = { protocol: 'tcp', port: 6443, interval: 3, timeout: 2, retries: 2 };
export const readyz: CloudHealthCheck = {
  ...tcpCheck,
  protocol: 'http',
  http: { domain: '', path: '/readyz', response: '', statusCodes: ['200', '401'], tls: true },
};
export const serviceOf = (check: CloudHealthCheck, more: Partial<CloudService> = {}): CloudService => ({
  protocol: 'tcp',
  listenPort: 6443,
  destinationPort: 6443,
  proxyProtocol: false,
  healthCheck: check,
  ...more,
});

/** A network with balancers in it, of which one is described. */
export interface World {
  readonly net: Fabric;
  readonly balancers: Balancers;
  readonly address: string;
  readonly health: Map<string, TargetHealth>;
  readonly history: string[];
  describe(change: Partial<CloudLoadBalancer>): Promise<void>;
}

export async function world(
  services: readonly CloudService[],
  knobs: Partial<BalancerKnobs> = {},
  speed = 30,
): Promise<World> {
  const net = await startLoopback({ random: systemRandom });
  cleanups.push(() => net.close());
  const balancers = startBalancers({ clock: systemClock, fabric: net, speed, knobs, log: () => {} });
  cleanups.push(() => balancers.close());
  const health = new Map<string, TargetHealth>();
  const history: string[] = [];
  let now: CloudLoadBalancer = {
    id: 7,
    name: 'api',
    publicIPv4: net.allocate('public'),
    publicEnabled: true,
    privateIPv4: undefined,
    algorithm: 'round_robin',
    maxConnections: 10_000,
    services,
    targets: [],
    setHealth: (target, _port, state) => {
      health.set(target, state);
      history.push(`${target} ${state.status}`);
    },
  };
  return {
    net,
    balancers,
    address: now.publicIPv4,
    health,
    history,
    async describe(change) {
      now = { ...now, ...change };
      await balancers.apply(now);
    },
  };
}

export const targetsOf = (...machines: Machine[]) =>
  machines.map((m, n) => ({ key: m.key, server: n, address: m.address, usePrivateIP: true, carried: true }));

export async function until(done: () => boolean, ms = 4_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!done() && performance.now() < deadline) await sleep(5);
}
export const healthy = (w: World, ...machines: Machine[]) =>
  until(() => machines.every((m) => w.health.get(m.key)?.status === 'healthy'));
