import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { HetznerError } from '../../src/systems/hetzner/errors.ts';
import { smallWorld, type SmallWorld, TOKENS } from './harness.ts';

let world: SmallWorld;
let one: number;
let two: number;
let address: { id: number; ip: string };
beforeAll(async () => {
  world = await smallWorld();
  one = (await world.addServer('cp-1')).server.id;
  two = (await world.addServer('cp-2')).server.id;
  address = await world
    .client()
    .createFloatingIP({ name: 'api', location: 'fsn1', description: 'made by a test', labels: { owner: 'test' } });
  await world.client().assign(address.id, one);
});
afterEach(async () => {
  await world.faults.registry.clear();
});
afterAll(() => world.close());

const set = (kind: string, parameters: Record<string, unknown> = {}) => world.faults.set(kind, parameters);
const mark = (): string => String(world.audit.mark);
const failed = async (promise: Promise<unknown>): Promise<HetznerError> => {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(HetznerError);
  return thrown as HetznerError;
};
const floatingIP = async () => (await world.call('GET', `/floating_ips/${address.id}`)).body;
const routedTo = () => world.fabric.routed(address.ip)?.name;
const status = async (id: number): Promise<unknown> =>
  ((await world.call('GET', `/servers/${id}`)).body as { server: { status: string } }).server.status;
/** Does something to a server, and waits until it is done. */
async function act(id: number, verb: string): Promise<void> {
  const answer = await world.call('POST', `/servers/${id}/actions/${verb}`);
  const { action } = answer.body as { action: { id: number } };
  await expect
    .poll(async () => (await world.call('GET', `/actions/${action.id}`)).body)
    .toMatchObject({ action: { status: 'success' } });
}
const assignments = (since: string) =>
  world.audit.since(since).filter((r) => r.method === 'POST' && r.path.endsWith('/assign'));

describe('requests', () => {
  test.each([401, 403, 404, 409, 422, 423, 429, 500, 502, 503, 504])('%i, as often as asked for', async (status) => {
    await set('cloud-status', { status, count: 2, path: '/servers' });
    expect((await world.call('GET', '/servers')).status).toBe(status);
    expect((await world.call('GET', '/servers')).status).toBe(status);
    expect((await world.call('GET', '/servers')).status).toBe(200);
    expect(world.faults.registry.show()).toMatchObject([{ state: 'spent', hits: 2, left: 0 }]);
  });

  test('only the path, the verb and the sender that were named are met', async () => {
    await set('cloud-status', {
      status: 500,
      path: '/floating_ips/*/actions/assign',
      method: 'write',
      party: 'fairlead',
    });
    expect((await world.call('GET', '/floating_ips')).status).toBe(200);
    expect((await world.call('POST', `/floating_ips/${address.id}/actions/assign`, { server: 1 })).status).toBe(404);
    const client = world.client({ retry: { attempts: 1, baseMs: 1 } });
    expect(await failed(client.assign(address.id, two))).toMatchObject({ status: 500 });
  });

  test('a slow one is answered late, and at once when it is cleared', async () => {
    await set('cloud-slow', { delay: '150ms', count: 1 });
    const began = systemClock.now();
    await world.call('GET', '/servers');
    expect(systemClock.now() - began).toBeGreaterThanOrEqual(145);
    await set('cloud-slow', { delay: '1m' });
    const waiting = world.call('GET', '/servers');
    await expect.poll(() => world.faults.registry.show().some((f) => f.hits === 1 && f.state === 'active')).toBe(true);
    await world.faults.registry.clear();
    expect((await waiting).status).toBe(200);
  });

  test('one that hangs is never answered; the client gives up in its own words', async () => {
    await set('cloud-hang', { path: '/servers' });
    const client = world.client({ requestTimeoutMs: 150, retry: { attempts: 1 } });
    expect(await failed(client.servers())).toMatchObject({ code: 'request_timeout' });
    const waiting = world.call('GET', '/servers').catch((error: unknown) => error);
    await expect.poll(() => world.faults.registry.show()[0]?.hits).toBe(2);
    await world.faults.registry.clear();
    expect(await waiting).toBeInstanceOf(TypeError);
    expect((await client.servers()).length).toBe(2);
  });

  test('a reset connection is a TCP reset, before anything is done', async () => {
    const since = mark();
    await set('cloud-reset', { method: 'POST', count: 1 });
    await expect(
      world.call('POST', `/floating_ips/${address.id}/actions/assign`, { server: two }),
    ).rejects.toMatchObject({
      cause: { code: 'ECONNRESET' },
    });
    expect(world.audit.since(since)).toMatchObject([{ method: 'POST', status: 0, write: false }]);
    expect(await floatingIP()).toMatchObject({ floating_ip: { server: one } });
  });

  test('a lost answer: the write happened, and is recorded as it was carried out', async () => {
    const since = mark();
    await set('cloud-lost-answer', { method: 'POST', count: 1 });
    const change = { delete: true };
    await expect(world.call('POST', `/floating_ips/${address.id}/actions/change_protection`, change)).rejects.toThrow();
    expect(world.audit.since(since)).toMatchObject([{ method: 'POST', status: 201, write: true }]);
    await expect.poll(floatingIP).toMatchObject({ floating_ip: { protection: { delete: true } } });
    await world.client().setProtection(address.id, false);
  });

  test('calls of the lab itself are left alone', async () => {
    await set('cloud-status', { status: 500 });
    const headers = { authorization: `Bearer ${TOKENS.fairlead}`, 'user-agent': 'fairlead-lab/1' };
    expect((await fetch(`${world.cloud.url}/servers`, { headers })).status).toBe(200);
  });
});

