import { afterEach, describe, expect, test } from 'vitest';
import { testCloud, type TestCloud } from '../testing.ts';
import type { CloudZone } from '../types.ts';
import { parseZonefile } from './zonefile.ts';

const open: TestCloud[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((c) => c.cloud.close()));
});

async function withZone(body: Record<string, unknown> = {}) {
  const told: CloudZone[] = [];
  const gone: string[] = [];
  const c = await testCloud({
    effects: {
      zoneChanged: async (zone) => void told.push(zone),
      zoneDeleted: async ({ name }) => void gone.push(name),
    },
  });
  open.push(c);
  const refused = async (method: string, path: string, with_?: unknown): Promise<string> => {
    const answer = await c.call(method, path, with_);
    return `${answer.status} ${(answer.body?.['error'] as { code: string } | undefined)?.code}`;
  };
  const set = async (id: string) => (await c.call('GET', `/zones/example.com/rrsets/${id}`)).body?.['rrset'];
  const act = (id: string, action: string, with_: unknown) =>
    c.act('POST', `/zones/example.com/rrsets/${id}/actions/${action}`, with_);
  expect(await c.act('POST', '/zones', { name: 'example.com', mode: 'primary', ...body })).toMatchObject({
    command: 'create_zone',
    status: 'success',
  });
  /** As the name server knows it: `name TYPE ttl values`. */
  const served = (): string[] =>
    (told.at(-1)?.rrsets ?? [])
      .filter((each) => each.name !== '@')
      .map((each) => [each.name, each.type, each.ttl, ...each.records].join(' '));
  return { c, told, gone, refused, set, act, served };
}
const a = (...values: string[]) => ({ records: values.map((value) => ({ value })) });

