import http from 'node:http';
import https from 'node:https';
import { retry } from '../../../src/base/retry.ts';
import type { Clock } from '../../../src/base/clock.ts';
import type { Random } from '../../../src/base/random.ts';

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
  readonly server: number | null;
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

/** Fails when the token or the server is not known to the cloud: the operator's spec is then not built. */
export async function checkServer(options: HcloudOptions, signal: AbortSignal): Promise<void> {
  try {
    await call(options, 'GET', `/servers/${options.serverId}`, undefined, signal);
  } catch (error) {
    // A server of another project is no obstacle for a public address: the assignment fails later.
    if (error instanceof CloudError && error.status === 404) return;
    throw new Error(`error getting server info: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Talos' handler for floating IPs: looks the address up, assigns it without waiting for the action. */
export function createHcloudHandler(options: HcloudOptions): VipHandler {
  let floatingIPId: number | undefined;
  return {
    async acquire(signal) {
      const found = (await listFloatingIPs(options, signal)).find((candidate) => candidate.ip === options.ip);
      const target = `"${options.ip}" to server ${options.serverId}`;
      if (found === undefined) {
        throw new Error(`error assigning ${target} in network 0: floating IP / alias IP is not found`);
      }
      floatingIPId = found.id;
      try {
        await call(options, 'POST', `/floating_ips/${found.id}/actions/assign`, { server: options.serverId }, signal);
      } catch (error) {
        throw new Error(`error assigning "${options.ip}" on server ${options.serverId}: ${words(error)}`, {
          cause: error,
        });
      }
      options.log(`assigned Hetzner Cloud floating IP {"vip": "${options.ip}", "device_id": ${options.serverId}}`);
    },
    async release(signal) {
      if (floatingIPId === undefined) return;
      const answer = await call(options, 'GET', `/floating_ips/${floatingIPId}`, undefined, signal);
      const server = fieldOf(fieldOf(answer, 'floating_ip'), 'server');
      if (server !== options.serverId) {
        options.log(`unassigned Hetzner Cloud floating IP {"vip": "${options.ip}", "device_id": ${options.serverId}}`);
      }
    },
  };
}

async function listFloatingIPs(options: HcloudOptions, signal: AbortSignal): Promise<FloatingIP[]> {
  const all: FloatingIP[] = [];
  try {
    for (let page: unknown = 1; typeof page === 'number';) {
      const answer = await call(options, 'GET', `/floating_ips?page=${page}&per_page=50`, undefined, signal);
      const list = fieldOf(answer, 'floating_ips');
      for (const item of Array.isArray(list) ? list : []) {
        const [id, ip, server] = [fieldOf(item, 'id'), fieldOf(item, 'ip'), fieldOf(item, 'server')];
        if (typeof id !== 'number' || typeof ip !== 'string') continue;
        all.push({ id, ip, server: typeof server === 'number' ? server : null });
      }
      page = fieldOf(fieldOf(fieldOf(answer, 'meta'), 'pagination'), 'next_page');
    }
  } catch (error) {
    throw new Error(`error getting floatingIPs list: ${words(error)}`, { cause: error });
  }
  return all;
}

/** One request of hcloud-go: no time-out, five repeats of what may pass by itself. */
function call(
  options: HcloudOptions,
  method: 'GET' | 'POST',
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  return retry(
    options,
    {
      attempts: 6,
      baseMs: options.retryBaseMs,
      capMs: options.retryBaseMs * 60,
      retryable: (error) => error instanceof CloudError && RETRIED.has(error.status),
    },
    () => once(options, method, path, body, signal),
    signal,
  );
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
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
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

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