describe('what fairlead makes of it', () => {
  test('423 three times: the assignment is asked for again and is right in the end, once', async () => {
    const since = mark();
    await set('cloud-status', { status: 423, path: '/floating_ips/*/actions/assign', count: 3 });
    await world.client().assign(address.id, two);
    expect(routedTo()).toBe('cp-2');
    expect(assignments(since).map((r) => r.status)).toEqual([423, 423, 423, 201]);
  });

  test('a window of 429: the client waits for its end and does its work once', async () => {
    const since = mark();
    await set('cloud-rate-limit', { duration: '400ms' });
    const limited = await world.call('GET', '/servers');
    expect([limited.status, limited.headers.get('ratelimit-remaining')]).toEqual([429, '0']);
    await world.client({ retry: { attempts: 30, baseMs: 50, capMs: 100 } }).assign(address.id, one);
    expect(assignments(since).filter((r) => r.write)).toHaveLength(1);
    expect(routedTo()).toBe('cp-1');
  });

  test('the ambiguous POST ends right: one address is made, not two; an assignment that still runs is asked for again, and holds', async () => {
    const since = mark();
    await set('cloud-lost-answer', { method: 'POST' });
    await world.client().assign(address.id, two);
    const made = await world
      .client()
      .createFloatingIP({ name: 'other', location: 'fsn1', description: '', labels: { owner: 'test' } });
    // While the first runs the address is locked; what comes after it is the same assignment once more.
    expect(assignments(since)[0]).toMatchObject({ status: 201, write: true });
    expect(assignments(since).filter((r) => r.status !== 423).length).toBeLessThanOrEqual(2);
    expect(routedTo()).toBe('cp-2');
    expect(world.audit.since(since).filter((r) => r.write && r.path === '/v1/floating_ips')).toHaveLength(1);
    expect(await world.client().floatingIPs()).toHaveLength(2);
    expect((await world.call('DELETE', `/floating_ips/${made.id}`)).status).toBe(204);
  });

  test('an action that succeeds late is waited for; one that is too late is said to be still running', async () => {
    await set('action-late', { delay: '300ms', action: 'assign_floating_ip' });
    const began = systemClock.now();
    await world.client().assign(address.id, one);
    expect(systemClock.now() - began).toBeGreaterThan(300);
    await set('action-late', { delay: '1m' });
    const given = world.client({ actionPoll: { baseMs: 20, capMs: 50, timeoutMs: 200 } });
    const thrown = await failed(given.assign(address.id, two));
    expect(thrown).toMatchObject({ code: 'action_timeout' });
    expect(await floatingIP()).toMatchObject({ floating_ip: { server: one } });
    await world.faults.registry.clear();
    await expect.poll(floatingIP).toMatchObject({ floating_ip: { server: two } });
  });

  test('an action that ends in error is told with its code, and has had no effect', async () => {
    await set('action-error', { code: 'server_error', message: 'the hypervisor said no', count: 1 });
    const thrown = await failed(world.client({ retry: { attempts: 1, baseMs: 1 } }).assign(address.id, one));
    expect(thrown.message).toContain('the hypervisor said no');
    expect(routedTo()).toBe('cp-2');
  });
});

