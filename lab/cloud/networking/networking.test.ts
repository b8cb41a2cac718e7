import { afterEach, describe, expect, test } from 'vitest';
import { testCloud, type TestCloud } from '../testing.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((c) => c.cloud.close()));
});

async function start(options: Parameters<typeof testCloud>[0] = {}) {
  const c = await testCloud(options);
  open.push(c);
  const make = async (path: string, one: string, body: unknown): Promise<number> => {
    const answer = await c.call('POST', path, body);
    expect(answer).toMatchObject({ status: 201 });
    return ((answer.body ?? {})[one] as { id: number }).id;
  };
  const show = async (path: string, one: string): Promise<unknown> => (await c.call('GET', path)).body?.[one];
  const refused = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await c.call(method, path, body);
    return `${answer.status} ${(answer.body?.['error'] as { code: string } | undefined)?.code}`;
  };
  return { c, make, show, refused, server: (name: string) => c.cloud.addServer({ name, labels: {}, userData: '' }) };
}

describe('a network', () => {
  test('has subnets and routes inside its range', async () => {
    const { c, make, show, refused } = await start();
    const id = await make('/networks', 'network', { name: 'net', ip_range: '10.0.0.0/16' });
    const act = (action: string, body: unknown) => c.act('POST', `/networks/${id}/actions/${action}`, body);
    const no = (action: string, body: unknown) => refused('POST', `/networks/${id}/actions/${action}`, body);
    const subnet = { type: 'cloud', network_zone: 'eu-central', ip_range: '10.0.1.0/24' };
    await act('add_subnet', subnet);
    await act('add_subnet', { type: 'cloud', network_zone: 'eu-central' });
    await act('add_route', { destination: '10.100.0.0/24', gateway: '10.0.1.2' });
    expect(await show(`/networks/${id}`, 'network')).toMatchObject({
      subnets: [{ ...subnet, gateway: '10.0.0.1', vswitch_id: null }, { ip_range: '10.0.0.0/24' }],
      routes: [{ destination: '10.100.0.0/24', gateway: '10.0.1.2' }],
    });
    expect(await no('add_subnet', subnet)).toBe('422 networks_overlap');
    expect(await no('add_subnet', { ...subnet, ip_range: '10.1.0.0/24' })).toBe('422 invalid_input');
    expect(await no('add_subnet', { ...subnet, ip_range: '10.0.2.0/24', network_zone: 'us-east' })).toBe(
      '422 invalid_input',
    );
    expect(await no('add_route', { destination: '0.0.0.0/0', gateway: '10.0.0.1' })).toBe('422 invalid_input');
    expect(await no('delete_subnet', { ip_range: '10.0.9.0/24' })).toBe('404 not_found');
    await act('delete_subnet', { ip_range: '10.0.1.0/24' });
    await act('change_ip_range', { ip_range: '10.0.0.0/12' });
    expect(await show(`/networks/${id}`, 'network')).toMatchObject({ ip_range: '10.0.0.0/12', subnets: [{}] });
  });

  test('answers conflict while another change of it runs', async () => {
    const { c, make, refused } = await start();
    const id = await make('/networks', 'network', { name: 'net', ip_range: '10.0.0.0/16' });
    const body = { type: 'cloud', network_zone: 'eu-central' };
    const first = c.act('POST', `/networks/${id}/actions/add_subnet`, body);
    await expect.poll(() => refused('POST', `/networks/${id}/actions/add_subnet`, body)).toBe('409 conflict');
    await first;
  });

  test.each(['8.8.0.0/16', '10.0.0.1/16', 'here'])('cannot have the range %s', async (ip_range) => {
    const { refused } = await start();
    expect(await refused('POST', '/networks', { name: 'net', ip_range })).toBe('422 invalid_input');
  });

  test('gives a server the address it asks for, or the first that is free; a server may be in several', async () => {
    const { c, make, show, refused, server } = await start();
    const [a, b] = [server('a'), server('b')];
    const id = await make('/networks', 'network', {
      name: 'net',
      ip_range: '10.0.0.0/16',
      subnets: [{ type: 'cloud', network_zone: 'eu-central', ip_range: '10.0.0.0/24' }],
    });
    const attach = (s: number, body: object) =>
      c.act('POST', `/servers/${s}/actions/attach_to_network`, { network: id, ...body });
    await attach(a.id, { ip: '10.0.0.50', alias_ips: ['10.0.0.51'] });
    expect(await refused('POST', `/servers/${b.id}/actions/attach_to_network`, { network: id, ip: '10.0.0.51' })).toBe(
      '422 ip_not_available',
    );
    // The first address is the gateway's.
    await attach(b.id, {});
    expect(await show(`/servers/${b.id}`, 'server')).toMatchObject({
      private_net: [{ ip: b.privateIPv4 }, { network: id, ip: '10.0.0.2', alias_ips: [] }],
    });
    expect(await show(`/networks/${id}/members`, 'members')).toMatchObject([
      { type: 'server', id: a.id, ip: '10.0.0.50', alias_ips: ['10.0.0.51'] },
      { type: 'server', id: b.id, ip: '10.0.0.2' },
    ]);
    expect(await refused('POST', `/networks/${id}/actions/delete_subnet`, { ip_range: '10.0.0.0/24' })).toBe(
      '422 resource_in_use',
    );
    expect((await c.call('DELETE', `/networks/${id}`)).status).toBe(204);
    expect(await show(`/servers/${b.id}`, 'server')).toMatchObject({ private_net: [{ ip: b.privateIPv4 }] });
  });

  test('never gives one address to two that ask at the same time', async () => {
    const { c, make, show, server } = await start();
    const servers = ['a', 'b', 'c'].map(server);
    const id = await make('/networks', 'network', {
      name: 'net',
      ip_range: '10.0.0.0/16',
      subnets: [{ type: 'cloud', network_zone: 'eu-central' }],
    });
    const attach = (s: { id: number }, ip?: string) =>
      c.act('POST', `/servers/${s.id}/actions/attach_to_network`, { network: id, ...(ip === undefined ? {} : { ip }) });
    const ended = await Promise.all(servers.map((s, n) => attach(s, n === 0 ? undefined : '10.0.0.9')));
    expect(ended.map((action) => action.status).toSorted()).toEqual(['error', 'success', 'success']);
    const members = (await show(`/networks/${id}/members`, 'members')) as { ip: string }[];
    expect(members.map(({ ip }) => ip).toSorted()).toEqual(['10.0.0.2', '10.0.0.9']);
  });

  test('is protected, labelled and renamed', async () => {
    const { c, make, show, refused } = await start();
    const id = await make('/networks', 'network', { name: 'net', ip_range: '10.0.0.0/16', labels: { a: 'b' } });
    await c.act('POST', `/networks/${id}/actions/change_protection`, { delete: true });
    expect(await refused('DELETE', `/networks/${id}`)).toBe('423 protected');
    await c.call('PUT', `/networks/${id}`, { name: 'other', labels: { c: 'd' } });
    expect(await show(`/networks/${id}`, 'network')).toMatchObject({ name: 'other', labels: { c: 'd' } });
    expect(await refused('POST', '/networks', { name: 'other', ip_range: '10.0.0.0/16' })).toBe('409 uniqueness_error');
  });
});

