import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../../src/base/clock.ts';
import type { Random } from '../../../src/base/random.ts';
import { contains, parseIp, parseSubnet } from '../config/ip.ts';

/** What an operator does in the cloud when it wins and when it lets go. */
export interface VipHandler {
  acquire(signal: AbortSignal): Promise<void>;
  release(signal: AbortSignal): Promise<void>;
}

export interface HcloudOptions {
  /** http://…/v1 */
  readonly cloudUrl: string;
  readonly token: string;
  readonly serverId: number;
  readonly ip: string;
  /** Address the requests are sent from. */
  readonly localAddress?: string;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly retryBaseMs: number;
  readonly log: (line: string) => void;
}

interface FloatingIP {
  readonly id: number;
  readonly ip: string;
}

/** An answer that is no success, worded as hcloud-go words it. */
class CloudError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The client repeats these by itself; every other refusal is the caller's. */
const RETRIED = new Set([409, 429, 502, 504]);
const RETRIES = 5;
/** Times the first pause. */
const RETRY_CAP = 60;
/** Go's dialer gives up after 30 s, thirty times the client's first pause. */
const DIAL_PAUSES = 30;

/** No answer to the first packet; the client repeats that too. */
class DialTimeout extends Error {}

/** Where a shared IP lives: on the network of that id as an alias address; 0 = it is a floating IP. */
export interface VipPlace {
  readonly networkId: number;
}

/**
 * What Talos asks of the cloud before it builds an operator's spec; fails where it would build none. A server that the
 * token's project does not have is no obstacle for a public address: its assignment fails later.
 */
export async function findPlace(options: HcloudOptions, signal: AbortSignal): Promise<VipPlace> {
  const isPrivate = isPrivateVip(options.ip);
  let server: unknown;
  try {
    server = fieldOf(await call(options, 'GET', `/servers/${options.serverId}`, undefined, signal), 'server');
  } catch (error) {
    if (!(error instanceof CloudError && error.status === 404)) throw wrapped('error getting server info', error);
    // Talos takes a server that is not there for one without a name, and reads its networks: the controller crashes.
    if (isPrivate)
      throw new Error('runtime error: invalid memory address or nil pointer dereference', { cause: error });
  }
  if (!isPrivate) return { networkId: 0 };
  const attached = listOf(server, 'private_net').map((net) => fieldOf(net, 'network'));
  if (attached.length === 0) {
    throw new Error(
      `trying to assign private vip (alias IP) "${options.ip}", but no private network is assigned to the server`,
    );
  }
  for (const id of attached) {
    let network: unknown;
    try {
      network = fieldOf(await call(options, 'GET', `/networks/${String(id)}`, undefined, signal), 'network');
    } catch (error) {
      throw wrapped('error getting network info', error);
    }
    if (typeof id !== 'number' || !covers(fieldOf(network, 'ip_range'), options.ip)) continue;
    options.log(`found private network for private vip (alias IP) {"vip": "${options.ip}", "network_id": ${id}}`);
    return { networkId: id };
  }
  // In none of its networks: Talos then looks for a floating IP of that address.
  return { networkId: 0 };
}

/** RFC 1918 and unique local addresses; in a lab of loopback addresses, the quarter that its private network is. */
export function isPrivateVip(ip: string): boolean {
  const [a = 0, b = 0, c = 0] = ip.split('.').map(Number);
  if (ip.includes(':')) return /^f[cd]/i.test(ip);
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 127 && c < 64);
}

function covers(range: unknown, ip: string): boolean {
  const subnet = typeof range === 'string' ? parseSubnet(range) : undefined;
  const address = parseIp(ip);
  return subnet !== undefined && address !== undefined && contains(subnet, address);
}

const wrapped = (what: string, error: unknown): Error => new Error(`${what}: ${words(error)}`, { cause: error });

/** Talos' handler: an alias address where the place has a network, else a floating IP; no action is waited for. */
export const createHcloudHandler = (options: HcloudOptions, place: VipPlace = { networkId: 0 }): VipHandler =>
  place.networkId === 0 ? floatingIPHandler(options) : aliasHandler(options, place.networkId);