describe('the project', () => {
  test('an action without effect shows in the record, and packets go where they went until it is cleared', async () => {
    await set('action-without-effect', { action: 'assign_floating_ip' });
    await world.client().assign(address.id, one);
    expect(await floatingIP()).toMatchObject({ floating_ip: { server: one } });
    expect(routedTo()).toBe('cp-2');
    await world.faults.registry.clear();
    expect(routedTo()).toBe('cp-1');
  });

  test('a power action without effect is made good when it is cleared: the machine is as its record says', async () => {
    const condition = () => world.hosts.get(two)?.condition;
    await set('action-without-effect', { action: 'stop_server' });
    await act(two, 'poweroff');
    expect([condition(), await status(two)]).toEqual(['up', 'off']);
    await world.faults.registry.clear();
    expect(condition()).toBe('off');
    await set('action-without-effect', { action: '*_server', node: 'cp-2' });
    await act(two, 'poweron');
    expect([condition(), await status(two)]).toEqual(['off', 'running']);
    await world.faults.registry.clear();
    expect(condition()).toBe('up');
  });

  test('an address that is unrouted leads nowhere, also after an assignment, and comes back', async () => {
    await set('address-unrouted');
    expect(routedTo()).toBeUndefined();
    await world.client().assign(address.id, two);
    expect(routedTo()).toBeUndefined();
    await world.faults.registry.clear();
    expect(routedTo()).toBe('cp-2');
  });

  test('a stranger moves the address; cleared, it is back, unless somebody has assigned it since', async () => {
    await set('address-moved', { node: 'cp-1' });
    expect(await floatingIP()).toMatchObject({ floating_ip: { server: one } });
    expect(routedTo()).toBe('cp-1');
    await world.faults.registry.clear();
    expect(routedTo()).toBe('cp-2');
    await set('address-moved', { node: 'cp-1' });
    await world.client().assign(address.id, two);
    const [cleared] = await world.faults.registry.clear();
    expect(cleared?.notes.at(-1)).toContain('somebody has assigned');
    expect(routedTo()).toBe('cp-2');
  });

  test.each(['address-deleted', 'address-foreign'])('%s: gone from the project, and back as it was', async (kind) => {
    const before = await floatingIP();
    await set(kind);
    expect((await world.call('GET', `/floating_ips/${address.id}`)).status).toBe(404);
    expect(routedTo()).toBe(kind === 'address-deleted' ? undefined : 'cp-2');
    expect(await world.client().floatingIP(address.id)).toBeUndefined();
    await world.faults.registry.clear();
    expect(await floatingIP()).toEqual(before);
    expect(routedTo()).toBe('cp-2');
  });

  test('delete protection is off, and on again', async () => {
    await world.client().setProtection(address.id, true);
    await set('address-unprotected', { address: address.ip });
    expect(await floatingIP()).toMatchObject({ floating_ip: { protection: { delete: false } } });
    await world.faults.registry.clear();
    expect(await floatingIP()).toMatchObject({ floating_ip: { protection: { delete: true } } });
  });

  test('a quota that is reached refuses one more, and only while it lasts', async () => {
    await set('quota-reached', { resource: 'floating-ips' });
    const wanted = { name: 'more', location: 'fsn1', description: '', labels: {} };
    expect(await failed(world.client().createFloatingIP(wanted))).toMatchObject({ code: 'resource_limit_exceeded' });
    expect(world.faults.registry.show()).toMatchObject([{ hits: 1 }]);
    await set('quota-reached', { resource: 'firewalls', count: 1 });
    expect((await world.call('POST', '/firewalls', { name: 'f' })).status).toBe(403);
    expect((await world.call('POST', '/firewalls', { name: 'f' })).status).toBe(201);
    await world.faults.registry.clear();
    const made = await world.client().createFloatingIP(wanted);
    expect((await world.call('DELETE', `/floating_ips/${made.id}`)).status).toBe(204);
  });

  test('a token that is revoked, or replaced by a read-only one', async () => {
    expect(await world.client().tokenClass()).toBe('read-write');
    await set('token-read-only', { token: 'fairlead' });
    expect(await world.client().tokenClass()).toBe('read-only');
    await set('token-revoked', { token: 'fairlead' });
    expect(await world.client().tokenClass()).toBe('unauthorized');
    expect((await world.call('GET', '/servers', undefined, TOKENS.node)).status).toBe(200);
    await world.faults.registry.clear();
    expect(await world.client().tokenClass()).toBe('read-write');
  });
});

