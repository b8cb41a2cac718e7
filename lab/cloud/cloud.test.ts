import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { READ_ONLY, testCloud, type TestCloud } from './testing.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  for (const made of open.splice(0)) await made.cloud.close();
});

async function cloud(options: Parameters<typeof testCloud>[0] = {}): Promise<TestCloud> {
  const made = await testCloud(options);
  open.push(made);
  return made;
}

const server = (c: TestCloud, name: string, location?: string) =>
  c.cloud.addServer({
    name,
    labels: { role: name.split('-')[0] ?? '' },
    userData: 'secret',
    ...(location && { location }),
  });

async function floating(c: TestCloud, name: string): Promise<number> {
  const made = await c.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name });
  expect(made.status).toBe(201);
  return (made.body as { floating_ip: { id: number } }).floating_ip.id;
}

const error = (code: string, more: Record<string, unknown> = {}) => ({
  error: { code, message: expect.any(String), details: null, ...more },
});

describe('a floating IP', () => {
  test('moves when the action succeeds, not at the POST, and straight from one server to the other', async () => {
    const c = await cloud({ speed: 3 });
    const [one, two] = [server(c, 'cp-1'), server(c, 'cp-2')];
    const id = await floating(c, 'api');
    const posted = await c.call('POST', `/floating_ips/${id}/actions/assign`, { server: one.id });
    expect(posted.body).toMatchObject({
      action: {
        command: 'assign_floating_ip',
        status: 'running',
        progress: 0,
        finished: null,
        error: null,
        resources: [
          { id, type: 'floating_ip' },
          { id: one.id, type: 'server' },
        ],
      },
    });
    expect((await c.call('GET', `/floating_ips/${id}`)).body).toMatchObject({ floating_ip: { server: null } });
    expect((await c.call('GET', `/servers/${one.id}`)).body).toMatchObject({ server: { locked: true } });
    expect(c.effects).toEqual(['routed api -> nowhere']);
    await expect.poll(() => c.cloud.floatingIPs()).toMatchObject([{ id, server: one.id }]);
    expect((await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: String(two.id) })).status).toBe(
      'success',
    );
    expect(c.effects).toEqual(['routed api -> nowhere', 'routed api -> cp-1', 'routed api -> cp-2']);
    expect((await c.call('GET', `/servers/${two.id}`)).body).toMatchObject({
      server: { locked: false, public_net: { floating_ips: [id] } },
    });
  });

  test('is locked while an action runs on it', async () => {
    const c = await cloud({ speed: 3 });
    const one = server(c, 'cp-1');
    const id = await floating(c, 'api');
    await c.call('POST', `/floating_ips/${id}/actions/assign`, { server: one.id });
    for (const path of [`/floating_ips/${id}/actions/unassign`, `/servers/${one.id}/actions/poweroff`])
      expect(await c.call('POST', path)).toMatchObject({ status: 423, body: error('locked') });
    expect(await c.call('DELETE', `/floating_ips/${id}`)).toMatchObject({ status: 423, body: error('locked') });
  });

  test('cannot be deleted while assigned or protected; in 2025 an assigned one could', async () => {
    const c = await cloud();
    const one = server(c, 'cp-1');
    const id = await floating(c, 'api');
    await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: one.id });
    expect(await c.call('DELETE', `/floating_ips/${id}`)).toMatchObject({
      status: 422,
      body: error('must_be_unassigned'),
    });
    await c.act('POST', `/floating_ips/${id}/actions/change_protection`, { delete: true });
    await c.act('POST', `/floating_ips/${id}/actions/unassign`, {});
    expect(await c.call('DELETE', `/floating_ips/${id}`)).toMatchObject({ status: 423, body: error('protected') });
    await c.act('POST', `/floating_ips/${id}/actions/change_protection`, { delete: false });
    const gone = await c.call('DELETE', `/floating_ips/${id}`);
    expect([gone.status, gone.body, gone.headers.get('content-type')]).toEqual([204, undefined, null]);
    expect((await c.call('GET', `/floating_ips/${id}`)).status).toBe(404);

    const old = await cloud({ era: '2025' });
    const holder = server(old, 'cp-1');
    const assigned = await floating(old, 'api');
    await old.act('POST', `/floating_ips/${assigned}/actions/assign`, { server: holder.id });
    expect((await old.call('DELETE', `/floating_ips/${assigned}`)).status).toBe(204);
  });

  test('has a name of its own, a quota, and stays in its network zone (status and code of the last are a guess)', async () => {
    const c = await cloud({ knobs: { quotas: { servers: 10, floatingIPs: 2, floatingIPsPerServer: 1 } } });
    const [one, far] = [server(c, 'cp-1'), server(c, 'far-1', 'ash')];
    const id = await floating(c, 'api');
    const again = { type: 'ipv4', home_location: 'fsn1', name: 'api' };
    expect(await c.call('POST', '/floating_ips', again)).toMatchObject({
      status: 409,
      body: error('uniqueness_error', { details: { fields: [{ name: 'name' }] } }),
    });
    expect(await c.call('POST', `/floating_ips/${id}/actions/assign`, { server: far.id })).toMatchObject({
      status: 422,
      body: { error: { code: 'invalid_input', details: { fields: [{ name: 'server' }] } } },
    });
    const second = await floating(c, 'second');
    expect(await c.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'nbg1' })).toMatchObject({
      status: 403,
      body: error('resource_limit_exceeded', { details: { limits: [{ name: 'floating_ip_limit' }] } }),
    });
    await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: one.id });
    await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: one.id });
    expect((await c.call('POST', `/floating_ips/${second}/actions/assign`, { server: one.id })).status).toBe(403);
    expect((await c.call('POST', `/floating_ips/${second}/actions/assign`, { server: 1 })).status).toBe(404);
    expect((await c.call('POST', '/floating_ips/0/actions/assign')).status).toBe(404);
  });

  test('takes labels as a whole and refuses malformed ones', async () => {
    const c = await cloud();
    const id = await floating(c, 'api');
    await c.call('PUT', `/floating_ips/${id}`, { labels: { a: 'b', 'x.io/c': '' } });
    const put = await c.call('PUT', `/floating_ips/${id}`, {
      labels: { d: 'e' },
      name: 'renamed',
      description: 'text',
    });
    expect(put.body).toMatchObject({ floating_ip: { name: 'renamed', description: 'text' } });
    expect((put.body as { floating_ip: { labels: unknown } }).floating_ip.labels).toEqual({ d: 'e' });
    for (const labels of [{ 'hetzner.cloud/x': 'y' }, { '-a': 'b' }, { a: 'b c' }, { a: 1 }])
      expect((await c.call('PUT', `/floating_ips/${id}`, { labels })).body).toMatchObject({
        error: { code: 'invalid_input' },
      });
  });
});