function floatingIPHandler(options: HcloudOptions): VipHandler {
  let floatingIPId: number | undefined;
  const facts = `"vip": "${options.ip}", "device_id": ${options.serverId}`;
  return {
    async acquire(signal) {
      // An IPv6 floating IP is a /64, told by its first address: Talos finds no other one.
      const found = (await listFloatingIPs(options, signal)).find((candidate) => candidate.ip === options.ip);
      if (found === undefined) {
        throw new Error(
          `error assigning "${options.ip}" to server ${options.serverId} in network 0: floating IP / alias IP is not found`,
        );
      }
      floatingIPId = found.id;
      try {
        await call(options, 'POST', `/floating_ips/${found.id}/actions/assign`, { server: options.serverId }, signal);
      } catch (error) {
        throw wrapped(`error assigning "${options.ip}" on server ${options.serverId}`, error);
      }
      options.log(`assigned Hetzner Cloud floating IP {${facts}, "status": "running"}`);
    },
    async release(signal) {
      if (floatingIPId === undefined) return;
      let answer: unknown;
      try {
        answer = await call(options, 'GET', `/floating_ips/${floatingIPId}`, undefined, signal);
      } catch (error) {
        throw wrapped('error getting floatingIP info', error);
      }
      // Told only when someone else has led it away meanwhile; while it is here it stays assigned.
      const server = fieldOf(fieldOf(answer, 'floating_ip'), 'server');
      if (server !== options.serverId) options.log(`unassigned Hetzner Cloud floating IP {${facts}}`);
    },
  };
}

/** Other aliases of both servers are lost: the call replaces them all. */
function aliasHandler(options: HcloudOptions, networkId: number): VipHandler {
  const facts = (id: number): string => `"vip": "${options.ip}", "device_id": ${id}, "network_id": ${networkId}`;
  const change = (id: number, aliases: readonly string[], signal: AbortSignal): Promise<unknown> =>
    call(
      options,
      'POST',
      `/servers/${id}/actions/change_alias_ips`,
      { network: networkId, alias_ips: aliases },
      signal,
    );
  return {
    async acquire(signal) {
      const former = await formerHolder(options, networkId, signal);
      if (former !== undefined) {
        options.log(`trying to remove previous Hetzner Cloud IP alias {${facts(former)}}`);
        try {
          await change(former, [], signal);
        } catch (error) {
          throw wrapped(`error remove Hetzner Cloud IP alias "${options.ip}" from server ${former}`, error);
        }
        options.log(`cleared previous Hetzner Cloud IP alias {${facts(former)}, "status": "running"}`);
      }
      try {
        await change(options.serverId, [options.ip], signal);
      } catch (error) {
        throw wrapped(`error change alias IPs "${options.ip}" to server ${options.serverId}`, error);
      }
      options.log(`assigned Hetzner Cloud IP alias {${facts(options.serverId)}, "status": "running"}`);
    },
    async release(signal) {
      try {
        await change(options.serverId, [], signal);
      } catch (error) {
        throw wrapped(`error remove alias IPs "${options.ip}" on server ${options.serverId}`, error);
      }
      options.log(`unassigned Hetzner Cloud alias IP {${facts(options.serverId)}, "status": "running"}`);
    },
  };
}

/** Another server that has the alias. */
async function formerHolder(
  options: HcloudOptions,
  networkId: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  let servers: unknown[];
  try {
    servers = await listAll(options, 'servers', signal);
  } catch (error) {
    throw wrapped('error getting server list', error);
  }
  const found = servers.find(
    (server) =>
      fieldOf(server, 'id') !== options.serverId &&
      listOf(server, 'private_net').some(
        (net) => fieldOf(net, 'network') === networkId && listOf(net, 'alias_ips').includes(options.ip),
      ),
  );
  const id = fieldOf(found, 'id');
  return typeof id === 'number' ? id : undefined;
}

