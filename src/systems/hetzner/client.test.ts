import { createServer, type IncomingMessage } from 'node:http';
import type net from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { Redacted } from '../../base/redacted.ts';
import { createHetznerClient } from './client.ts';
import { HetznerError } from './errors.ts';
import type { HetznerClient, HetznerOptions } from './types.ts';

const TOKEN = 'a-token-of-sixty-four-characters-that-must-never-be-printed-0000';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}
type Reply = { status?: number; body?: unknown; headers?: Record<string, string> } | 'cut' | 'hang';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** An HTTP server whose answers the test decides, one request at a time. */
async function api(reply: (seen: Seen, n: number) => Reply): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part: Buffer) => (text += part.toString()));
    request.on('end', () => {
      const entry: Seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      seen.push(entry);
      const answer = reply(entry, seen.length - 1);
      if (answer === 'hang') return;
      if (answer === 'cut') {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/v1`, seen };
}

const SPEED = 40;
/** Time that runs forty times as fast, and remembers who slept how long. */
function fastClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => systemClock.now() * SPEED,
    wall: () => new Date(),
    sleep: (ms, signal) => {
      slept.push(ms);
      return systemClock.sleep(ms / SPEED, signal);
    },
  };
}

function clientOf(url: string, options: Partial<HetznerOptions> = {}, clock: Clock = fastClock()): HetznerClient {
  return createHetznerClient(
    { fetch, clock, random: seededRandom(1) },
    { token: new Redacted(TOKEN), endpoint: url, ...options },
  );
}

const FSN1 = { id: 1, name: 'fsn1', network_zone: 'eu-central' };
const floating = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: 7,
  name: 'api',
  description: '',
  ip: '192.0.2.7',
  type: 'ipv4',
  server: null,
  labels: { owner: 'fairlead' },
  home_location: FSN1,
  protection: { delete: false },
  blocked: false,
  ...over,
});
const server = (id: number): Record<string, unknown> => ({
  id,
  name: `cp-${id}`,
  status: 'running',
  public_net: { ipv4: { ip: `192.0.2.${id}` }, ipv6: null, floating_ips: [7] },
  private_net: [{ network: 3, ip: '10.0.0.2', alias_ips: [], mac_address: '86:00:00:00:00:01' }],
  labels: {},
  location: FSN1,
});
const error = (status: number, code: string, message = code): Reply => ({
  status,
  body: { error: { code, message, details: null } },
  headers: { 'x-correlation-id': 'corr-1' },
});
const failed = async (promise: Promise<unknown>): Promise<HetznerError> => {
  const thrown: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(thrown).toBeInstanceOf(HetznerError);
  return thrown as HetznerError;
};

describe('reading', () => {
  test('every page is read, fifty at a time, with token and user agent', async () => {
    const { url, seen } = await api(({ url: path }) => {
      const page = Number(new URL(path, 'http://x').searchParams.get('page'));
      return {
        body: {
          servers: [server(page)],
          meta: { pagination: { page, per_page: 50, next_page: page < 3 ? page + 1 : null } },
        },
        headers: {
          'RateLimit-Limit': '3600',
          'RateLimit-Remaining': `${3600 - page}`,
          'RateLimit-Reset': '1790000000',
        },
      };
    });
    const client = clientOf(url);
    expect(client.rateLimit).toBeUndefined();
    const found = await client.servers();
    expect(found.map((s) => s.id)).toEqual([1, 2, 3]);
    expect(found[0]).toEqual({
      id: 1,
      name: 'cp-1',
      status: 'running',
      publicIPv4: '192.0.2.1',
      privateIPv4: [{ network: 3, ip: '10.0.0.2', aliasIps: [] }],
      floatingIPs: [7],
      labels: {},
      location: 'fsn1',
      networkZone: 'eu-central',
    });
    expect(seen.map((s) => s.url)).toEqual([1, 2, 3].map((n) => `/v1/servers?page=${n}&per_page=50`));
    expect(seen[0]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'user-agent': 'fairlead/0.1.0' });
    expect(client.rateLimit).toEqual({ limit: 3600, remaining: 3597, resetAt: new Date(1_790_000_000_000) });
  });

  test('pages that lead in a circle are an error, not an endless loop', async () => {
    const { url } = await api(() => ({
      body: { locations: [FSN1], meta: { pagination: { next_page: 1 } } },
    }));
    expect((await failed(clientOf(url).locations())).code).toBe('invalid_answer');
  });

  test('a server from before July 2026 has its location inside the data center; one without any is refused', async () => {
    const { location, ...old } = server(1);
    const answers = [{ ...old, datacenter: { location } }, old];
    const { url } = await api((_seen, n) => ({ body: { servers: [answers[n]] } }));
    const client = clientOf(url);
    expect((await client.servers())[0]?.location).toBe('fsn1');
    expect((await failed(client.servers())).message).toContain('servers.0.location: missing');
  });

  test('a floating IP that is not there is undefined', async () => {
    const { url } = await api(() => error(404, 'not_found'));
    expect(await clientOf(url).floatingIP(9)).toBeUndefined();
  });
});

describe('errors', () => {
  test.each([
    [423, 'locked', true],
    [409, 'conflict', true],
    [429, 'rate_limit_exceeded', true],
    [503, 'unavailable', true],
    [500, 'server_error', true],
    [423, 'protected', false],
    [423, 'resource_locked', false],
    [401, 'unauthorized', false],
    [403, 'forbidden', false],
    [403, 'resource_limit_exceeded', false],
    [409, 'uniqueness_error', false],
    [422, 'invalid_input', false],
  ])('%i %s: repeated %s', async (status, code, repeated) => {
    const { url, seen } = await api(() => error(status, code, 'said the API'));
    const thrown = await failed(clientOf(url, { retry: { attempts: 3, baseMs: 10 } }).servers());
    expect(thrown).toMatchObject({ code, status, requestId: 'corr-1', retryable: repeated });
    expect(thrown.message).toBe(`said the API (${code}, request corr-1)`);
    expect(seen).toHaveLength(repeated ? 3 : 1);
  });

  test('what passes is waited out: doubling, capped, with full jitter on the given clock', async () => {
    const clock = fastClock();
    const { url } = await api((_seen, n) => (n < 4 ? error(429, 'rate_limit_exceeded') : { body: { servers: [] } }));
    await clientOf(url, { retry: { attempts: 6, baseMs: 1000, capMs: 3000 }, requestTimeoutMs: 9999 }, clock).servers();
    const waits = clock.slept.filter((ms) => ms !== 9999);
    expect(waits).toHaveLength(4);
    [1000, 2000, 3000, 3000].forEach((most, i) => expect(waits[i]).toBeLessThanOrEqual(most));
    expect(new Set(waits).size).toBe(4);
  });

  test('silence is a request_timeout, nothing listening is unreachable, an abort is the caller’s reason', async () => {
    const { url } = await api(() => 'hang');
    const once = { retry: { attempts: 1 }, requestTimeoutMs: 2000 };
    expect(await failed(clientOf(url, once).servers())).toMatchObject({ code: 'request_timeout', retryable: true });
    expect(await failed(clientOf('http://127.0.0.1:1/v1', once).servers())).toMatchObject({ code: 'unreachable' });
    const reason = new Error('Ctrl-C');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 20);
    await expect(clientOf(url, { requestTimeoutMs: 600_000 }).servers(controller.signal)).rejects.toBe(reason);
  });

  test('a page of HTML, from a proxy or a wrong endpoint, is told as what it is', async () => {
    const { url } = await api((_seen, n) => ({ status: n === 0 ? 200 : 404, body: '<html>' }));
    const client = clientOf(url);
    expect(await failed(client.servers())).toMatchObject({ code: 'invalid_answer', status: 200 });
    expect(await failed(client.servers())).toMatchObject({ code: 'not_found', status: 404 });
  });

  test('a redirect is not followed: it would carry the token elsewhere', async () => {
    const elsewhere = await api(() => ({ body: { servers: [] } }));
    const { url } = await api(() => ({ status: 302, headers: { location: `${elsewhere.url}/servers` } }));
    expect(await failed(clientOf(url).servers())).toMatchObject({ status: 302, retryable: false });
    expect(elsewhere.seen).toEqual([]);
  });

  test('the token is in no error, however it is printed', async () => {
    const { url } = await api(() => error(403, 'forbidden', `token ${TOKEN} may not do this`));
    const thrown = await failed(clientOf(url).servers());
    expect(inspect(thrown, { depth: 9 }) + JSON.stringify(thrown)).not.toContain(TOKEN);
    for (const bad of [`${TOKEN}\n`, `${TOKEN} `, '', 'tökén']) {
      const told = await failed((async () => clientOf(url, { token: new Redacted(bad) }))());
      expect(told.code).toBe('invalid_token');
      expect(inspect(told)).not.toContain(TOKEN);
    }
  });
});

describe('the class of a token', () => {
  test.each([
    [404, 'not_found', 'read-write'],
    [422, 'invalid_input', 'read-write'],
    [401, 'token_readonly', 'read-only'],
    [403, 'forbidden', 'read-only'],
    [401, 'forbidden', 'read-only'],
    [401, 'unauthorized', 'unauthorized'],
  ] as const)('%i %s is %s', async (status, code, expected) => {
    const { url, seen } = await api(() => error(status, code));
    expect(await clientOf(url).tokenClass()).toBe(expected);
    expect(seen.map((s) => [s.method, s.url])).toEqual([['POST', '/v1/floating_ips/0/actions/assign']]);
  });

  test('an API that is down says nothing about the token', async () => {
    const { url } = await api(() => error(503, 'unavailable'));
    expect((await failed(clientOf(url, { retry: { attempts: 2, baseMs: 1 } }).tokenClass())).code).toBe('unavailable');
  });
});

/**
 * A cloud with one floating IP whose actions need `looks` looks; `faults` are taken first, one per POST: `lost` is done at once,
 * `begun` runs as an action, and of both nothing is answered.
 */
function cloud(
  options: { looks?: number; faults?: (Reply | 'lost' | 'begun')[]; outcome?: Record<string, unknown> } = {},
) {
  const state = floating();
  const posts: Seen[] = [];
  let created = false;
  let begun = false;
  let left = options.looks ?? 2;
  let apply: () => void = () => {};
  const reply = (seen: Seen): Reply => {
    const fault = seen.method === 'POST' ? options.faults?.shift() : undefined;
    if (fault !== undefined && fault !== 'lost' && fault !== 'begun') return fault;
    if (seen.method === 'POST') left = options.looks ?? 2;
    const action = { id: 55, command: 'x', status: left > 0 ? 'running' : 'success', progress: 0, error: null };
    if (seen.method === 'POST') {
      posts.push(seen);
      const body = seen.body as Record<string, unknown>;
      if (seen.url.endsWith('/floating_ips')) {
        if (created) return error(409, 'uniqueness_error');
        created = true;
        Object.assign(state, { name: body['name'], labels: body['labels'] });
        return fault === 'lost' ? 'cut' : { status: 201, body: { floating_ip: state } };
      }
      apply = () =>
        Object.assign(
          state,
          seen.url.endsWith('assign') ? { server: body['server'] } : { protection: { delete: body['delete'] } },
        );
      if (fault === 'lost') {
        apply();
        return 'cut';
      }
      begun = true;
      if (fault === 'begun') return 'cut';
      return { status: 201, body: { action } };
    }
    if (seen.url === '/v1/floating_ips/7/actions?status=running') {
      return { body: { actions: begun ? [{ ...action, status: 'running' }] : [] } };
    }
    if (seen.url.startsWith('/v1/actions')) {
      left -= 1;
      if (left <= 0 && options.outcome === undefined) apply();
      return {
        body: {
          actions: [{ ...action, status: left > 0 ? 'running' : 'success', ...(left > 0 ? {} : options.outcome) }],
        },
      };
    }
    if (seen.url.startsWith('/v1/floating_ips?')) return { body: { floating_ips: created ? [state] : [] } };
    return { body: { floating_ip: state } };
  };
  return { reply, posts, state };
}

describe('writing', () => {
  test('an assignment is done when its action is, not at the 201; looks grow from 500 ms to 5 s', async () => {
    const world = cloud({ looks: 9 });
    const { url, seen } = await api(world.reply);
    const clock = fastClock();
    await clientOf(url, { requestTimeoutMs: 99_999 }, clock).assign(7, 42);
    expect(world.state).toMatchObject({ server: 42 });
    expect(world.posts).toHaveLength(1);
    const waits = clock.slept.filter((ms) => ms !== 99_999);
    expect(waits[0]).toBe(500);
    expect(waits[1]).toBe(750);
    expect(waits.at(-1)).toBe(5000);
    expect(seen.filter((s) => s.url === '/v1/actions?id=55')).toHaveLength(9);
  });

  test('the base of waiting can be set, for clouds that are fast', async () => {
    const { url } = await api(cloud({ looks: 3 }).reply);
    const clock = fastClock();
    await clientOf(url, { actionPoll: { baseMs: 40, capMs: 50 }, requestTimeoutMs: 99_999 }, clock).assign(7, 42);
    expect(clock.slept.filter((ms) => ms !== 99_999)).toEqual([40, 50, 50]);
  });

  test('with little of the shared budget left, waiting goes at its slowest', async () => {
    const world = cloud({ looks: 2 });
    const headers = { 'ratelimit-limit': '3600', 'ratelimit-remaining': '100', 'ratelimit-reset': '1' };
    const { url } = await api((seen) => {
      const answer = world.reply(seen);
      return typeof answer === 'string' ? answer : { ...answer, headers };
    });
    const clock = fastClock();
    await clientOf(url, { requestTimeoutMs: 99_999 }, clock).assign(7, 42);
    // Requests in between are paced too, by a second at most.
    const waits = clock.slept.filter((ms) => ms !== 99_999);
    expect(waits.filter((ms) => ms > 1000)).toEqual([5000, 5000]);
  });

  test('what is already so is not written', async () => {
    const world = cloud();
    Object.assign(world.state, { server: 42, protection: { delete: true } });
    const { url } = await api(world.reply);
    const client = clientOf(url);
    await client.assign(7, 42);
    await client.setProtection(7, true);
    expect(world.posts).toEqual([]);
    await client.setProtection(7, false);
    expect(world.posts.map((p) => [p.url, p.body])).toEqual([
      ['/v1/floating_ips/7/actions/change_protection', { delete: false }],
    ]);
  });

  test('a locked address is asked again until it is free', async () => {
    const world = cloud({ faults: [error(423, 'locked'), error(409, 'conflict')] });
    const { url } = await api(world.reply);
    await clientOf(url).assign(7, 42);
    expect(world.posts).toHaveLength(1);
  });

  test('an action that fails tells why; one that fails because something is locked is tried again', async () => {
    const outcome = { status: 'error', error: { code: 'action_failed', message: 'no such luck' } };
    const one = await api(cloud({ outcome }).reply);
    expect(await failed(clientOf(one.url).assign(7, 42))).toMatchObject({ code: 'action_failed', retryable: false });
    const locked = cloud({
      outcome: { status: 'error', error: { code: 'unknown_error', message: 'server is locked' } },
    });
    const two = await api(locked.reply);
    await failed(clientOf(two.url, { retry: { attempts: 3, baseMs: 1 } }).assign(7, 42));
    expect(locked.posts).toHaveLength(3);
  });

  test('an action that never ends is given up in time, and said to be still running', async () => {
    const { url } = await api(cloud({ looks: 1e9 }).reply);
    const thrown = await failed(clientOf(url, { actionPoll: { timeoutMs: 3000 } }).assign(7, 42));
    expect(thrown).toMatchObject({ code: 'action_timeout', retryable: false });
  });

  test('a POST whose answer is lost is not sent again when a look shows that it happened', async () => {
    const world = cloud({ faults: ['lost', 'lost', 'lost'] });
    const { url } = await api(world.reply);
    const client = clientOf(url);
    const made = await client.createFloatingIP({ name: 'api', location: 'fsn1', description: '', labels: { a: 'b' } });
    expect(made).toMatchObject({ id: 7, name: 'api', labels: { a: 'b' } });
    await client.assign(7, 42);
    await client.setProtection(7, true);
    expect(world.posts).toHaveLength(3);
  });

  test('a POST whose answer is lost while its action still runs is not sent again: the action is waited for', async () => {
    const world = cloud({ looks: 5, faults: ['begun'] });
    const { url, seen } = await api(world.reply);
    await clientOf(url).assign(7, 42);
    expect(world.state).toMatchObject({ server: 42 });
    expect(world.posts).toHaveLength(1);
    expect(seen.filter((s) => s.url === '/v1/actions?id=55')).toHaveLength(5);
  });

  test('a lost POST whose action fails is sent again; one whose action never ends is given up', async () => {
    const outcome = { status: 'error', error: { code: 'action_failed', message: 'no such luck' } };
    const failing = cloud({ faults: ['begun'], outcome });
    const one = await api(failing.reply);
    expect((await failed(clientOf(one.url).assign(7, 42))).code).toBe('action_failed');
    expect(failing.posts).toHaveLength(2);
    const endless = cloud({ looks: 1e9, faults: ['begun'] });
    const two = await api(endless.reply);
    const thrown = await failed(clientOf(two.url, { actionPoll: { timeoutMs: 3000 } }).assign(7, 42));
    expect(thrown.code).toBe('action_timeout');
    expect(endless.posts).toHaveLength(1);
  });

  test('a POST that did not happen is sent again after the look', async () => {
    const world = cloud({ faults: ['cut', error(502, 'bad_gateway')] });
    const { url, seen } = await api(world.reply);
    await clientOf(url).createFloatingIP({ name: 'api', location: 'fsn1', description: '', labels: {} });
    expect(world.posts).toHaveLength(1);
    expect(seen.map((s) => `${s.method} ${s.url.split('?')[0]}`)).toEqual([
      'POST /v1/floating_ips',
      'GET /v1/floating_ips',
      'POST /v1/floating_ips',
      'GET /v1/floating_ips',
      'POST /v1/floating_ips',
    ]);
  });

  test('a name that is taken is refused, never adopted', async () => {
    const world = cloud({ faults: [error(409, 'uniqueness_error')] });
    const { url, seen } = await api(world.reply);
    const spec = { name: 'api', location: 'fsn1', description: '', labels: { owner: 'fairlead' } };
    expect((await failed(clientOf(url).createFloatingIP(spec))).code).toBe('uniqueness_error');
    expect(seen).toHaveLength(1);
  });

  test('an address that another move has just brought to the wanted server counts as assigned', async () => {
    const world = cloud();
    const { url } = await api((seen) => {
      if (seen.method !== 'POST') return world.reply(seen);
      world.state['server'] = 42;
      return error(422, 'floating_ip_assigned');
    });
    await clientOf(url).assign(7, 42);
  });

  test('an address that is not in this project is not_found before anything is sent', async () => {
    const { url, seen } = await api(() => error(404, 'not_found'));
    expect((await failed(clientOf(url).assign(9, 42))).code).toBe('not_found');
    expect(seen.every((s) => s.method === 'GET')).toBe(true);
  });
});

test('whatever an API answers, the client gives a list or a HetznerError', async () => {
  let body: unknown;
  let status = 200;
  const { url } = await api(() => ({ status, body }));
  const client = clientOf(url, { retry: { attempts: 1 } });
  const good = { servers: [server(1)], floating_ips: [floating()], locations: [FSN1], meta: {} };
  const broken = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record({ key: fc.constantFrom('servers', 'floating_ips', 'locations', 'meta', 'error'), value: fc.jsonValue() })
      .map(({ key, value }) => JSON.stringify({ ...good, [key]: value })),
    fc
      .record({ key: fc.constantFrom(...Object.keys(floating())), value: fc.jsonValue() })
      .map(({ key, value }) => JSON.stringify({ floating_ips: [floating({ [key]: value })] })),
  );
  await fc.assert(
    fc.asyncProperty(broken, fc.constantFrom(200, 201, 400, 404, 500), async (text, code) => {
      body = text;
      status = code;
      for (const read of [() => client.servers(), () => client.floatingIPs(), () => client.locations()]) {
        await read().then(
          (list) => expect(Array.isArray(list)).toBe(true),
          (thrown: unknown) => expect(thrown).toBeInstanceOf(HetznerError),
        );
      }
    }),
    { numRuns: 60 },
  );
});