describe('a server', () => {
  test('is created, started, and deleted; its floating IP is led nowhere first and survives', async () => {
    const c = await cloud();
    const id = await floating(c, 'api');
    const network = ((await c.call('GET', '/networks?name=test-network')).body as { networks: [{ id: number }] })
      .networks[0].id;
    const posted = await c.call('POST', '/servers', {
      name: 'cp-9',
      server_type: 'cx33',
      image: 161547269,
      location: '1',
      user_data: 'machine-secret',
      labels: { role: 'control-plane' },
      networks: [network],
    });
    expect(posted).toMatchObject({
      status: 201,
      body: {
        server: {
          name: 'cp-9',
          status: 'initializing',
          location: { name: 'fsn1' },
          private_net: [{ network, alias_ips: [] }],
        },
        action: { command: 'create_server', status: 'running' },
        next_actions: [{ command: 'start_server', status: 'running' }],
      },
    });
    expect(JSON.stringify(posted.body)).not.toContain('machine-secret');
    expect(c.effects).toEqual(['routed api -> nowhere']);
    const made = (posted.body as { server: { id: number } }).server.id;
    expect((await c.call('POST', `/servers/${made}/actions/poweroff`)).status).toBe(423);
    await expect
      .poll(() => c.cloud.servers(), { timeout: 5000 })
      .toMatchObject([{ status: 'running', userData: 'machine-secret' }]);
    await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: made });
    const deleted = await c.act('DELETE', `/servers/${made}`);
    expect(deleted).toMatchObject({ command: 'delete_server', status: 'success' });
    expect(c.effects.slice(1)).toEqual([
      'serverCreated cp-9',
      'routed api -> cp-9',
      'routed api -> nowhere',
      'serverDeleted cp-9',
    ]);
    expect(c.cloud.servers()).toEqual([]);
    expect((await c.call('GET', `/floating_ips/${id}`)).body).toMatchObject({ floating_ip: { server: null } });
    expect((await c.call('GET', `/actions?id=${deleted.id}`)).body).toMatchObject({ actions: [{ id: deleted.id }] });
  });

  test('is switched off and on; a shutdown only sends the signal', async () => {
    const c = await cloud();
    const { id } = server(c, 'cp-1');
    const posted = await c.call('POST', `/servers/${id}/actions/poweroff`);
    expect(posted.body).toMatchObject({ action: { command: 'stop_server', status: 'running' } });
    expect([c.effects, c.cloud.servers()[0]?.status]).toEqual([[], 'stopping']);
    await expect.poll(() => c.cloud.servers()[0]?.status).toBe('off');
    await c.act('POST', `/servers/${id}/actions/poweron`);
    await c.act('POST', `/servers/${id}/actions/shutdown`);
    expect(c.cloud.servers()[0]?.status).toBe('running');
    c.cloud.stopped(id);
    expect(c.cloud.servers()[0]?.status).toBe('off');
    await c.act('POST', `/servers/${id}/actions/poweron`);
    await c.act('POST', `/servers/${id}/actions/reset`);
    expect(c.effects).toEqual(['powerOff cp-1', 'powerOn cp-1', 'shutdown cp-1', 'powerOn cp-1', 'reset cp-1']);
  });

  test('whose effect fails ends its action in error and is as it was', async () => {
    const c = await cloud({ effects: { powerOff: () => Promise.reject(new Error('the cord is stuck')) } });
    const { id } = server(c, 'cp-1');
    expect(await c.act('POST', `/servers/${id}/actions/poweroff`)).toMatchObject({
      status: 'error',
      error: { code: 'action_failed', message: 'the cord is stuck' },
    });
    expect((await c.call('GET', `/servers/${id}`)).body).toMatchObject({
      server: { status: 'running', locked: false },
    });
  });

  test('has a name of its own, a quota, protection, and small user data', async () => {
    const c = await cloud({ knobs: { quotas: { servers: 2, floatingIPs: 10, floatingIPsPerServer: 20 } } });
    const { id } = server(c, 'cp-1');
    const spec = { name: 'cp-2', server_type: 'cx23', image: 'debian-12' };
    expect((await c.call('POST', '/servers', { ...spec, name: 'cp-1' })).body).toMatchObject(
      error('uniqueness_error', { details: { fields: [{ name: 'name' }] } }),
    );
    for (const [field, value] of Object.entries({
      name: 'not a name',
      server_type: 'cx999',
      image: 'plan9',
      location: 'moon',
      user_data: 'x'.repeat(32 * 1024 + 1),
    }))
      expect((await c.call('POST', '/servers', { ...spec, [field]: value })).body).toMatchObject({
        error: { code: 'invalid_input', details: { fields: [{ name: field }] } },
      });
    expect((await c.call('POST', '/servers', { ...spec, networks: [1] })).status).toBe(404);
    expect((await c.call('POST', '/servers', { ...spec, user_data: 'x'.repeat(32 * 1024) })).status).toBe(201);
    expect((await c.call('POST', '/servers', { ...spec, name: 'cp-3' })).body).toMatchObject(
      error('resource_limit_exceeded', { details: { limits: [{ name: 'server_limit' }] } }),
    );
    await c.act('POST', `/servers/${id}/actions/change_protection`, { delete: true, rebuild: true });
    expect(await c.call('DELETE', `/servers/${id}`)).toMatchObject({ status: 423, body: error('protected') });
  });

  test('has alias addresses that are replaced as a whole and belong to one server', async () => {
    const c = await cloud();
    const [one, two] = [server(c, 'cp-1'), server(c, 'cp-2')];
    const network = ((await c.call('GET', '/networks')).body as { networks: [{ id: number }] }).networks[0].id;
    const change = (id: number, alias_ips: string[]) =>
      c.call('POST', `/servers/${id}/actions/change_alias_ips`, { network, alias_ips });
    await c.act('POST', `/servers/${one.id}/actions/change_alias_ips`, {
      network,
      alias_ips: ['10.0.0.8', '10.0.0.9'],
    });
    await c.act('POST', `/servers/${one.id}/actions/change_alias_ips`, { network, alias_ips: ['10.0.0.9'] });
    expect((await c.call('GET', `/servers/${one.id}`)).body).toMatchObject({
      server: { private_net: [{ alias_ips: ['10.0.0.9'] }] },
    });
    expect((await change(two.id, ['10.0.0.9'])).body).toMatchObject(error('ip_not_available'));
    await c.act('POST', `/servers/${two.id}/actions/detach_from_network`, { network });
    expect((await change(two.id, [])).body).toMatchObject(error('server_not_attached_to_network'));
    await c.act('POST', `/servers/${two.id}/actions/attach_to_network`, { network });
    expect((await c.call('POST', `/servers/${two.id}/actions/attach_to_network`, { network })).body).toMatchObject(
      error('server_already_attached'),
    );
  });
});

