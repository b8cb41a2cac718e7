import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { testCloud, type TestCloud } from '../testing.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((c) => c.cloud.close()));
});

async function start(options: Parameters<typeof testCloud>[0] = {}) {
  const c = await testCloud(options);
  open.push(c);
  const refused = async (method: string, where: string, body?: unknown): Promise<string> => {
    const answer = await c.call(method, where, body);
    return `${answer.status} ${(answer.body?.['error'] as { code: string } | undefined)?.code}`;
  };
  const make = async (where: string, one: string, body: unknown): Promise<number> =>
    (((await c.call('POST', where, body)).body ?? {})[one] as { id: number }).id;
  const show = async (where: string, one: string): Promise<unknown> => (await c.call('GET', where)).body?.[one];
  return { c, refused, make, show };
}

const RULE = { direction: 'in', protocol: 'tcp', port: '6443', source_ips: ['0.0.0.0/0', '::/0'] };

describe('a firewall', () => {
  test('is applied to servers by id and by label, and is in use until it is removed', async () => {
    const { c, refused, make, show } = await start();
    const [one, two] = ['cp', 'worker'].map((role) =>
      c.cloud.addServer({ name: role, labels: { role }, userData: '' }),
    );
    const id = await make('/firewalls', 'firewall', { name: 'fw', rules: [RULE] });
    const act = async (action: string, body: unknown): Promise<void> => {
      const { status, body: answer } = await c.call('POST', `/firewalls/${id}/actions/${action}`, body);
      expect({ status, answer }).toMatchObject({ status: 201, answer: { actions: [{ status: 'running' }] } });
      const [{ id: started } = { id: 0 }] = (answer ?? {})['actions'] as { id: number }[];
      await expect.poll(() => show(`/actions/${started}`, 'action')).toMatchObject({ status: 'success' });
    };
    const server = { type: 'server', server: { id: one?.id } };
    const label = { type: 'label_selector', label_selector: { selector: 'role=worker' } };
    await act('apply_to_resources', { apply_to: [server] });
    await act('apply_to_resources', { apply_to: [label] });
    expect(await refused('POST', `/firewalls/${id}/actions/apply_to_resources`, { apply_to: [server] })).toBe(
      '422 firewall_already_applied',
    );
    expect(await show(`/firewalls/${id}`, 'firewall')).toMatchObject({
      rules: [{ ...RULE, destination_ips: [], description: null }],
      applied_to: [server, { ...label, applied_to_resources: [{ type: 'server', server: { id: two?.id } }] }],
    });
    for (const each of [one, two])
      expect(await show(`/servers/${each?.id}`, 'server')).toMatchObject({
        public_net: { firewalls: [{ id, status: 'applied' }] },
      });
    await act('set_rules', { rules: [] });
    expect(await refused('DELETE', `/firewalls/${id}`)).toBe('422 resource_in_use');
    const byLabel = { type: 'server', server: { id: two?.id } };
    expect(await refused('POST', `/firewalls/${id}/actions/remove_from_resources`, { remove_from: [byLabel] })).toBe(
      '422 firewall_managed_by_label_selector',
    );
    await act('remove_from_resources', { remove_from: [label] });
    await act('remove_from_resources', { remove_from: [server] });
    // Taking away what is not there is no error.
    await act('remove_from_resources', { remove_from: [server] });
    expect((await c.call('DELETE', `/firewalls/${id}`)).status).toBe(204);
  });

  test('is told to the world per server, with the rules of all that stand before it', async () => {
    const told: string[] = [];
    const { c, make } = await start({
      effects: {
        firewallChanged: async ({ name }, rules) =>
          void told.push(`${name} ${rules?.map((rule) => rule.port).join() ?? 'open'}`),
      },
    });
    const { id } = c.cloud.addServer({ name: 'a', labels: { role: 'cp' }, userData: '' });
    c.cloud.addServer({ name: 'b', labels: {}, userData: '' });
    const selector = { type: 'label_selector', label_selector: { selector: 'role=cp' } };
    const one = await make('/firewalls', 'firewall', { name: 'one', rules: [RULE], apply_to: [selector] });
    await expect.poll(() => told).toEqual(['a 6443']);
    const server = { type: 'server', server: { id } };
    await make('/firewalls', 'firewall', { name: 'two', rules: [{ ...RULE, port: '80' }], apply_to: [server] });
    await expect.poll(() => told.slice(1)).toEqual(['a 6443,80']);
    await c.call('POST', `/firewalls/${one}/actions/set_rules`, { rules: [] });
    await expect.poll(() => told.slice(2)).toEqual(['a 80']);
    await c.call('PUT', `/servers/${id}`, { labels: {} });
    const two = (await c.call('GET', '/firewalls?name=two')).body?.['firewalls'] as { id: number }[];
    await c.call('POST', `/firewalls/${two[0]?.id}/actions/remove_from_resources`, { remove_from: [server] });
    await expect.poll(() => told.slice(3)).toEqual(['a open']);
  });

  test.each([
    ['tcp without a port', { ...RULE, port: null }],
    ['icmp with one', { ...RULE, protocol: 'icmp' }],
    ['a port range that runs backwards', { ...RULE, port: '90-80' }],
    ['nowhere to come from', { ...RULE, source_ips: [] }],
    ['an address without a length', { ...RULE, source_ips: ['192.0.2.1'] }],
  ])('has no rule for %s', async (_, rule) => {
    const { refused } = await start();
    expect(await refused('POST', '/firewalls', { name: 'fw', rules: [rule] })).toBe('422 invalid_input');
  });
});

