import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startCloud } from '../../../lab/cloud/cloud.ts';
import { DEFAULT_KNOBS } from '../../../lab/cloud/knobs.ts';
import type { Cloud } from '../../../lab/cloud/types.ts';
import { startLoopback } from '../../../lab/fabric/loopback.ts';
import type { Fabric } from '../../../lab/fabric/types.ts';
import type { EtcdPart } from '../../../lab/kubernetes/types.ts';
import { createHcloudHandler, findPlace, type HcloudOptions, type VipPlace } from '../../../lab/talos/vip/hcloud.ts';
import { startVipOperator, type VipOperator } from '../../../lab/talos/vip/operator.ts';
import { createAudit } from '../../../lab/world/audit.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { Harness, type Node } from '../../conformance/etcd-harness.ts';

export interface SeenRequest {
  readonly by: string;
  readonly method: string;
  /** Below `/v1`. */
  readonly path: string;
  readonly query: string;
  readonly body: string;
  /** 0 = the connection was reset or never answered. */
  readonly status: number;
  readonly at: number;
}

/** What the cloud does to requests that match, instead of what it would. */
export interface CloudFault {
  readonly on: (method: string, path: string) => boolean;
  readonly answer: { readonly status: number; readonly body: string; readonly type: string } | 'reset' | 'hang';
}