describe('a Primary IP', () => {
  test('moves between servers that are off, one of a family each', async () => {
    const routed: string[] = [];
    const { c, make, show, refused, server } = await start({
      effects: { primaryIPRouted: async (ip, to) => void routed.push(`${ip} -> ${to?.name ?? 'nowhere'}`) },
    });
    const a = server('a');
    const spare = await make('/primary_ips', 'primary_ip', { name: 'spare', type: 'ipv4', location: 'fsn1' });
    const assign = { assignee_id: a.id, assignee_type: 'server' };
    expect(await show(`/primary_ips/${spare}`, 'primary_ip')).toMatchObject({
      assignee_id: null,
      assignee_type: 'unassigned',
    });
    expect(await refused('POST', `/primary_ips/${spare}/actions/assign`, assign)).toBe('422 server_not_stopped');
    await c.act('POST', `/servers/${a.id}/actions/poweroff`);
    expect(await refused('POST', `/primary_ips/${spare}/actions/assign`, assign)).toBe('422 server_has_ipv4');
    const { public_net } = (await show(`/servers/${a.id}`, 'server')) as { public_net: { ipv4: { id: number } } };
    expect(await refused('DELETE', `/primary_ips/${public_net.ipv4.id}`)).toBe('422 must_be_unassigned');
    await c.act('POST', `/primary_ips/${public_net.ipv4.id}/actions/unassign`);
    expect(await show(`/servers/${a.id}`, 'server')).toMatchObject({ public_net: { ipv4: null } });
    const fip = await make('/floating_ips', 'floating_ip', { type: 'ipv4', home_location: 'fsn1' });
    // How the refusal reads is a guess.
    expect(await refused('POST', `/floating_ips/${fip}/actions/assign`, { server: a.id })).toBe('422 invalid_input');
    await c.act('POST', `/primary_ips/${spare}/actions/assign`, assign);
    const { ip } = (await show(`/primary_ips/${spare}`, 'primary_ip')) as { ip: string };
    expect(c.cloud.servers()).toMatchObject([{ publicIPv4: ip }]);
    expect(routed).toEqual([`${a.publicIPv4} -> nowhere`, `${ip} -> a`]);
    expect(await refused('POST', `/primary_ips/${spare}/actions/assign`, assign)).toBe(
      '422 primary_ip_already_assigned',
    );
  });

  test('outlives its server unless it goes with it', async () => {
    const { c, make, show, server } = await start();
    server('other');
    const kept = await make('/primary_ips', 'primary_ip', { name: 'kept', type: 'ipv4', location: 'fsn1' });
    const id = await make('/servers', 'server', {
      name: 'pinned',
      server_type: 'cx23',
      image: 'debian-12',
      location: 'fsn1',
      public_net: { enable_ipv4: true, enable_ipv6: false, ipv4: kept },
    });
    await expect.poll(() => show(`/servers/${id}`, 'server')).toMatchObject({ status: 'running', locked: false });
    expect(await show(`/servers/${id}`, 'server')).toMatchObject({ public_net: { ipv4: { id: kept }, ipv6: null } });
    await c.act('DELETE', `/servers/${id}`);
    expect(await show(`/primary_ips/${kept}`, 'primary_ip')).toMatchObject({ assignee_id: null });
    expect(await show('/primary_ips?name=kept', 'primary_ips')).toHaveLength(1);
    // The other server's two, and the one that was kept.
    expect(await show('/primary_ips', 'primary_ips')).toHaveLength(3);
  });

  test('is a /64 for IPv6, of which addresses get names one by one', async () => {
    const { c, make, show, refused } = await start();
    const id = await make('/primary_ips', 'primary_ip', { name: 'six', type: 'ipv6', location: 'fsn1' });
    const { ip } = (await show(`/primary_ips/${id}`, 'primary_ip')) as { ip: string };
    expect(ip).toMatch(/^2001:db8:[0-9a-f]+:[0-9a-f]+::\/64$/);
    const own = ip.replace('::/64', '::1');
    await c.act('POST', `/primary_ips/${id}/actions/change_dns_ptr`, { ip: own, dns_ptr: 'api.example.com' });
    expect(await show(`/primary_ips/${id}`, 'primary_ip')).toMatchObject({
      dns_ptr: [{ ip: own, dns_ptr: 'api.example.com' }],
    });
    expect(
      await refused('POST', `/primary_ips/${id}/actions/change_dns_ptr`, {
        ip: '2001:db8::1',
        dns_ptr: 'x.example.com',
      }),
    ).toBe('422 ip_not_owned');
  });
});

describe('an IPv6 floating IP', () => {
  test('leads its /64 to the server it is assigned to', async () => {
    const { c, make, show, server } = await start();
    const a = server('a');
    const id = await make('/floating_ips', 'floating_ip', { type: 'ipv6', home_location: 'nbg1', name: 'six' });
    await c.act('POST', `/floating_ips/${id}/actions/assign`, { server: a.id });
    expect(await show(`/floating_ips/${id}`, 'floating_ip')).toMatchObject({
      type: 'ipv6',
      ip: expect.stringMatching(/::\/64$/),
      server: a.id,
      dns_ptr: [],
    });
    expect(c.effects).toEqual(['routed six -> nowhere', 'routed six -> a']);
  });
});
