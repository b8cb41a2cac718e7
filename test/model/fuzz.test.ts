import { Agent, request } from 'node:http';
import process from 'node:process';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { DEFAULT_KNOBS } from '../../lab/cloud/knobs.ts';
import { READ_ONLY, READ_WRITE, testCloud, type TestCloud } from '../../lab/cloud/testing.ts';
import { seededRandom } from '../../src/base/random.ts';
import { createFuzzer, type FuzzedRequest } from './fuzzer.ts';

const REQUESTS = 10_000;
let open: TestCloud | undefined;
afterEach(async () => {
  await open?.cloud.close();
});

describe('fuzzed requests', () => {
  const seed = Number(process.env['FAIRLEAD_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

  test(
    `${REQUESTS} of them are answered in the API's own form, and the cloud lives (FAIRLEAD_SEED=${seed})`,
    { timeout: 60_000 },
    async () => {
      const logged = vi.spyOn(console, 'error');
      const c = await testCloud({
        random: seededRandom(seed),
        knobs: {
          rateLimit: { capacity: 1_000_000, refillPerSecond: 1_000 },
          quotas: { ...DEFAULT_KNOBS.quotas, servers: 20 },
        },
      });
      open = c;
      for (let i = 1; i <= 3; i += 1) c.cloud.addServer({ name: `cp-${i}`, labels: { role: 'cp' }, userData: '' });
      const project = c.cloud;
      const agent = new Agent({ keepAlive: true, maxSockets: 16 });
      const known = new Map([['servers', project.servers().map(({ id }) => id)]]);
      /** Ids that answers tell of are asked for later. */
      const learn = (path: string, text: string): void => {
        const collection = /^\/(\w+)/.exec(path)?.[1] ?? '';
        const id = Number(/"id":(\d+)/.exec(text)?.[1]);
        if (Number.isSafeInteger(id)) known.set(collection, [...(known.get(collection) ?? []), id].slice(-5));
      };
      const next = createFuzzer({
        random: seededRandom(seed),
        ids: (collection) => known.get(collection) ?? [],
        tokens: { good: READ_WRITE, readOnly: READ_ONLY },
      });
      const troubles: string[] = [];
      const seen = new Map<number, number>();
      let left = REQUESTS;
      const worker = async (): Promise<void> => {
        while (left > 0 && troubles.length < 5) {
          left -= 1;
          // What is fuzzed away is put back, so that there is always something to spoil.
          if (project.servers().length < 3)
            learn('/servers', JSON.stringify(project.addServer({ name: `more-${left}`, labels: {}, userData: '' })));
          const sent = next();
          const answer = await send(Number(new URL(c.cloud.url).port), agent, sent).catch((failure: unknown) =>
            String(failure),
          );
          if (typeof answer !== 'string') {
            seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
            if (answer.status < 300 && answer.text.startsWith('{')) learn(sent.path, answer.text);
          }
          const trouble = typeof answer === 'string' ? answer : fault(sent, answer);
          if (trouble !== undefined) troubles.push(`${trouble}: ${JSON.stringify(sent).slice(0, 400)}`);
        }
      };
      await Promise.all(Array.from({ length: 16 }, worker));
      agent.destroy();
      expect(troubles, `FAIRLEAD_SEED=${seed}`).toEqual([]);
      expect(logged.mock.calls, `FAIRLEAD_SEED=${seed}`).toEqual([]);
      logged.mockRestore();
      // Nonsense alone would not get past the first check: all of these must have happened.
      for (const status of [200, 201, 400, 401, 404, 405, 422, 423])
        expect(seen.get(status), `${status}, FAIRLEAD_SEED=${seed}`).toBeGreaterThan(0);
      expect((await c.call('GET', '/servers')).status).toBe(200);
      const servers = new Set(c.cloud.servers().map(({ id }) => id));
      for (const fip of c.cloud.floatingIPs()) expect(fip.server === null || servers.has(fip.server)).toBe(true);
    },
  );
});

interface Heard {
  readonly status: number;
  readonly type: string;
  readonly correlation: string | undefined;
  readonly text: string;
}

function send(port: number, agent: Agent, sent: FuzzedRequest): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...(sent.token === undefined ? {} : { authorization: `Bearer ${sent.token}` }),
      ...(sent.contentType === undefined ? {} : { 'content-type': sent.contentType }),
      'content-length': Buffer.byteLength(sent.body ?? ''),
    };
    const call = request(
      { host: '127.0.0.1', port, agent, method: sent.method, path: `/v1${sent.path}`, headers, timeout: 10_000 },
      (response) => {
        let text = '';
        response.on('data', (chunk) => (text += String(chunk)));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            correlation: response.headers['x-correlation-id']?.toString(),
            text,
          }),
        );
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer in 10 s')));
    call.on('error', reject);
    call.end(sent.body);
  });
}

/** What no answer of the API ever is. */
function fault(sent: FuzzedRequest, { status, type, text, correlation }: Heard): string | undefined {
  if (![200, 201, 204, 400, 401, 403, 404, 405, 409, 410, 422, 423].includes(status))
    return `status ${status} ${text.slice(0, 200)}`;
  if (text.includes(READ_WRITE) || text.includes(READ_ONLY)) return 'a token in the answer';
  if (correlation === undefined) return 'no correlation id';
  if (sent.token !== READ_WRITE && sent.token !== READ_ONLY && status !== 401) return `${status} without a known token`;
  if (sent.token === READ_ONLY && status < 300 && !['GET', 'HEAD'].includes(sent.method))
    return `${status} for a write with a read-only token`;
  if (status === 204) return text === '' && type === '' ? undefined : '204 with a body';
  if (sent.method === 'HEAD') return undefined;
  if (!type.startsWith('application/json')) return `content type ${type}`;
  const body: unknown = JSON.parse(text);
  const told = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined;
  if (status < 300) return told === undefined ? undefined : 'an error with a good status';
  const complete =
    typeof told === 'object' && told !== null && 'code' in told && 'message' in told && 'details' in told;
  return complete ? undefined : `no error in ${text.slice(0, 200)}`;
}