describe('the API', () => {
  test('lists by name, selector and status, sorted and paged, with meta and Link', async () => {
    const c = await cloud({ knobs: { quotas: { servers: 99, floatingIPs: 9, floatingIPsPerServer: 9 } } });
    for (let i = 1; i <= 7; i += 1) server(c, `${i % 2 === 0 ? 'cp' : 'worker'}-${i}`);
    const names = async (query: string) =>
      ((await c.call('GET', `/servers?${query}`)).body as { servers: { name: string }[] }).servers.map((s) => s.name);
    expect(await names('name=cp-2')).toEqual(['cp-2']);
    expect(await names('label_selector=role%3Dcp&sort=name:desc')).toEqual(['cp-6', 'cp-4', 'cp-2']);
    expect(await names('label_selector=role+notin+(cp),role&sort=id')).toEqual([
      'worker-1',
      'worker-3',
      'worker-5',
      'worker-7',
    ]);
    expect(await names('status=off')).toEqual([]);
    const second = await c.call('GET', '/servers?per_page=3&page=2&sort=id:asc');
    expect(second.body).toMatchObject({
      servers: [{ name: 'cp-4' }, { name: 'worker-5' }, { name: 'cp-6' }],
      meta: { pagination: { page: 2, per_page: 3, previous_page: 1, next_page: 3, last_page: 3, total_entries: 7 } },
    });
    expect(second.headers.get('link')).toMatch(/[?&]page=3(&[^>]*)?>; rel="next"/);
    for (const query of ['page=0', 'per_page=x', 'sort=color', 'label_selector=a%3D%3D%3Db', 'per_page=51'])
      expect((await c.call('GET', `/servers?${query}`)).body).toMatchObject({ error: { code: 'invalid_input' } });
  });

  test('gives actions in every form but all of them at once', async () => {
    const c = await cloud();
    const one = server(c, 'cp-1');
    const id = await floating(c, 'api');
    const action = (await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: one.id })).id;
    const off = (await c.act('POST', `/servers/${one.id}/actions/poweroff`)).id;
    for (const path of [
      '/actions',
      '/servers/actions',
      '/floating_ips/actions',
      `/servers/${one.id}/actions`,
      `/floating_ips/${id}/actions`,
    ])
      if (path !== '/actions') {
        expect((await c.call('GET', `${path}/${action}`)).body).toMatchObject({
          action: { id: action, status: 'success' },
        });
        expect((await c.call('GET', path)).body).toMatchObject({
          actions: expect.arrayContaining([expect.objectContaining({ id: action })]),
        });
      }
    const both = await c.call('GET', `/actions?id=${off}&id=${action}&page=1&sort=status&sort=id`);
    expect(both.body).toMatchObject({
      actions: [{ id: action }, { id: off }],
      meta: { pagination: { total_entries: 2 } },
    });
    expect((await c.call('GET', `/floating_ips/actions/${off}`)).status).toBe(404);
    expect(await c.call('GET', '/actions')).toMatchObject({
      status: 410,
      body: error('deprecated_api_endpoint', { details: { announcement: expect.any(String) } }),
    });
  });

  test('refuses in its own words: no token, a wrong one, a read-only one, path, verb, body', async () => {
    const c = await cloud();
    const id = await floating(c, 'api');
    const assign = `/floating_ips/${id}/actions/assign`;
    for (const token of ['', 'unknown'])
      expect(await c.call('GET', '/servers', undefined, token)).toMatchObject({
        status: 401,
        body: error('unauthorized'),
      });
    expect((await c.call('GET', '/servers', undefined, READ_ONLY)).status).toBe(200);
    expect(await c.call('POST', assign, { server: 1 }, READ_ONLY)).toMatchObject({
      status: 403,
      body: error('forbidden'),
    });
    for (const path of ['/nothing', '/servers/x', '/servers/1/actions/dance', '/../v2'])
      expect(await c.call('GET', path)).toMatchObject({ status: 404, body: error('not_found') });
    expect(await c.call('PUT', '/servers')).toMatchObject({ status: 405, body: error('method_not_allowed') });
    expect(await c.call('POST', assign, '{"server": ')).toMatchObject({ status: 400, body: error('json_error') });
    expect(await c.call('POST', assign, '[1]')).toMatchObject({ status: 400, body: error('json_error') });
    expect((await c.call('POST', assign, 'x'.repeat(2_000_000))).status).toBe(400);
    expect((await c.call('POST', assign, {})).body).toMatchObject({
      error: { code: 'invalid_input', details: { fields: [{ name: 'server' }] } },
    });
    const answer = await c.call('GET', '/servers');
    expect(answer.headers.get('x-correlation-id')).toMatch(/^[0-9a-f]{16}$/);
    const old = await cloud({ era: 'until-2026-09' });
    expect(await old.call('POST', '/servers', {}, READ_ONLY)).toMatchObject({
      status: 401,
      body: error('token_readonly'),
    });
  });

  test('counts every call of the project in one bucket, refused ones too, and refills it', async () => {
    let now = 0;
    const clock = { ...systemClock, now: () => now };
    const c = await cloud({ clock, knobs: { rateLimit: { capacity: 3, refillPerSecond: 1 } } });
    const remaining = async (token?: string) => {
      const { status, headers } = await c.call('GET', '/locations', undefined, token);
      return [status, headers.get('ratelimit-limit'), headers.get('ratelimit-remaining')];
    };
    expect(await remaining()).toEqual([200, '3', '2']);
    expect(await remaining(READ_ONLY)).toEqual([200, '3', '1']);
    expect(await remaining('')).toEqual([401, '3', '0']);
    expect(await c.call('GET', '/locations')).toMatchObject({ status: 429, body: error('rate_limit_exceeded') });
    now += 2_000;
    expect(await remaining()).toEqual([200, '3', '1']);
  });

  test('shows data centers only in the eras that had them', async () => {
    const now = await cloud();
    server(now, 'cp-1');
    expect(await now.call('GET', '/datacenters')).toMatchObject({ status: 410 });
    const has = async (c: TestCloud) => {
      const [first] = ((await c.call('GET', '/servers')).body as { servers: Record<string, unknown>[] }).servers;
      return ['datacenter', 'location'].filter((key) => first !== undefined && key in first);
    };
    expect(await has(now)).toEqual(['location']);
    const old = await cloud({ era: '2025' });
    server(old, 'cp-1');
    expect(await has(old)).toEqual(['datacenter', 'location']);
    expect((await old.call('GET', '/datacenters')).body).toMatchObject({ recommendation: expect.any(Number) });
  });

  test('records every request with its sender, and whether it changed something', async () => {
    const c = await cloud();
    const id = await floating(c, 'api');
    await c.call('POST', `/floating_ips/${id}/actions/unassign`);
    await c.call('GET', '/servers?name=x', undefined, 'unknown');
    expect(c.audit.since()).toMatchObject([
      { system: 'hetzner', method: 'POST', path: '/v1/floating_ips', write: true, status: 201, by: 'fairlead-test/1' },
      { method: 'POST', path: `/v1/floating_ips/${id}/actions/unassign`, write: false, status: 422 },
      { method: 'GET', path: '/v1/servers?name=x', write: false, status: 401 },
    ]);
    expect(JSON.stringify(c.audit.since())).not.toContain('token-of-a-test');
  });
});