describe('a zone', () => {
  test('begins with an SOA and three name servers, and is found by name and by id', async () => {
    const { c, told } = await withZone();
    const { zone } = (await c.call('GET', '/zones/example.com')).body as { zone: { id: number } };
    expect(zone).toMatchObject({ ttl: 3600, status: 'ok', record_count: 4, mode: 'primary' });
    expect((await c.call('GET', `/zones/${zone.id}`)).body).toEqual({ zone });
    expect((await c.call('GET', '/zones?name=example.com&mode=primary')).body).toMatchObject({
      zones: [{ id: zone.id }],
    });
    expect(told.at(-1)).toMatchObject({
      name: 'example.com',
      rrsets: [
        { name: '@', type: 'SOA' },
        { type: 'NS', records: expect.arrayContaining(['helium.ns.hetzner.de.']) },
      ],
    });
  });

  test('has its record sets changed by actions, and only their labels by PUT', async () => {
    const { c, refused, set, act, served } = await withZone();
    const made = await c.act('POST', '/zones/example.com/rrsets', {
      name: 'api',
      type: 'A',
      ttl: 60,
      ...a('192.0.2.1'),
    });
    expect(made.command).toBe('create_rrset');
    expect(served()).toEqual(['api A 60 192.0.2.1']);
    await act('api/A', 'set_records', { records: [{ value: '192.0.2.2', comment: 'new' }, { value: '192.0.2.3' }] });
    expect(await set('api/A')).toMatchObject({
      id: 'api/A',
      records: [
        { value: '192.0.2.2', comment: 'new' },
        { value: '192.0.2.3', comment: '' },
      ],
    });
    await act('api/A', 'update_records', { records: [{ value: '192.0.2.3', comment: 'old' }] });
    await act('api/A', 'change_ttl', { ttl: null });
    await c.call('PUT', '/zones/example.com/rrsets/api/A', { labels: { a: 'b' }, ttl: 77, ...a('192.0.2.9') });
    expect(await set('api/A')).toMatchObject({
      ttl: null,
      labels: { a: 'b' },
      records: [
        { value: '192.0.2.2', comment: 'new' },
        { value: '192.0.2.3', comment: 'old' },
      ],
    });
    await act('k8s/AAAA', 'add_records', { ttl: 120, ...a('2001:db8::1') });
    await act('k8s/AAAA', 'add_records', a('2001:db8::2'));
    expect(served()).toEqual(['api A  192.0.2.2 192.0.2.3', 'k8s AAAA 120 2001:db8::1 2001:db8::2']);
    // A set that empties is gone.
    await act('k8s/AAAA', 'remove_records', a('2001:db8::1', '2001:db8::2'));
    expect(await refused('GET', '/zones/example.com/rrsets/k8s/AAAA')).toBe('404 not_found');
    expect(await refused('POST', '/zones/example.com/rrsets/k8s/AAAA/actions/set_records', a('2001:db8::1'))).toBe(
      '404 not_found',
    );
    await c.act('DELETE', '/zones/example.com/rrsets/api/A');
    expect(served()).toEqual([]);
  });

  test('never changes a protected record set, nor goes while it is protected itself', async () => {
    const { c, refused, act, gone } = await withZone();
    await c.act('POST', '/zones/example.com/rrsets', { name: 'api', type: 'A', ...a('192.0.2.1') });
    await act('api/A', 'change_protection', { change: true });
    const set = '/zones/example.com/rrsets/api/A';
    expect(await refused('POST', `${set}/actions/set_records`, a('192.0.2.2'))).toBe('423 protected');
    expect(await refused('POST', `${set}/actions/change_ttl`, { ttl: 60 })).toBe('423 protected');
    expect(await refused('DELETE', set)).toBe('423 protected');
    await c.act('POST', '/zones/example.com/actions/change_protection', { delete: true });
    expect(await refused('DELETE', '/zones/example.com')).toBe('423 protected');
    await c.act('POST', '/zones/example.com/actions/change_protection', { delete: false });
    const answer = await c.call('DELETE', '/zones/example.com');
    expect([answer.status, answer.body]).toMatchObject([201, { action: { command: 'delete_zone' } }]);
    await expect.poll(() => gone).toEqual(['example.com']);
  });

  test.each([
    ['a TTL below a minute', { name: 'x', type: 'A', ttl: 59, ...a('192.0.2.1') }, '422 invalid_input'],
    ['an address that is none', { name: 'x', type: 'A', ...a('192.0.2') }, '422 invalid_input'],
    ['a value twice', { name: 'x', type: 'A', ...a('192.0.2.1', '192.0.2.1') }, '422 invalid_input'],
    ['an absolute name', { name: 'x.example.com.', type: 'A', ...a('192.0.2.1') }, '422 invalid_input'],
    ['a text without quotes', { name: 'x', type: 'TXT', ...a('hello') }, '422 invalid_input'],
    ['a CNAME for itself', { name: '@', type: 'CNAME', ...a('other.example.') }, '422 invalid_input'],
    ['an unknown type', { name: 'x', type: 'ALIAS', ...a('other.example.') }, '422 invalid_input'],
    ['no records', { name: 'x', type: 'A', records: [] }, '422 invalid_input'],
    [
      'more than 50 records',
      { name: 'x', type: 'A', ...a(...Array.from({ length: 51 }, (_, n) => `192.0.2.${n}`)) },
      '422 invalid_input',
    ],
    ['a set that is there', { name: '@', type: 'NS', ...a('ns.example.') }, '409 uniqueness_error'],
  ])('refuses %s', async (_, body, expected) => {
    const { refused } = await withZone();
    expect(await refused('POST', '/zones/example.com/rrsets', body)).toBe(expected);
  });

  test('keeps all records that are added at the same time', async () => {
    const { act, served } = await withZone();
    await Promise.all(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((value) => act('api/A', 'add_records', a(value))));
    expect(served()[0]?.split(' ').slice(3).toSorted()).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
  });

  test('counts its serial up with every change', async () => {
    const { set, c } = await withZone();
    const serial = async () => {
      const { records } = (await set('@/SOA')) as { records: { value: string }[] };
      return Number(records[0]?.value.split(' ')[2]);
    };
    const before = await serial();
    await c.act('POST', '/zones/example.com/actions/change_ttl', { ttl: 300 });
    expect(await serial()).toBe(before + 1);
  });

  test('lists up to 100 record sets a page', async () => {
    const { c, refused } = await withZone();
    const { rrsets } = (await c.call('GET', '/zones/example.com/rrsets?per_page=100&type=NS&type=SOA')).body as {
      rrsets: unknown[];
    };
    expect(rrsets).toHaveLength(2);
    expect(await refused('GET', '/zones/example.com/rrsets?per_page=101')).toBe('422 invalid_input');
    expect(await refused('GET', '/zones?per_page=100')).toBe('422 invalid_input');
  });

  test('comes from elsewhere when it is secondary, and cannot be written to', async () => {
    const { c, refused } = await withZone();
    const secondary = { name: 'example.net', mode: 'secondary' };
    expect(await refused('POST', '/zones', secondary)).toBe('422 invalid_input');
    await c.act('POST', '/zones', {
      ...secondary,
      primary_nameservers: [{ address: '192.0.2.53', tsig_key: 'secret' }],
    });
    expect(await refused('POST', '/zones/example.net/rrsets', { name: 'x', type: 'A', ...a('192.0.2.1') })).toBe(
      '422 incorrect_zone_mode',
    );
    expect(await refused('POST', '/zones/example.com/actions/change_primary_nameservers', {})).toBe(
      '422 incorrect_zone_mode',
    );
    expect(JSON.stringify((await c.call('GET', '/zones')).body)).not.toContain('secret');
  });

  test.each(['localhost', 'api.example.com', 'com'])('cannot be %s beside example.com', async (name) => {
    const { refused } = await withZone();
    expect(await refused('POST', '/zones', { name, mode: 'primary' })).toBe('422 invalid_input');
  });

  test('may be told to refuse an incomplete zone file, which is a guess', async () => {
    const c = await testCloud({ knobs: { incompleteZonefile: 'refuse' } });
    open.push(c);
    const zone = { name: 'example.org', mode: 'primary' };
    const refused = await c.call('POST', '/zones', { ...zone, zonefile: 'www 60 IN A 192.0.2.1\n' });
    expect([refused.status, refused.body]).toMatchObject([422, { error: { code: 'invalid_input' } }]);
    await c.act('POST', '/zones', zone);
    const { zonefile } = (await c.call('GET', '/zones/example.org/zonefile')).body as { zonefile: string };
    await c.act('POST', '/zones/example.org/actions/import_zonefile', {
      zonefile: `${zonefile}www 60 IN A 192.0.2.1\n`,
    });
  });

  test('goes out as a zone file and comes in as one', async () => {
    const zonefile =
      '$ORIGIN example.org.\n$TTL 600\nwww 60 IN A 192.0.2.1 ; first\n    IN A 192.0.2.2\n@ MX 10 mail\n';
    const { c, served, told } = await withZone({ zonefile });
    expect(told.at(-1)?.ttl).toBe(600);
    expect(served()).toEqual(['www A 60 192.0.2.1 192.0.2.2']);
    const out = ((await c.call('GET', '/zones/example.com/zonefile')).body as { zonefile: string }).zonefile;
    expect(out).toContain('www 60 IN A 192.0.2.1 ; first\n');
    await c.act('POST', '/zones/example.com/rrsets', { name: 'x', type: 'TXT', ...a('"a; b (c)" "d"') });
    const whole = ((await c.call('GET', '/zones/example.com/zonefile')).body as { zonefile: string }).zonefile;
    await c.act('POST', '/zones/example.com/actions/import_zonefile', { zonefile: out });
    expect(served()).toEqual(['www A 60 192.0.2.1 192.0.2.2']);
    await c.act('POST', '/zones/example.com/actions/import_zonefile', { zonefile: whole });
    expect(served()).toEqual(['www A 60 192.0.2.1 192.0.2.2', 'x TXT  "a; b (c)" "d"']);
  });
});

describe('a zone file', () => {
  test('may spread a record over lines in parentheses, with units of time', () => {
    const text = '@ 1h IN SOA ns.example. root.example. ( 1 ; serial\n  2 3 4 5 )\nx.example.com. 2m A 192.0.2.1\n';
    expect(parseZonefile(text, 'example.com').rrsets).toMatchObject([
      { name: '@', type: 'SOA', ttl: 3600, records: [{ value: 'ns.example. root.example. 1 2 3 4 5' }] },
      { name: 'x', type: 'A', ttl: 120, records: [{ value: '192.0.2.1' }] },
    ]);
  });

  test.each(['x IN NOPE 1', 'x 5 IN A 192.0.2.1', 'x IN A nothing', '$TTL soon'])('is refused with %s', (line) => {
    expect(() => parseZonefile(`${line}\n`, 'example.com')).toThrow();
  });
});
