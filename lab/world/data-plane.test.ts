import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import https from 'node:https';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { cleanups, cleanUp, serverPair } from '../balancer/testing.ts';
import { type TestCloud, testCloud } from '../cloud/testing.ts';
import { startLoopback } from '../fabric/loopback.ts';
import type { FabricHost } from '../fabric/types.ts';
import type { KeyPair } from '../pki/types.ts';
import { createAudit } from './audit.ts';
import { type DataPlane, startDataPlane } from './data-plane.ts';

afterEach(cleanUp);

let pair: KeyPair;
beforeAll(async () => {
  pair = await serverPair('server');
});

interface Small {
  readonly api: TestCloud;
  readonly plane: DataPlane;
  readonly hosts: Map<string, FabricHost>;
  readonly ids: Map<string, number>;
}

/** The API with its data plane, and three servers that say their name over HTTPS on 6443. */
async function small(): Promise<Small> {
  const fabric = await startLoopback({ random: systemRandom });
  cleanups.push(() => fabric.close());
  const address = fabric.allocate('service');
  const plane = await startDataPlane({
    clock: systemClock,
    speed: 30,
    fabric,
    audit: createAudit(undefined, () => new Date()),
    log: () => {},
  });
  cleanups.push(() => plane.close());
  const api = await testCloud({
    address,
    port: 8080,
    speed: 30,
    random: systemRandom,
    network: { name: 'inner', ipRange: fabric.privateRange },
    effects: { allocate: (purpose) => fabric.allocate(purpose), ...plane.effects },
  });
  cleanups.push(() => api.cloud.close());
  const hosts = new Map<string, FabricHost>();
  const ids = new Map<string, number>();
  for (const name of ['cp-1', 'cp-2', 'cp-3']) {
    const server = api.cloud.addServer({ name, labels: { role: 'control-plane', name }, userData: '' });
    const host = fabric.addHost(name);
    const process = https.createServer(pair, (_request, response) => response.end(name));
    process.listen(6443, host.hidden);
    await once(process, 'listening');
    cleanups.push(() => {
      process.close();
      process.closeAllConnections();
    });
    await host.open(6443);
    for (const own of [server.publicIPv4, server.privateIPv4]) {
      await host.claim(own);
      await fabric.route(own, host);
    }
    hosts.set(name, host);
    ids.set(name, server.id);
  }
  return { api, plane, hosts, ids };
}

const ask = (address: string): Promise<string> =>
  new Promise((resolve) => {
    const request = https.get(
      { host: address, port: 6443, path: '/version', rejectUnauthorized: false, agent: false, timeout: 500 },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve(body));
      },
    );
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', (error) => resolve(error.message));
  });

interface Balancer {
  readonly id: number;
  readonly public_net: { readonly ipv4: { readonly ip: string } };
  readonly targets: readonly {
    readonly targets: readonly {
      readonly server: { readonly id: number };
      readonly health_status: readonly Record<string, unknown>[];
    }[];
  }[];
}
const balancerOf = async ({ api }: Small, id: number): Promise<Balancer> =>
  (await api.call('GET', `/load_balancers/${id}`)).body?.['load_balancer'] as Balancer;
const statuses = async (s: Small, id: number): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    (await balancerOf(s, id)).targets.flatMap((target) =>
      target.targets.map((resolved) => [
        [...s.ids].find(([, known]) => known === resolved.server.id)?.[0],
        resolved.health_status[0]?.['status'],
      ]),
    ),
  );
async function until<T>(look: () => Promise<T>, wanted: (value: T) => boolean, ms = 5_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await look();
    if (wanted(value) || performance.now() > deadline) return value;
    await sleep(20);
  }
}

