import { afterEach, describe, expect, test } from 'vitest';
import { testCloud, type TestCloud } from '../testing.ts';
import type { CloudLoadBalancer } from '../types.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((c) => c.cloud.close()));
});

interface Balancer {
  readonly id: number;
  readonly targets: readonly Readonly<Record<string, unknown>>[];
}

/** A cloud with three servers and a balancer, and what its data plane was told. */
async function withBalancer(options: Parameters<typeof testCloud>[0] = {}, body: Record<string, unknown> = {}) {
  const told: CloudLoadBalancer[] = [];
  const gone: number[] = [];
  const c = await testCloud({
    ...options,
    effects: {
      loadBalancerChanged: async (balancer) => void told.push(balancer),
      loadBalancerDeleted: async ({ id }) => void gone.push(id),
    },
  });
  open.push(c);
  const servers = [1, 2, 3].map((n) =>
    c.cloud.addServer({ name: `cp-${n}`, labels: n === 3 ? {} : { role: 'cp' }, userData: '' }),
  );
  const made = await c.call('POST', '/load_balancers', {
    name: 'api',
    load_balancer_type: 'lb11',
    location: 'fsn1',
    ...body,
  });
  expect(made.status).toBe(201);
  const { id } = (made.body ?? {})['load_balancer'] as Balancer;
  const idle = async () => {
    for (;;) {
      const { actions } = (await c.call('GET', `/load_balancers/${id}/actions`)).body as {
        actions: { status: string }[];
      };
      if (actions.every((action) => action.status !== 'running')) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await idle();
  const show = async () => (await c.call('GET', `/load_balancers/${id}`)).body?.['load_balancer'] as Balancer;
  const act = (action: string, with_: unknown = {}) => c.act('POST', `/load_balancers/${id}/actions/${action}`, with_);
  const refused = async (action: string, with_: unknown) => {
    const { status, body: answer } = await c.call('POST', `/load_balancers/${id}/actions/${action}`, with_);
    return `${status} ${((answer ?? {})['error'] as { code: string }).code}`;
  };
  return { c, id, servers, told, gone, show, act, refused, last: () => told.at(-1) };
}

const TCP = { protocol: 'tcp', listen_port: 6443, destination_port: 6443, proxyprotocol: false };

describe('a load balancer', () => {
  test('fills in the health check that a service was added without', async () => {
    const { act, show, last } = await withBalancer();
    await act('add_service', TCP);
    const check = { protocol: 'tcp', port: 6443, interval: 15, timeout: 10, retries: 3 };
    expect(await show()).toMatchObject({ services: [{ ...TCP, health_check: check }] });
    expect(last()).toMatchObject({ services: [{ listenPort: 6443, healthCheck: check }] });
  });

  test('is patched: an update of a service changes what it names and leaves the rest', async () => {
    const { act, show, refused } = await withBalancer();
    await act('add_service', TCP);
    await act('update_service', {
      listen_port: 6443,
      health_check: { protocol: 'http', interval: 3, timeout: 2, http: { path: '/readyz', tls: true } },
    });
    await act('update_service', {
      listen_port: 6443,
      health_check: { retries: 2, http: { status_codes: ['200', '401'] } },
    });
    expect(await show()).toMatchObject({
      services: [
        {
          ...TCP,
          health_check: {
            protocol: 'http',
            port: 6443,
            interval: 3,
            timeout: 2,
            retries: 2,
            http: { path: '/readyz', tls: true, status_codes: ['200', '401'], domain: '', response: '' },
          },
        },
      ],
    });
    expect(await refused('update_service', { listen_port: 1 })).toBe('404 not_found');
  });

  test.each([
    ['protocol https', { health_check: { protocol: 'https' } }],
    ['an interval below 3 s', { health_check: { interval: 2 } }],
    ['a timeout above the interval', { health_check: { interval: 5, timeout: 6 } }],
    ['a status code that is none', { health_check: { protocol: 'http', http: { status_codes: ['9x'] } } }],
  ])('refuses a health check with %s', async (_, change) => {
    const { refused } = await withBalancer();
    expect(await refused('add_service', { ...TCP, ...change })).toBe('422 invalid_input');
  });

  test('has one service a port, and as many as its type allows', async () => {
    const { act, refused } = await withBalancer();
    for (let port = 1; port <= 5; port += 1) await act('add_service', { ...TCP, listen_port: port });
    expect(await refused('add_service', { ...TCP, listen_port: 5 })).toBe('422 source_port_already_used');
    expect(await refused('add_service', { ...TCP, listen_port: 6 })).toBe('403 resource_limit_exceeded');
  });

  test('leads to servers by id and by label, and shows what the data plane found out of each', async () => {
    const { act, show, last, servers, refused } = await withBalancer();
    await act('add_service', TCP);
    await act('add_target', { type: 'server', server: { id: servers[2]?.id }, use_private_ip: false });
    await act('add_target', { type: 'label_selector', label_selector: { selector: 'role=cp' } });
    expect(last()?.targets.map((t) => [t.server, t.address, t.carried])).toEqual(
      [servers[2], servers[0], servers[1]].map((s) => [s?.id, s?.publicIPv4, true]),
    );
    const unknown = [{ listen_port: 6443, status: 'unknown' }];
    expect((await show()).targets).toMatchObject([{ type: 'server', health_status: unknown }, { targets: [{}, {}] }]);
    last()?.setHealth(last()?.targets[0]?.key ?? '', 6443, { status: 'healthy' });
    last()?.setHealth(last()?.targets[1]?.key ?? '', 6443, {
      status: 'unhealthy',
      detail: 'unexpected_http_status',
      httpStatusCode: 500,
    });
    expect((await show()).targets).toMatchObject([
      { health_status: [{ listen_port: 6443, status: 'healthy' }] },
      {
        targets: [
          {
            server: { id: servers[0]?.id },
            health_status: [{ status: 'unhealthy', detail: 'unexpected_http_status', http_status_code: 500 }],
          },
          { server: { id: servers[1]?.id }, health_status: unknown },
        ],
      },
    ]);
    expect(await refused('add_target', { type: 'server', server: { id: servers[2]?.id } })).toBe(
      '422 target_already_defined',
    );
    expect(await refused('add_target', { type: 'ip', ip: { ip: servers[0]?.publicIPv4 } })).toBe(
      '422 cloud_resource_ip_not_allowed',
    );
    await act('remove_target', { type: 'label_selector', label_selector: { selector: 'role=cp' } });
    expect((await show()).targets).toHaveLength(1);
  });

  test('follows labels a while after they changed, and servers that are deleted at once', async () => {
    const { c, act, show, servers, last } = await withBalancer();
    await act('add_target', { type: 'label_selector', label_selector: { selector: 'role=cp' } });
    await act('add_target', { type: 'server', server: { id: servers[2]?.id } });
    await c.call('PUT', `/servers/${servers[2]?.id}`, { labels: { role: 'cp' } });
    expect(last()?.targets).toHaveLength(3);
    await expect.poll(() => last()?.targets.length).toBe(4);
    await c.act('DELETE', `/servers/${servers[2]?.id}`);
    expect(last()?.targets.map((t) => t.server)).toEqual([servers[0]?.id, servers[1]?.id]);
    expect((await show()).targets).toHaveLength(1);
  });

  test('reaches private addresses only through a network it is attached to', async () => {
    const { c, act, refused, servers, last, show } = await withBalancer();
    const target = { type: 'server', server: { id: servers[0]?.id }, use_private_ip: true };
    expect(await refused('add_target', target)).toBe('422 load_balancer_not_attached_to_network');
    expect(await refused('disable_public_interface', {})).toBe('422 load_balancer_not_attached_to_network');
    const { networks } = (await c.call('GET', '/networks')).body as { networks: { id: number }[] };
    const network = networks[0]?.id;
    await act('attach_to_network', { network });
    expect(await refused('attach_to_network', { network })).toBe('422 load_balancer_already_attached');
    await c.act('POST', `/servers/${servers[1]?.id}/actions/detach_from_network`, { network });
    expect(await refused('add_target', { ...target, server: { id: servers[1]?.id } })).toBe(
      '422 server_not_attached_to_network',
    );
    await act('add_target', target);
    expect(last()?.targets).toMatchObject([{ address: servers[0]?.privateIPv4, usePrivateIP: true, carried: true }]);
    await act('disable_public_interface');
    expect(await refused('add_target', { type: 'server', server: { id: servers[2]?.id } })).toBe(
      '422 load_balancer_public_interface_disabled',
    );
    expect(last()).toMatchObject({ publicEnabled: false, privateIPv4: expect.stringMatching(/^127\./) });
    expect(await show()).toMatchObject({ public_net: { enabled: false }, private_net: [{ network }] });
  });

  test('cannot be deleted while it is protected, and then goes with its addresses', async () => {
    const { c, id, act, gone } = await withBalancer();
    await act('change_protection', { delete: true });
    expect((await c.call('DELETE', `/load_balancers/${id}`)).status).toBe(423);
    await act('change_protection', { delete: false });
    const before = (await c.call('GET', '/primary_ips?per_page=50')).body as {
      primary_ips: { assignee_type: string }[];
    };
    expect(before.primary_ips.filter((ip) => ip.assignee_type === 'load_balancer')).toHaveLength(2);
    expect(await c.act('DELETE', `/load_balancers/${id}`)).toMatchObject({
      command: 'delete_load_balancer',
      status: 'success',
    });
    expect(gone).toEqual([id]);
    const after = (await c.call('GET', '/primary_ips?per_page=50')).body as {
      primary_ips: { assignee_type: string }[];
    };
    expect(after.primary_ips.filter((ip) => ip.assignee_type === 'load_balancer')).toEqual([]);
  });

  test('is deleted with 204 and without an action before October 2026', async () => {
    const { c, id, gone } = await withBalancer({ era: 'until-2026-09' });
    const answer = await c.call('DELETE', `/load_balancers/${id}`);
    expect([answer.status, answer.body]).toEqual([204, undefined]);
    await expect.poll(() => gone).toEqual([id]);
    expect((await c.call('GET', `/load_balancers/${id}`)).status).toBe(404);
  });

  test('has a name of its own', async () => {
    const { c } = await withBalancer();
    const again = await c.call('POST', '/load_balancers', {
      name: 'api',
      load_balancer_type: 'lb11',
      location: 'fsn1',
    });
    expect([again.status, again.body]).toMatchObject([409, { error: { code: 'uniqueness_error' } }]);
  });
});