export interface Stage {
  readonly holders: ReadonlySet<string>;
  readonly requests: SeenRequest[];
  readonly log: { readonly by: string; readonly line: string; readonly at: number }[];
  /** The floating IP: an id and an address of the lab's cloud. */
  readonly floatingIP: { readonly id: number; readonly ip: string };
  readonly members: readonly Node[];
  readonly harness: Harness;
  serverId(name: string): number;
  start(name: string, options?: StartOptions): VipOperator;
  /** What is asked before an operator is built. */
  place(name: string, options?: StartOptions): Promise<VipPlace>;
  /** Ends all operators and forgets what was seen. */
  clear(): Promise<void>;
  /** So many other floating IPs that a list has a second page. */
  fillPages(): Promise<void>;
  fault(fault: CloudFault | undefined): void;
  cloudCall(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
  until(what: string, holds: () => boolean, timeoutMs: number): Promise<number>;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly token?: string;
  readonly ip?: string;
  readonly place?: VipPlace;
  readonly serverId?: number;
  /** What it calls itself in the election. */
  readonly hostname?: string;
}

/** The recorder's stand-in answered, and had done it. */
const AT_ONCE = { assign: [0, 0], unassign: [0, 0], network: [0, 0] } as const;

const NAMES = ['cp-1', 'cp-2', 'cp-3'];
const TOKEN = 'a'.repeat(64);

/** A three-member etcd, an operator for each member as they are started, and the lab's cloud behind a door that notes all requests. */
export async function startStage(part: EtcdPart, speed: number): Promise<Stage> {
  const harness = await Harness.create(part);
  const members = await harness.cluster();
  const fabric = await startLoopback({ random: systemRandom, clock: systemClock });
  const cloud = await openCloud(fabric);
  const servers = new Map(NAMES.map((name) => [name, cloud.addServer({ name, labels: {}, userData: '' }).id]));
  const requests: SeenRequest[] = [];
  const log: Stage['log'] = [];
  const holders = new Set<string>();
  const operators: VipOperator[] = [];
  let fault: CloudFault | undefined;
  const door = await openDoor(
    () => cloud.url,
    () => fault,
    (seen) => requests.push(seen),
  );
  const cloudCall: Stage['cloudCall'] = async (method, path, body) => {
    const response = await fetch(`${cloud.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  };
  const made = (await cloudCall('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'api' })) as {
    floating_ip: { id: number; ip: string };
  };
  const floatingIP = made.floating_ip;
  const serverId = (name: string): number => servers.get(name) ?? 0;
  const memberOf = (name: string): Node => {
    const found = members[NAMES.indexOf(name)];
    if (found === undefined) throw new Error(`no member ${name}`);
    return found;
  };

  const tell =
    (by: string) =>
    (line: string): void =>
      void log.push({ by, line, at: systemClock.now() });
  const cloudOf = (name: string, options: StartOptions): HcloudOptions => ({
    cloudUrl: door.url,
    token: options.token ?? TOKEN,
    serverId: options.serverId ?? serverId(name),
    ip: options.ip ?? floatingIP.ip,
    userAgent: `Talos/v1.13.9 hcloud-go/2.36.0 node/${name}`,
    clock: systemClock,
    random: systemRandom,
    retryBaseMs: 1_000 / speed,
    log: tell(name),
  });

  return {
    holders,
    requests,
    log,
    floatingIP,
    members,
    harness,
    serverId,
    start(name, options = {}) {
      const ip = options.ip ?? floatingIP.ip;
      const operator = startVipOperator(
        { link: 'enp1s0', ip, kind: 'hcloud', form: 'document' },
        {
          clock: systemClock,
          hostname: options.hostname ?? name,
          sessionTtlSeconds: Math.max(2, Math.ceil(60 / speed)),
          retryMs: 1_000 / speed,
          etcd: () => harness.clientOf(memberOf(name).address, harness.tls, 10_000),
          handler: createHcloudHandler(cloudOf(name, options), options.place),
          ready: async () => {},
          revokesLeases: true,
          claim: async () => void holders.add(name),
          unclaim: async () => void holders.delete(name),
          log: tell(name),
        },
      );
      operators.push(operator);
      return operator;
    },
    place: (name, options = {}) => findPlace(cloudOf(name, options), new AbortController().signal),
    async clear() {
      fault = undefined;
      await Promise.all(operators.splice(0).map((operator) => operator.stop('cancelled')));
      holders.clear();
      requests.length = 0;
      log.length = 0;
    },
    async fillPages() {
      for (let n = 0; n < 50; n += 1) {
        await cloudCall('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: `other-${n}` });
      }
    },
    fault(next) {
      fault = next;
    },
    cloudCall,
    async until(what, holds, timeoutMs) {
      const began = systemClock.now();
      const reached = await waitFor(systemClock, { everyMs: 2, timeoutMs }, async () => (holds() ? true : undefined));
      if (reached === undefined) {
        const lines = log.slice(-12).map(({ by, line }) => `${by}: ${line}`);
        throw new Error(`${what}: not within ${timeoutMs} ms; held by ${[...holders].join()}\n${lines.join('\n')}`);
      }
      return systemClock.now() - began;
    },
    async close() {
      for (const operator of operators) operator.kill();
      await door.close();
      await cloud.close();
      await fabric.close();
      await harness.close();
    },
  };
}

function openCloud(fabric: Fabric): Promise<Cloud> {
  const nothing = async (): Promise<void> => {};
  return startCloud({
    address: fabric.allocate('service'),
    port: 8080,
    clock: systemClock,
    random: systemRandom,
    // The recorder's stand-in answered at once.
    speed: 30,
    era: 'from-2026-10',
    tokens: { readWrite: [TOKEN], readOnly: [] },
    audit: createAudit(undefined, () => new Date()),
    effects: {
      allocate: (purpose) => fabric.allocate(purpose),
      serverCreated: nothing,
      serverDeleted: nothing,
      powerOn: nothing,
      powerOff: nothing,
      shutdown: nothing,
      reboot: nothing,
      reset: nothing,
      routed: nothing,
    },
    network: { name: 'private', ipRange: '10.0.0.0/16' },
    knobs: { delays: { ...DEFAULT_KNOBS.delays, ...AT_ONCE }, quotas: { floatingIPs: 200 } },
  });
}

interface Door {
  readonly url: string;
  close(): Promise<void>;
}

/** The recorder's stand-in had done what it answered to: the answer waits until the action that it tells of has ended. */
async function landed(cloud: string, authorization: string, answer: string): Promise<void> {
  const { action } = JSON.parse(answer) as { action?: { id: number } };
  if (action === undefined) return;
  await waitFor(systemClock, { everyMs: 5, timeoutMs: 3_000 }, async () => {
    const asked = await fetch(`${cloud}/actions/${action.id}`, { headers: { authorization } });
    const now = (await asked.json()) as { action?: { status: string } };
    return now.action?.status === 'running' ? undefined : true;
  });
}

/** Passes requests on to the cloud, or does to them what the fault says. */
async function openDoor(
  target: () => string,
  fault: () => CloudFault | undefined,
  note: (seen: SeenRequest) => void,
): Promise<Door> {
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const url = new URL(request.url ?? '/', 'http://door');
    const path = url.pathname.replace(/^\/v1/, '');
    const method = request.method ?? '';
    const by = /node\/(\S+)/.exec(request.headers['user-agent'] ?? '')?.[1] ?? '';
    const at = systemClock.now();
    const seen = (status: number): void =>
      note({ by, method, path, query: url.search.slice(1), body, status, at });
    const now = fault();
    if (now?.on(method, path) === true) {
      if (now.answer === 'hang') return seen(0);
      if (now.answer === 'reset') {
        seen(0);
        request.socket.destroy();
        return;
      }
      seen(now.answer.status);
      response.writeHead(now.answer.status, { 'content-type': now.answer.type }).end(now.answer.body);
      return;
    }
    const answer = await fetch(`${target()}${path}${url.search}`, {
      method,
      headers: {
        authorization: request.headers.authorization ?? '',
        ...(body === '' ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === '' ? {} : { body }),
    });
    seen(answer.status);
    const text = await answer.text();
    if (method === 'POST' && answer.ok) await landed(target(), request.headers.authorization ?? '', text);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  };
  const server: Server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
