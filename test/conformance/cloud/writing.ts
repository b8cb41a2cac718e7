import assert from 'node:assert/strict';
import { idOf, type Json, object, objects, refused, type Scenario } from './driver.ts';
import { balancer, floatingIP, fresh, LABELS, server, write } from './things.ts';

/** Costs money on a real project (floating IPs, a balancer, servers for minutes), and needs room in its quotas. */
export const writing: readonly Scenario[] = [
  write('a body that is no JSON is a json_error; fields that do not fit are named', async (api) => {
    refused(await api.call('POST', '/floating_ips', '{"type":'), 400, 'json_error');
    const error = refused(
      await api.call('POST', '/floating_ips', { type: 'ipv5', home_location: 'fsn1' }),
      422,
      'invalid_input',
    );
    const fields = objects(object(error['details'])['fields']);
    assert.ok(
      fields.some(({ name, messages }) => name === 'type' && Array.isArray(messages)),
      JSON.stringify(error),
    );
  }),
  write('a token that only reads may not write (status and code are a guess)', async (api) => {
    const { readOnlyToken } = api.driver;
    assert.ok(readOnlyToken !== undefined, 'a read-only token is needed: FAIRLEAD_REAL_HCLOUD_READ_ONLY_TOKEN');
    assert.equal((await api.call('GET', '/servers', undefined, readOnlyToken)).status, 200);
    const body = { type: 'ipv4', home_location: 'fsn1', name: fresh('ip') };
    refused(await api.call('POST', '/floating_ips', body, readOnlyToken), 403, 'forbidden');
  }),
  write('a floating IP has a name of its own, labels as a whole, and protection from deletion', async (api) => {
    const { id, name, server: holder } = await floatingIP(api);
    assert.equal(holder, null);
    const path = `/floating_ips/${String(id)}`;
    refused(
      await api.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name }),
      409,
      'uniqueness_error',
    );
    const found = objects((await api.expect(200, 'GET', `/floating_ips?name=${String(name)}`))['floating_ips']);
    assert.deepEqual(
      found.map((one) => one['id']),
      [id],
    );
    const labels = { ...LABELS, second: 'x' };
    await api.expect(200, 'PUT', path, { labels });
    const put = object((await api.expect(200, 'PUT', path, { labels: { second: 'y' } }))['floating_ip']);
    assert.deepEqual([put['labels'], put['name']], [{ second: 'y' }, name]);
    await api.act('POST', `${path}/actions/change_protection`, { delete: true });
    refused(await api.call('DELETE', path), 423, 'protected');
    await api.act('POST', `${path}/actions/change_protection`, { delete: false });
    const gone = await api.call('DELETE', path);
    assert.deepEqual([gone.status, gone.body, gone.headers.get('content-type')], [204, undefined, null]);
    refused(await api.call('GET', path), 404, 'not_found');
  }),
  write(
    'a floating IP moves when the action succeeds, without being unassigned, and outlives its server',
    async (api) => {
      const path = `/floating_ips/${idOf(await floatingIP(api))}`;
      const [one, two] = [idOf(await server(api)), idOf(await server(api))];
      const holder = async (): Promise<unknown> =>
        object((await api.expect(200, 'GET', path))['floating_ip'])['server'];
      const posted = object((await api.expect(201, 'POST', `${path}/actions/assign`, { server: one }))['action']);
      assert.deepEqual([posted['command'], posted['error']], ['assign_floating_ip', null]);
      const types = objects(posted['resources']).map(({ type }) => String(type));
      assert.deepEqual(types.toSorted(), ['floating_ip', 'server']);
      const end = await api.ended(idOf(posted));
      assert.deepEqual([end['status'], end['progress'], await holder()], ['success', 100, one]);
      assert.equal(typeof end['finished'], 'string');
      await api.act('POST', `${path}/actions/assign`, { server: two });
      assert.equal(await holder(), two);
      refused(await api.call('DELETE', path), 422, 'must_be_unassigned');
      await api.act('DELETE', `/servers/${two}`);
      assert.equal(await holder(), null);
      refused(await api.call('GET', `/servers/${two}`), 404, 'not_found');
      await api.act('POST', `${path}/actions/assign`, { server: String(one) });
      await api.act('POST', `${path}/actions/unassign`, {});
      assert.equal(await holder(), null);
    },
  ),
  write('assigning to the server that has the address already is no error (a guess)', async (api) => {
    const path = `/floating_ips/${idOf(await floatingIP(api))}`;
    const holder = idOf(await server(api));
    await api.act('POST', `${path}/actions/assign`, { server: holder });
    await api.act('POST', `${path}/actions/assign`, { server: holder });
  }),
  write('a server has one name, is switched off and on, and deleting it is an action', async (api) => {
    const made = await server(api);
    const path = `/servers/${idOf(made)}`;
    const { name, server_type: type, image } = made;
    const again = { name, server_type: object(type)['name'], image: object(image)['name'], location: 'fsn1' };
    refused(await api.call('POST', '/servers', again), 409, 'uniqueness_error');
    const status = async (): Promise<unknown> => object((await api.expect(200, 'GET', path))['server'])['status'];
    assert.equal(await status(), 'running');
    await api.act('POST', `${path}/actions/poweroff`);
    assert.equal(await status(), 'off');
    await api.act('POST', `${path}/actions/poweron`, {});
    assert.equal(await status(), 'running');
    await api.act('POST', `${path}/actions/change_protection`, { delete: true, rebuild: true });
    refused(await api.call('DELETE', path), 423, 'protected');
    await api.act('POST', `${path}/actions/change_protection`, { delete: false, rebuild: false });
    assert.equal(object((await api.act('DELETE', path))['action'])['command'], 'delete_server');
  }),
  write('alias addresses of a server are replaced as a whole', async (api) => {
    const subnets = [{ type: 'cloud', ip_range: '10.213.1.0/24', network_zone: 'eu-central' }];
    const body = { name: fresh('net'), ip_range: '10.213.0.0/16', subnets, labels: LABELS };
    const network = idOf((await api.expect(201, 'POST', '/networks', body))['network']);
    api.undo(() => api.expect(204, 'DELETE', `/networks/${network}`));
    const path = `/servers/${idOf(await server(api))}`;
    await api.act('POST', `${path}/actions/attach_to_network`, {
      network,
      ip: '10.213.1.5',
      alias_ips: ['10.213.1.6'],
    });
    const change = { network, alias_ips: ['10.213.1.7', '10.213.1.8'] };
    const { action } = await api.act('POST', `${path}/actions/change_alias_ips`, change);
    assert.equal(object(action)['command'], 'change_alias_ips');
    const [place] = objects(object((await api.expect(200, 'GET', path))['server'])['private_net']).filter(
      (one) => one['network'] === network,
    );
    assert.deepEqual([place?.['ip'], place?.['alias_ips']], ['10.213.1.5', change.alias_ips]);
    refused(await api.call('POST', `${path}/actions/attach_to_network`, { network }), 422, 'server_already_attached');
  }),
  write(
    'a load balancer fills in its health check, takes partial changes, and deleting it is an action',
    async (api) => {
      const path = `/load_balancers/${idOf(await balancer(api))}`;
      const service = { protocol: 'tcp', listen_port: 6443, destination_port: 6443, proxyprotocol: false };
      await api.act('POST', `${path}/actions/add_service`, service);
      const check = async (): Promise<Json> => {
        const balancer = object((await api.expect(200, 'GET', path))['load_balancer']);
        return object(objects(balancer['services'])[0]?.['health_check']);
      };
      const shown = ({ protocol, port, interval, timeout, retries }: Json): unknown[] => [
        protocol,
        port,
        interval,
        timeout,
        retries,
      ];
      assert.deepEqual(shown(await check()), ['tcp', 6443, 15, 10, 3]);
      const health = { protocol: 'tcp', port: 6443, interval: 3, timeout: 2, retries: 2 };
      await api.act('POST', `${path}/actions/update_service`, { listen_port: 6443, health_check: health });
      assert.deepEqual(shown(await check()), ['tcp', 6443, 3, 2, 2]);
      const wrong = { listen_port: 6443, health_check: { ...health, protocol: 'https' } };
      refused(await api.call('POST', `${path}/actions/update_service`, wrong), 422, 'invalid_input');
      const selector = { type: 'label_selector', label_selector: { selector: 'no-such-label' } };
      await api.act('POST', `${path}/actions/add_target`, selector);
      refused(await api.call('POST', `${path}/actions/add_target`, selector), 422, 'target_already_defined');
      await api.act('POST', `${path}/actions/remove_target`, selector);
      const deleted = await api.expect(201, 'DELETE', path);
      assert.equal((await api.ended(idOf(deleted['action'])))['status'], 'success');
    },
  ),
];
