import assert from 'node:assert/strict';
import { type Api, idOf, type Json, object, objects, refused, type Scenario } from './driver.ts';

/** Fields that every object of a list has; what it holds beyond them is not looked at. */
const FIELDS: Readonly<Record<string, string>> = {
  servers:
    'id name status created public_net private_net server_type location image locked protection labels volumes load_balancers primary_disk_size rescue_enabled',
  floating_ips: 'id name description ip type server dns_ptr home_location blocked created labels protection',
  load_balancers:
    'id name public_net private_net location load_balancer_type protection labels created services targets algorithm included_traffic',
  networks: 'id name created ip_range subnets routes servers protection labels',
  primary_ips:
    'id name ip type assignee_id assignee_type auto_delete blocked created dns_ptr labels location protection',
  firewalls: 'id name created labels rules applied_to',
  placement_groups: 'id name type servers labels created',
  ssh_keys: 'id name fingerprint public_key labels created',
  certificates: 'id name type labels created',
  zones: 'id name ttl mode labels created protection status',
  images: 'id type name status created os_flavor architecture labels protection',
  locations: 'id name description country city latitude longitude network_zone',
  server_types: 'id name cores memory disk storage_type cpu_type architecture prices locations',
  load_balancer_types: 'id name max_connections max_services max_targets max_assigned_certificates prices',
};
const PAGINATION = ['page', 'per_page', 'previous_page', 'next_page', 'last_page', 'total_entries'];

const list = async (api: Api, path: string): Promise<readonly Json[]> =>
  objects((await api.expect(200, 'GET', path))[path.replace(/^\/|\?.*/g, '')]);

const read = (name: string, run: Scenario['run']): Scenario => ({ name, kind: 'read', run });

/** What can be tried on a project in use: nothing is changed. */
export const reading: readonly Scenario[] = [
  read('a call without a token, or with a wrong one, is unauthorized', async (api) => {
    refused(await api.call('GET', '/servers', undefined, ''), 401, 'unauthorized');
    refused(await api.call('GET', '/servers', undefined, 'x'.repeat(64)), 401, 'unauthorized');
  }),
  read('what is not there is not_found: a path, an id, an action', async (api) => {
    for (const path of [
      '/no-such-path',
      '/servers/1',
      '/floating_ips/1',
      '/load_balancers/1',
      '/networks/1',
      '/actions/1',
    ])
      refused(await api.call('GET', path), 404, 'not_found');
  }),
  read('every answer tells of the budget of requests', async (api) => {
    const { headers } = await api.call('GET', '/locations');
    const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) =>
      Number(headers.get(`ratelimit-${name}`)),
    );
    assert.ok(limit !== undefined && limit >= 3_600, `limit ${limit}`);
    assert.ok(remaining !== undefined && remaining >= 0 && remaining < limit, `remaining ${remaining} of ${limit}`);
    assert.ok(reset !== undefined && reset > Date.now() / 1000 - 60, `reset ${reset}`);
  }),
  read('a refusal has details, and a header to name it by', async (api) => {
    const answer = await api.call('GET', '/servers/1');
    assert.ok('details' in refused(answer, 404, 'not_found'), JSON.stringify(answer.body));
    assert.match(answer.headers.get('x-correlation-id') ?? '', /\S/);
  }),
  ...Object.entries(FIELDS).map(([key, fields]) =>
    read(`${key} are listed by page, each with its fields`, async (api) => {
      const body = await api.expect(200, 'GET', `/${key}`);
      const pagination = object(object(body['meta'])['pagination']);
      for (const field of PAGINATION) assert.ok(field in pagination, `${field} in ${JSON.stringify(pagination)}`);
      for (const item of objects(body[key]))
        for (const field of fields.split(' ')) assert.ok(field in item, `${field} in ${JSON.stringify(item)}`);
    }),
  ),
  read('pages are walked by next_page and Link, and hold each entry once', async (api) => {
    const all = await list(api, '/locations?per_page=50');
    const seen: number[] = [];
    for (let page: unknown = 1; page !== null;) {
      const answer = await api.call('GET', `/locations?per_page=2&page=${Number(page)}`);
      assert.equal(answer.status, 200);
      const { next_page: next, total_entries: total } = object(object(answer.body?.['meta'])['pagination']);
      assert.equal(total, all.length);
      const link = answer.headers.get('link') ?? '';
      assert.equal(link.includes('rel="next"'), next !== null, link);
      seen.push(...objects(answer.body?.['locations']).map(idOf));
      page = next;
    }
    const sorted = (ids: readonly number[]): number[] => ids.toSorted((a, b) => a - b);
    assert.deepEqual(sorted(seen), sorted(all.map(idOf)));
  }),
  read('more than fifty a page are refused (a guess)', async (api) => {
    refused(await api.call('GET', '/servers?per_page=51'), 422, 'invalid_input');
  }),
  read('locations have ids, names and zones that do not change', async (api) => {
    const locations = await list(api, '/locations?per_page=50');
    const zones = new Map(locations.map(({ id, name, network_zone: zone }) => [name, [id, zone]]));
    assert.deepEqual(zones.get('fsn1'), [1, 'eu-central']);
    assert.deepEqual(zones.get('nbg1'), [2, 'eu-central']);
    assert.deepEqual(zones.get('hel1'), [3, 'eu-central']);
    assert.equal(zones.get('ash')?.[1], 'us-east');
    assert.equal(object((await api.expect(200, 'GET', '/locations/1'))['location'])['name'], 'fsn1');
  }),
  read('a name is looked up exactly', async (api) => {
    const found = await list(api, '/locations?name=fsn1');
    assert.deepEqual(
      found.map(({ id }) => id),
      [1],
    );
    assert.deepEqual(await list(api, '/locations?name=fsn'), []);
  }),
  read('lists are sorted as asked', async (api) => {
    const names = (await list(api, '/servers?sort=name:desc')).map(({ name }) => String(name));
    assert.deepEqual(names, names.toSorted().toReversed());
  }),
  read('a label selector that nothing has finds nothing, and its opposite everything', async (api) => {
    assert.deepEqual(await list(api, '/servers?label_selector=no-such-label'), []);
    const all = await list(api, '/servers');
    assert.equal((await list(api, '/servers?label_selector=!no-such-label')).length, all.length);
  }),
  read('all actions of a project are not listed any more; data centers are gone', async (api) => {
    for (const path of ['/actions', '/datacenters'])
      refused(await api.call('GET', path), 410, 'deprecated_api_endpoint');
  }),
  read('prices are texts in a currency, for floating IPs and balancers too', async (api) => {
    const pricing = object((await api.expect(200, 'GET', '/pricing'))['pricing']);
    assert.match(String(pricing['currency']), /^[A-Z]{3}$/);
    const [floating] = objects(pricing['floating_ips']);
    const [price] = objects(floating?.['prices']);
    assert.match(String(object(price?.['price_monthly'])['net']), /^\d+\.\d+$/);
    assert.ok(objects(pricing['load_balancer_types']).some(({ name }) => name === 'lb11'));
  }),
];
