import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudReady, Memory } from './cloud.ts';
import { start } from './child.ts';

/** Milliseconds; sorted, so that the share p of all calls took at most `at(p)`. */
export interface Latencies {
  readonly count: number;
  at(share: number): number;
}

const latencies = (values: readonly number[]): Latencies => {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    at: (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN,
  };
};

type Call = (method: string, path: string, body?: unknown) => Promise<{ readonly ms: number; readonly body: unknown }>;

/** Calls over kept connections; rejects on a refusal, so that no fast error is counted as an answer. */
function caller(cloud: CloudReady): Call {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const headers = { authorization: `Bearer ${cloud.token}`, 'content-type': 'application/json' };
      const request = http.request(cloud.url + path, { method, agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => {
          const ms = performance.now() - began;
          if ((response.statusCode ?? 500) < 300) resolve({ ms, body: JSON.parse(text) });
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
      });
      request.on('error', reject);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

/** What a client of a small cluster asks for, in turn. */
function mixOf({ servers, floatingIP }: CloudReady, call: Call): readonly (() => ReturnType<Call>)[] {
  return [
    () => call('GET', '/servers?label_selector=role'),
    () => call('GET', `/servers/${servers[0]}`),
    () => call('GET', '/floating_ips'),
    () => call('GET', `/floating_ips/${floatingIP}`),
    () => call('GET', '/load_balancers'),
    () => call('GET', '/networks'),
    () => call('PUT', `/floating_ips/${floatingIP}`, { labels: { a: 'b' } }),
    () => call('GET', '/locations'),
  ];
}

/** So many requests a second for a second, whether or not the last was answered; milliseconds of each. */
async function second(mix: readonly (() => ReturnType<Call>)[], perSecond: number): Promise<number[]> {
  const asked: Promise<{ readonly ms: number }>[] = [];
  const began = performance.now();
  for (let n = 0; n < perSecond; n += 1) {
    const wait = began + (n * 1000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    const one = mix[n % mix.length];
    if (one !== undefined) asked.push(one());
  }
  return (await Promise.all(asked)).map(({ ms }) => ms);
}

/** The cloud under load, and a server that does nothing, second by second in turn: the same neighbours disturb both. */
export async function underLoad(perSecond: number, seconds: number): Promise<{ cloud: Latencies; empty: Latencies }> {
  const cloud = await start<CloudReady>('cloud.ts', ['4', '1']);
  const empty = await start<CloudReady>('empty.ts');
  try {
    const measured = [cloud, empty].map(({ ready }) => ({ mix: mixOf(ready, caller(ready)), values: [] as number[] }));
    for (const { mix } of measured) for (let n = 0; n < 10; n += 1) for (const one of mix) await one();
    for (let n = 0; n < seconds; n += 1)
      for (const { mix, values } of measured) values.push(...(await second(mix, perSecond)));
    const [one = [], other = []] = measured.map(({ values }) => values);
    return { cloud: latencies(one), empty: latencies(other) };
  } finally {
    await Promise.all([cloud.end(), empty.end()]);
  }
}

/**
 * One after the other: a full page of servers, one of balancers, in a large project; in turn with a server that only sends
 * as many bytes.
 */
export async function largeProject(
  servers: number,
  balancers: number,
): Promise<Readonly<Record<string, { readonly pages: Latencies; readonly empty: Latencies }>>> {
  const program = await start<CloudReady>('cloud.ts', [String(servers), String(balancers)]);
  try {
    const call = caller(program.ready);
    const pages = async (path: string, last: number) => {
      const size = JSON.stringify((await call('GET', `${path}?per_page=50&page=1`)).body).length;
      const empty = await start<CloudReady>('empty.ts', [String(size)]);
      try {
        const callEmpty = caller(empty.ready);
        const ours: number[] = [];
        const others: number[] = [];
        for (let n = 0; n < 320; n += 1) {
          const [one, other] = [
            await call('GET', `${path}?per_page=50&page=${1 + (n % last)}`),
            await callEmpty('GET', '/'),
          ];
          // The first ones warm up.
          if (n < 20) continue;
          ours.push(one.ms);
          others.push(other.ms);
        }
        return { pages: latencies(ours), empty: latencies(others) };
      } finally {
        await empty.end();
      }
    };
    return {
      servers: await pages('/servers', Math.ceil(servers / 50)),
      load_balancers: await pages('/load_balancers', Math.ceil(balancers / 50)),
    };
  } finally {
    await program.end();
  }
}

/** Memory of the cloud's process before and after so many assigns, each waited for. */
export async function manyAssigns(
  count: number,
): Promise<{ before: Memory; middle: Memory; after: Memory; seconds: number }> {
  const program = await start<CloudReady>('cloud.ts', ['3', '1']);
  try {
    const { servers, floatingIP } = program.ready;
    const call = caller(program.ready);
    const assign = async (n: number): Promise<void> => {
      const server = servers[n % servers.length];
      let { body } = await call('POST', `/floating_ips/${floatingIP}/actions/assign`, { server });
      const { action } = body as { action: { id: number } };
      for (let status = 'running'; status === 'running';) {
        ({ body } = await call('GET', `/actions/${action.id}`));
        ({ status } = (body as { action: { status: string } }).action);
        if (status === 'error') throw new Error(`action ${action.id} failed`);
      }
    };
    const memory = async (): Promise<Memory> => (await program.ask('memory')) as Memory;
    // Until the engine's heap has its working size, growth is the engine's.
    for (let n = 0; n < 5_000; n += 1) await assign(n);
    const before = await memory();
    const began = performance.now();
    for (let n = 0; n < count / 2; n += 1) await assign(n);
    const middle = await memory();
    for (let n = 0; n < count / 2; n += 1) await assign(n);
    const seconds = (performance.now() - began) / 1000;
    return { before, middle, after: await memory(), seconds };
  } finally {
    await program.end();
  }
}