describe('a placement group', () => {
  test('holds servers that were made in it, up to its limit', async () => {
    const { c, refused, make, show } = await start({ knobs: { quotas: { serversPerPlacementGroup: 1 } } });
    const group = await make('/placement_groups', 'placement_group', { name: 'pg', type: 'spread' });
    const body = {
      name: 'a',
      server_type: 'cx23',
      image: 'debian-12',
      placement_group: group,
      start_after_create: false,
    };
    const id = await make('/servers', 'server', body);
    expect(await refused('POST', '/servers', { ...body, name: 'b' })).toBe('422 placement_error');
    expect(await show(`/placement_groups/${group}`, 'placement_group')).toMatchObject({ servers: [id] });
    await expect.poll(() => show(`/servers/${id}`, 'server')).toMatchObject({ status: 'off', locked: false });
    await c.act('POST', `/servers/${id}/actions/remove_from_placement_group`);
    await c.act('POST', `/servers/${id}/actions/add_to_placement_group`, { placement_group: group });
    expect(await show(`/servers/${id}`, 'server')).toMatchObject({ placement_group: { id: group, name: 'pg' } });
    expect((await c.call('DELETE', `/placement_groups/${group}`)).status).toBe(204);
    expect(await show(`/servers/${id}`, 'server')).toMatchObject({ placement_group: null });
  });
});