/** Every page, one by one, before anything is chosen. */
async function listAll(options: HcloudOptions, what: string, signal: AbortSignal): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let page: unknown = 1; typeof page === 'number';) {
    const answer = await call(options, 'GET', `/${what}?page=${page}&per_page=50`, undefined, signal);
    all.push(...listOf(answer, what));
    page = fieldOf(fieldOf(fieldOf(answer, 'meta'), 'pagination'), 'next_page');
  }
  return all;
}

async function listFloatingIPs(options: HcloudOptions, signal: AbortSignal): Promise<FloatingIP[]> {
  let listed: unknown[];
  try {
    listed = await listAll(options, 'floating_ips', signal);
  } catch (error) {
    throw wrapped('error getting floatingIPs list', error);
  }
  return listed.flatMap((item) => {
    const [id, ip] = [fieldOf(item, 'id'), fieldOf(item, 'ip')];
    if (typeof id !== 'number' || typeof ip !== 'string') return [];
    // The API tells an IPv6 one as its /64.
    return [{ id, ip: ip.split('/')[0] ?? ip }];
  });
}

/**
 * One request of hcloud-go: no time-out once it is connected; five repeats of what may pass by itself, after pauses drawn
 * between one second and one that doubles each time.
 */
async function call(
  options: HcloudOptions,
  method: 'GET' | 'POST',
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  const { clock, random, retryBaseMs } = options;
  for (let n = 0; ; n += 1) {
    try {
      return await once(options, method, path, body, signal);
    } catch (error) {
      const passes = error instanceof CloudError ? RETRIED.has(error.status) : error instanceof DialTimeout;
      if (!passes || n >= RETRIES) throw error;
      const most = Math.min(RETRY_CAP, 2 ** n);
      await clock.sleep(retryBaseMs * (1 + random.next() * (most - 1)), signal);
    }
  }
}

function once(
  options: HcloudOptions,
  method: string,
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  const url = new URL(`${options.cloudUrl}${path}`);
  const headers = {
    accept: 'application/json',
    'user-agent': options.userAgent,
    authorization: `Bearer ${options.token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const from = options.localAddress === undefined ? {} : { localAddress: options.localAddress };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(
      url,
      { method, headers, signal, ...from },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(parse(text));
          else reject(new CloudError(status, problemText(status, text)));
        });
      },
    );
    request.on('error', (error) => reject(asGoSaysIt(error, method, url)));
    request.on('socket', (socket) => {
      if (!socket.connecting) return;
      const stop = new AbortController();
      const done = (): void => stop.abort();
      socket.once('connect', done).once('close', done);
      options.clock.sleep(options.retryBaseMs * DIAL_PAUSES, stop.signal).then(
        () => request.destroy(new DialTimeout('i/o timeout')),
        () => {},
      );
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** `Post "http://…": dial tcp 1.2.3.4:80: i/o timeout`, as Go's net/http has it. */
function asGoSaysIt(error: Error & { readonly code?: string }, method: string, url: URL): Error {
  const verb = `${method.slice(0, 1)}${method.slice(1).toLowerCase()} "${url.href}"`;
  const dial = `${verb}: dial tcp ${url.host}`;
  if (error instanceof DialTimeout) return new DialTimeout(`${dial}: i/o timeout`, { cause: error });
  if (error.code === 'ECONNREFUSED') return new Error(`${dial}: connect: connection refused`, { cause: error });
  if (error.code === 'ECONNRESET') return new Error(`${verb}: EOF`, { cause: error });
  return error;
}

function problemText(status: number, text: string): string {
  const error = fieldOf(parse(text), 'error');
  const [message, code] = [fieldOf(error, 'message'), fieldOf(error, 'code')];
  return typeof message === 'string' && typeof code === 'string'
    ? `${message} (${code})`
    : `hcloud: server responded with status code ${status}`;
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

const listOf = (value: unknown, name: string): unknown[] => {
  const found = fieldOf(value, name);
  return Array.isArray(found) ? found : [];
};

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