test('a balancer made through the API answers at its address, reports the health of its targets, follows labels, and swallows when it is gone', async () => {
  const s = await small();
  const made = await s.api.call('POST', '/load_balancers', {
    name: 'api',
    load_balancer_type: 'lb11',
    location: 'fsn1',
    algorithm: { type: 'round_robin' },
    services: [
      {
        protocol: 'tcp',
        listen_port: 6443,
        destination_port: 6443,
        proxyprotocol: false,
        health_check: {
          protocol: 'http',
          port: 6443,
          interval: 3,
          timeout: 2,
          retries: 2,
          http: { path: '/readyz', status_codes: ['200', '401'], tls: true },
        },
      },
    ],
    targets: [{ type: 'label_selector', label_selector: { selector: 'role=control-plane' }, use_private_ip: false }],
  });
  expect(made.status).toBe(201);
  const balancer = made.body?.['load_balancer'] as Balancer;
  const { id } = balancer;
  expect(
    await until(
      () => statuses(s, id),
      (all) => Object.values(all).every((one) => one === 'healthy') && 'cp-1' in all,
    ),
  ).toEqual({
    'cp-1': 'healthy',
    'cp-2': 'healthy',
    'cp-3': 'healthy',
  });
  const address = balancer.public_net.ipv4.ip;
  expect([await ask(address), await ask(address), await ask(address)].toSorted()).toEqual(['cp-1', 'cp-2', 'cp-3']);

  await s.hosts.get('cp-1')?.setCondition('off');
  expect(
    await until(
      () => statuses(s, id),
      (all) => all['cp-1'] === 'unhealthy',
    ),
  ).toMatchObject({ 'cp-1': 'unhealthy' });
  expect([await ask(address), await ask(address), await ask(address)]).not.toContain('cp-1');

  await s.api.call('PUT', `/servers/${s.ids.get('cp-2')}`, { labels: { role: 'worker' } });
  expect(
    Object.keys(
      await until(
        () => statuses(s, id),
        (all) => !('cp-2' in all),
      ),
    ),
  ).toEqual(['cp-1', 'cp-3']);
  expect([await ask(address), await ask(address)]).toEqual(['cp-3', 'cp-3']);

  expect((await s.api.act('DELETE', `/load_balancers/${id}`)).status).toBe('success');
  const gone = connect({ host: address, port: 6443 });
  cleanups.push(() => gone.destroy());
  let events = '';
  for (const event of ['connect', 'error', 'close']) gone.on(event, () => (events += event));
  await sleep(250);
  expect(events).toBe('');
});

test('a record set of the API is answered by the name server, with its TTL, until it is removed', async () => {
  const s = await small();
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([`${s.plane.dns.address}:${s.plane.dns.port}`]);
  const lookUp = (): Promise<unknown> =>
    resolver.resolve4('api.example.com', { ttl: true }).catch((error: { code: string }) => error.code);
  expect(await lookUp()).toBe('EREFUSED');
  await s.api.act('POST', '/zones', { name: 'example.com', mode: 'primary' });
  expect(await until(lookUp, (answer) => answer !== 'EREFUSED')).toBe('ENOTFOUND');
  await s.api.act('POST', '/zones/example.com/rrsets', {
    name: 'api',
    type: 'A',
    ttl: 60,
    records: [{ value: '127.64.1.2' }],
  });
  expect(await until(lookUp, (answer) => answer !== 'ENOTFOUND')).toEqual([{ address: '127.64.1.2', ttl: 60 }]);
  expect((await resolver.resolveSoa('example.com')).nsname).toBe('hydrogen.ns.hetzner.com');
  expect(await resolver.resolveNs('example.com')).toHaveLength(3);
  await s.api.act('DELETE', '/zones/example.com/rrsets/api/A');
  expect(await until(lookUp, (answer) => answer === 'ENOTFOUND')).toBe('ENOTFOUND');
});

test('an https service made through the API ends TLS with a managed certificate, whose authority the chain names', async () => {
  const s = await small();
  await s.api.act('POST', '/zones', { name: 'example.com', mode: 'primary' });
  const ordered = await s.api.call('POST', '/certificates', {
    name: 'api',
    type: 'managed',
    domain_names: ['api.example.com'],
  });
  const { id } = (ordered.body ?? {})['certificate'] as { id: number };
  const made = await s.api.call('POST', '/load_balancers', {
    name: 'web',
    load_balancer_type: 'lb11',
    location: 'fsn1',
    services: [{ protocol: 'https', listen_port: 8443, destination_port: 6443, http: { certificates: [id] } }],
  });
  const { ipv4 } = ((made.body ?? {})['load_balancer'] as Balancer).public_net;
  const pem = async (): Promise<string> => {
    const { body = {} } = await s.api.call('GET', `/certificates/${id}`);
    return String((body['certificate'] as { certificate: string }).certificate);
  };
  await until(pem, (text) => text.startsWith('-----BEGIN'));
  const ca = `-----BEGIN${(await pem()).split('-----BEGIN').at(-1)}`;
  const status = (): Promise<unknown> =>
    new Promise((resolve) => {
      https
        .get({ host: ipv4.ip, port: 8443, servername: 'api.example.com', ca, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
        .on('error', (error) => resolve(error.message));
    });
  // It has no target.
  expect(await until(status, (answer) => answer === 503)).toBe(503);
});