describe('a certificate', () => {
  test('is uploaded with its own key, which nobody sees again', async () => {
    const { refused, make, show } = await start();
    const dir = mkdtempSync(path.join(tmpdir(), 'fairlead-certificate-'));
    const [keyFile, certFile] = [path.join(dir, 'key'), path.join(dir, 'cert')];
    const openssl = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=x -addext subjectAltName=DNS:api.example.com -keyout ${keyFile} -out ${certFile}`;
    execFileSync('openssl', openssl.split(' '), { stdio: 'ignore' });
    const body = { name: 'c', certificate: readFileSync(certFile, 'utf8'), private_key: readFileSync(keyFile, 'utf8') };
    execFileSync('openssl', openssl.split(' '), { stdio: 'ignore' });
    const foreign = readFileSync(keyFile, 'utf8');
    rmSync(dir, { recursive: true });
    expect(await refused('POST', '/certificates', { ...body, private_key: foreign })).toBe('422 invalid_input');
    const id = await make('/certificates', 'certificate', body);
    const shown = await show(`/certificates/${id}`, 'certificate');
    expect(shown).toMatchObject({ type: 'uploaded', domain_names: ['api.example.com'], status: null, used_by: [] });
    expect(JSON.stringify(shown)).not.toContain('PRIVATE KEY');
    const balancer = await make('/load_balancers', 'load_balancer', {
      name: 'lb',
      load_balancer_type: 'lb11',
      location: 'fsn1',
      services: [{ protocol: 'https', http: { certificates: [id] } }],
    });
    expect(await show(`/load_balancers/${balancer}`, 'load_balancer')).toMatchObject({
      services: [{ listen_port: 443, destination_port: 80 }],
    });
    expect(await refused('DELETE', `/certificates/${id}`)).toBe('422 resource_in_use');
  });

  test('that is managed is issued once a zone of the project covers its names; until then it says why not', async () => {
    const { c, make, show } = await start();
    const body = { name: 'm', type: 'managed', domain_names: ['api.example.com', '*.example.com'] };
    expect(await c.act('POST', '/certificates', body)).toMatchObject({
      command: 'create_certificate',
      status: 'error',
      error: { code: 'dns_zone_not_found' },
    });
    const [{ id } = { id: 0 }] = (await show('/certificates', 'certificates')) as { id: number }[];
    expect(await show(`/certificates/${id}`, 'certificate')).toMatchObject({
      certificate: null,
      status: { issuance: 'failed', renewal: 'unavailable', error: { code: 'dns_zone_not_found' } },
    });
    await c.act('POST', '/zones', { name: 'example.com', mode: 'primary' });
    expect(await c.act('POST', `/certificates/${id}/actions/retry`)).toMatchObject({
      command: 'issue_certificate',
      status: 'success',
    });
    const issued = (await show(`/certificates/${id}`, 'certificate')) as { certificate: string };
    expect(issued).toMatchObject({ status: { issuance: 'completed', renewal: 'scheduled', error: null } });
    expect(new X509Certificate(issued.certificate).subjectAltName).toBe('DNS:api.example.com, DNS:*.example.com');
    expect(JSON.stringify(issued)).not.toContain('PRIVATE KEY');
    expect(
      await make('/ssh_keys', 'ssh_key', { name: 'k', public_key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5' }),
    ).toBeGreaterThan(id);
  });
});

describe('a server that is off', () => {
  test('becomes a bigger one, not one of another architecture', async () => {
    const { c, refused, show } = await start();
    const { id } = c.cloud.addServer({ name: 'a', labels: {}, userData: '' });
    expect(await refused('POST', `/servers/${id}/actions/change_type`, { server_type: 'cx43' })).toBe(
      '422 server_not_stopped',
    );
    await c.act('POST', `/servers/${id}/actions/poweroff`);
    expect(await refused('POST', `/servers/${id}/actions/change_type`, { server_type: 'cax21' })).toBe(
      '422 invalid_server_type',
    );
    await c.act('POST', `/servers/${id}/actions/change_type`, { server_type: 'cx43', upgrade_disk: false });
    expect(await show(`/servers/${id}`, 'server')).toMatchObject({ server_type: { name: 'cx43' } });
  });

  test('is rebuilt by the world, and its floating IP leads to it again', async () => {
    const rebuilt: string[] = [];
    const { c, make, refused } = await start({
      effects: { rebuilt: async ({ name, userData }) => void rebuilt.push(`${name} ${userData}`) },
    });
    const { id } = c.cloud.addServer({ name: 'a', labels: {}, userData: 'old' });
    const fip = await make('/floating_ips', 'floating_ip', { type: 'ipv4', home_location: 'fsn1', name: 'api' });
    await c.act('POST', `/floating_ips/${fip}/actions/assign`, { server: id });
    await c.act('POST', `/servers/${id}/actions/rebuild`, { image: 'debian-13', user_data: 'new' });
    expect(rebuilt).toEqual(['a new']);
    expect(c.effects.slice(-2)).toEqual(['routed api -> a', 'routed api -> a']);
    await c.act('POST', `/servers/${id}/actions/change_protection`, { rebuild: true, delete: true });
    expect(await refused('POST', `/servers/${id}/actions/rebuild`, { image: 'debian-13' })).toBe('423 protected');
  });
});
