import { startCloud } from '../../lab/cloud/cloud.ts';
import type { Cloud, CloudServer } from '../../lab/cloud/types.ts';
import type { LoopbackFabric } from '../../lab/fabric/loopback.ts';
import { startLoopback } from '../../lab/fabric/loopback.ts';
import type { Processes } from '../../lab/fabric/owner.ts';
import type { FabricHost } from '../../lab/fabric/types.ts';
import { createWorldFaults, type WorldFaults } from '../../lab/faults/world.ts';
import { type Audit, createAudit } from '../../lab/world/audit.ts';
import { cloudFront } from '../../lab/world/front.ts';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom, systemRandom } from '../../src/base/random.ts';
import { Redacted } from '../../src/base/redacted.ts';
import { createHetznerClient } from '../../src/systems/hetzner/client.ts';
import type { HetznerClient, HetznerOptions } from '../../src/systems/hetzner/types.ts';

export const TOKENS = {
  fairlead: 'token-of-fairlead',
  node: 'token-of-nodes',
  'read-only': 'token-that-reads',
} as const;

/** A cloud in a network with hosts whose processes are the test's: real sockets, no Talos. */
export interface SmallWorld {
  readonly cloud: Cloud;
  readonly fabric: LoopbackFabric;
  readonly audit: Audit;
  readonly faults: WorldFaults;
  readonly hosts: Map<number, FabricHost>;
  addServer(name: string): Promise<{ server: CloudServer; host: FabricHost }>;
  /** The client that is used in production. */
  client(options?: Partial<HetznerOptions>): HetznerClient;
  call(
    method: string,
    path: string,
    body?: unknown,
    token?: string,
  ): Promise<{ status: number; body: unknown; headers: Headers }>;
  close(): Promise<void>;
}

export async function smallWorld(processes: Processes = () => []): Promise<SmallWorld> {
  const clock = systemClock;
  const fabric = await startLoopback({ random: systemRandom, clock, processes });
  const audit = createAudit(undefined, () => clock.wall());
  const hosts = new Map<number, FabricHost>();
  const faults: WorldFaults = createWorldFaults({
    clock,
    fabric,
    tokens: TOKENS,
    cloud: () => cloud,
    hosts: () => [...hosts.values()],
  });
  const done = async (): Promise<void> => {};
  const front = cloudFront(fabric, fabric.allocate('service'), 8080);
  const cloud: Cloud = await startCloud({
    address: front.address,
    port: 8080,
    url: front.url,
    clock,
    random: seededRandom(7),
    speed: 30,
    era: 'from-2026-10',
    tokens: { readWrite: [TOKENS.fairlead, TOKENS.node], readOnly: [TOKENS['read-only']] },
    audit,
    network: { name: 'net', ipRange: fabric.privateRange },
    faults: faults.cloud,
    effects: faults.effects({
      allocate: (purpose) => fabric.allocate(purpose),
      serverCreated: done,
      serverDeleted: done,
      powerOn: async (server) => hosts.get(server.id)?.setCondition('up'),
      powerOff: async (server) => hosts.get(server.id)?.setCondition('off'),
      shutdown: done,
      reboot: done,
      reset: done,
      routed: (fip, server) => fabric.route(fip.ip, server === undefined ? undefined : hosts.get(server.id)),
    }),
  });
  await front.open();
  return {
    cloud,
    fabric,
    audit,
    faults,
    hosts,
    async addServer(name) {
      const server = cloud.addServer({ name, labels: {}, userData: '' });
      const host = fabric.addHost(name);
      hosts.set(server.id, host);
      for (const address of [server.publicIPv4, server.privateIPv4]) {
        await host.claim(address);
        await fabric.route(address, host);
      }
      return { server, host };
    },
    client: (options = {}) =>
      createHetznerClient(
        { fetch, clock, random: systemRandom },
        {
          token: new Redacted(TOKENS.fairlead),
          endpoint: cloud.url,
          actionPoll: { baseMs: 20, capMs: 50 },
          retry: { baseMs: 20, capMs: 200 },
          requestTimeoutMs: 1_000,
          ...options,
        },
      ),
    async call(method, path, body, token = TOKENS.fairlead) {
      const response = await fetch(cloud.url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'user-agent': 'a-test/1' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text.startsWith('{') ? JSON.parse(text) : text,
      };
    },
    async close() {
      faults.registry.close();
      await cloud.close();
      await fabric.close();
    },
  };
}