describe('setting and clearing', () => {
  test.each([
    ['no-such-fault', {}, 'there is no fault'],
    ['cloud-status', {}, 'needs --status'],
    ['cloud-status', { status: 200 }, 'never answers 200'],
    ['cloud-status', { status: 423, port: '1' }, 'takes no --port'],
    ['cloud-hang', { duration: 'soon' }, 'no duration'],
    ['cloud-hang', { count: '0' }, 'no whole number'],
    ['token-revoked', { token: 'admin' }, 'no value it takes'],
    ['node-hung', { node: 'cp-9' }, 'no node of this lab'],
    ['partition', { from: 'cp-1', to: 'cp-1' }, 'are both'],
    ['address-moved', { address: '192.0.2.1' }, 'has no floating IP'],
  ])('%s %j is refused, and nothing is set', async (kind, parameters, why) => {
    // Also where it throws before it promises.
    await expect((async () => set(kind, parameters))()).rejects.toThrow(why);
    expect(world.faults.registry.show()).toEqual([]);
  });

  test('its time over, a fault ends by itself and puts right what it changed', async () => {
    await set('address-unrouted', { duration: '100ms' });
    expect(routedTo()).toBeUndefined();
    await expect.poll(routedTo).toBe('cp-2');
    expect(world.faults.registry.show()).toMatchObject([{ state: 'spent' }]);
  });

  test('all cleared, the record of the project is what it was, and clearing wrote nothing', async () => {
    const state = async () => [
      (await world.call('GET', '/servers')).body,
      (await world.call('GET', '/floating_ips')).body,
    ];
    const before = await state();
    const since = mark();
    for (const kind of ['address-moved', 'address-unprotected', 'address-unrouted', 'address-deleted'])
      await set(kind, { address: address.ip });
    await set('cloud-hang', { path: '/nothing' });
    expect(world.faults.registry.show()).toHaveLength(5);
    expect(await world.faults.registry.clear()).toHaveLength(5);
    expect(world.faults.registry.show()).toEqual([]);
    expect(world.audit.since(since)).toEqual([]);
    expect(await state()).toEqual(before);
    expect(routedTo()).toBe('cp-2');
  });
});
