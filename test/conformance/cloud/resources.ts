import assert from 'node:assert/strict';
import { createAuthority, issue } from '../../../lab/pki/pki.ts';
import type { KeyPair } from '../../../lab/pki/types.ts';
import { idOf, type Json, object, objects, refused, type Scenario } from './driver.ts';
import { fresh, LABELS, write } from './things.ts';

const HOUR_MS = 3_600_000;

/** A certificate and its key, of an authority that nobody knows. */
export async function certificateFor(name: string): Promise<KeyPair> {
  const validity = { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + 24 * HOUR_MS) };
  const ca = await createAuthority('ecdsa', { commonName: 'fairlead conformance', ...validity });
  return issue(ca, { commonName: name, dnsNames: [name], usages: ['serverAuth'], ...validity });
}

/** Certificates, firewalls, networks and images cost nothing on a real project, and need room in its quotas. */
export const resources: readonly Scenario[] = [
  write('an uploaded certificate is read, its key is never told, and another key is refused', async (api) => {
    const [one, two] = [await certificateFor('one.example.com'), await certificateFor('two.example.com')];
    const body = { name: fresh('certificate'), type: 'uploaded', labels: LABELS, certificate: one.cert };
    refused(await api.call('POST', '/certificates', { ...body, private_key: two.key }), 422, 'invalid_input');
    const answer = await api.expect(201, 'POST', '/certificates', { ...body, private_key: one.key });
    const made = object(answer['certificate']);
    const path = `/certificates/${idOf(made)}`;
    api.undo(async () => {
      if ((await api.call('GET', path)).status !== 404) await api.expect(204, 'DELETE', path);
    });
    assert.ok(!JSON.stringify(answer).includes('PRIVATE KEY'));
    assert.deepEqual([made['type'], made['domain_names'], made['used_by']], ['uploaded', ['one.example.com'], []]);
    assert.match(String(made['fingerprint']), /^([0-9A-F]{2}:){19,}[0-9A-F]{2}$/i);
    assert.ok(Date.parse(String(made['not_valid_before'])) < Date.now());
    await api.expect(204, 'DELETE', path);
  }),
  write('a firewall is applied by an action a resource, and cannot be deleted while it is', async (api) => {
    const rule = { direction: 'in', protocol: 'tcp', port: '6443', source_ips: ['0.0.0.0/0'], description: 'api' };
    const name = fresh('firewall');
    const made = object(
      (await api.expect(201, 'POST', '/firewalls', { name, rules: [rule], labels: LABELS }))['firewall'],
    );
    const path = `/firewalls/${idOf(made)}`;
    const applied = [{ type: 'label_selector', label_selector: { selector: 'no-such-label' } }];
    const acts = async (action: string, body: Json): Promise<void> => {
      const answer = await api.expect(201, 'POST', `${path}/actions/${action}`, body);
      for (const started of objects(answer['actions']))
        assert.equal((await api.ended(idOf(started)))['status'], 'success');
    };
    api.undo(async () => {
      if ((await api.call('GET', path)).status === 404) return;
      await acts('remove_from_resources', { remove_from: applied });
      await api.expect(204, 'DELETE', path);
    });
    refused(await api.call('POST', '/firewalls', { name }), 409, 'uniqueness_error');
    const now = async (): Promise<Json> => object((await api.expect(200, 'GET', path))['firewall']);
    await acts('apply_to_resources', { apply_to: applied });
    assert.deepEqual(
      objects((await now())['applied_to']).map(({ type }) => type),
      ['label_selector'],
    );
    refused(await api.call('DELETE', path), 422, 'resource_in_use');
    await acts('set_rules', {
      rules: [
        { ...rule, port: '6443-6444' },
        { ...rule, protocol: 'icmp', port: null },
      ],
    });
    assert.deepEqual(
      objects((await now())['rules']).map(({ port }) => port ?? null),
      ['6443-6444', null],
    );
    refused(
      await api.call('POST', `${path}/actions/set_rules`, { rules: [{ ...rule, source_ips: ['not-a-range'] }] }),
      422,
      'invalid_input',
    );
    await acts('remove_from_resources', { remove_from: applied });
    await api.expect(204, 'DELETE', path);
  }),
  write('a network has subnets inside its range, routes outside its subnets, and protection', async (api) => {
    const body = { name: fresh('network'), ip_range: '10.214.0.0/16', labels: LABELS };
    const path = `/networks/${idOf((await api.expect(201, 'POST', '/networks', body))['network'])}`;
    api.undo(async () => {
      const { status, body: left } = await api.call('GET', path);
      if (status === 404) return;
      if (object(object(left?.['network'])['protection'])['delete'] === true)
        await api.act('POST', `${path}/actions/change_protection`, { delete: false });
      await api.expect(204, 'DELETE', path);
    });
    const now = async (): Promise<Json> => object((await api.expect(200, 'GET', path))['network']);
    const subnet = { type: 'cloud', network_zone: 'eu-central' };
    await api.act('POST', `${path}/actions/add_subnet`, { ...subnet, ip_range: '10.214.1.0/24' });
    refused(
      await api.call('POST', `${path}/actions/add_subnet`, { ...subnet, ip_range: '10.99.1.0/24' }),
      422,
      'invalid_input',
    );
    const [made] = objects((await now())['subnets']);
    assert.deepEqual([made?.['ip_range'], made?.['gateway']], ['10.214.1.0/24', '10.214.0.1']);
    const route = { destination: '10.215.0.0/16', gateway: '10.214.1.5' };
    await api.act('POST', `${path}/actions/add_route`, route);
    assert.deepEqual((await now())['routes'], [route]);
    await api.act('POST', `${path}/actions/delete_route`, route);
    await api.act('POST', `${path}/actions/delete_subnet`, { ip_range: '10.214.1.0/24' });
    await api.act('POST', `${path}/actions/change_ip_range`, { ip_range: '10.214.0.0/15' });
    assert.deepEqual([(await now())['ip_range'], (await now())['subnets']], ['10.214.0.0/15', []]);
    await api.act('POST', `${path}/actions/change_protection`, { delete: true });
    refused(await api.call('DELETE', path), 423, 'protected');
  }),
];
