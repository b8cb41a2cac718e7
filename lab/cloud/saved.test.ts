import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { fromPlain, toPlain } from '../world/snapshot/plain.ts';
import type { SavedProject } from './saved.ts';
import { testCloud } from './testing.ts';

test('a project that was kept goes on: what is in it answers as before, its actions too, and no id comes back', async () => {
  const first = await testCloud({ random: seededRandom(1) });
  const server = first.cloud.addServer({ name: 'cp-1', labels: { role: 'control-plane' }, userData: 'machine: {}' });
  const address = await first.act('POST', '/floating_ips', { type: 'ipv4', server: server.id, name: 'api' });
  await first.act('POST', '/load_balancers', { name: 'lb', load_balancer_type: 'lb11', location: 'fsn1' });
  await first.act('POST', '/zones', { name: 'lab.test', mode: 'primary' });
  await first.cloud.quiet(AbortSignal.timeout(5_000));
  const kept = toPlain(first.cloud.save());
  const paths = [
    '/servers',
    '/floating_ips',
    '/load_balancers',
    '/zones',
    '/primary_ips',
    '/networks',
    `/actions/${address.id}`,
  ];
  const before = await Promise.all(paths.map(async (path) => (await first.call('GET', path)).body));
  const later = await first.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'later' });
  await first.cloud.close();

  const project = fromPlain(JSON.parse(JSON.stringify(kept))) as SavedProject;
  const second = await testCloud({ random: seededRandom(1), project });
  const after = await Promise.all(paths.map(async (path) => (await second.call('GET', path)).body));
  expect(after).toEqual(before);

  await second.cloud.tellAll();
  expect(second.effects).toContainEqual(expect.stringMatching(/^routed \S+ -> cp-1$/));

  const again = await second.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'other' });
  const idOf = (body: unknown): number => (body as { floating_ip: { id: number } }).floating_ip.id;
  expect(idOf(again.body)).toBeGreaterThan(idOf(later.body) + 1000);
  await second.cloud.close();
});
