import { afterEach, describe, expect, test } from 'vitest';
import type { CloudOptions } from './types.ts';
import { DEFAULT_KNOBS, type CloudKnobs, type Delay } from './knobs.ts';
import { type TestCloud, testCloud } from './testing.ts';

let c: TestCloud | undefined;
afterEach(() => c?.cloud.close());

const SHORT: Delay = [600, 900];
/** At speed 30. */
const SECOND: Delay = [30_000, 30_000];
const delays = Object.fromEntries(
  Object.keys(DEFAULT_KNOBS.delays).map((name) => [name, SHORT]),
) as unknown as CloudKnobs['delays'];

async function start(knobs: CloudOptions['knobs'] = {}): Promise<TestCloud & { readonly server: number }> {
  const made = await testCloud({ knobs: { delays, ...knobs } });
  c = made;
  return { ...made, server: made.cloud.addServer({ name: 'cp-1', labels: { a: 'b' }, userData: '' }).id };
}
const names = (body: Readonly<Record<string, unknown>> | undefined): unknown =>
  ((body ?? {})['servers'] as { name: string }[]).map(({ name }) => name);

describe('what is guessed of the API can be turned', () => {
  test('switching on what is on (guess: it succeeds)', async () => {
    for (const [knobs, status] of [
      [{}, 'success'],
      [{ powerThereAlready: 'fails' }, 'error'],
    ] as const) {
      const w = await start(knobs);
      expect((await w.act('POST', `/servers/${w.server}/actions/poweron`)).status).toBe(status);
      await w.cloud.close();
    }
    c = undefined;
  });

  test('a server without the label that a selector denies (guess: it is found)', async () => {
    const w = await start();
    const ask = async (of: TestCloud, selector: string) =>
      names((await of.call('GET', `/servers?label_selector=${encodeURIComponent(selector)}`)).body);
    expect([await ask(w, 'x!=y'), await ask(w, 'x notin (y)')]).toEqual([['cp-1'], ['cp-1']]);
    await w.cloud.close();
    const other = await start({ selectorMissingKey: 'fails' });
    expect([await ask(other, 'x!=y'), await ask(other, 'x notin (y)')]).toEqual([[], []]);
    expect([await ask(other, 'a!=y'), await ask(other, 'a notin (y)')]).toEqual([['cp-1'], ['cp-1']]);
  });

  test('a firewall that is being applied, and a zone that is being changed (guess: others may go on)', async () => {
    const w = await start({
      firewallLocksServer: true,
      zoneLocks: true,
      delays: { ...delays, firewall: SECOND, zone: SECOND },
    });
    const { firewall } = (await w.call('POST', '/firewalls', { name: 'f' })).body as { firewall: { id: number } };
    const apply_to = [{ type: 'server', server: { id: w.server } }];
    await w.call('POST', `/firewalls/${firewall.id}/actions/apply_to_resources`, { apply_to });
    expect(await w.call('POST', `/servers/${w.server}/actions/reboot`)).toMatchObject({ status: 423 });
    await w.act('POST', '/zones', { name: 'example.com', mode: 'primary' });
    await w.call('POST', '/zones/example.com/actions/change_ttl', { ttl: 600 });
    expect(await w.call('POST', '/zones/example.com/actions/change_ttl', { ttl: 601 })).toMatchObject({ status: 423 });
  });

  test('a placement group that is deleted with a server in it, and addresses sorted by name (guess: both are let)', async () => {
    const w = await start({ placementGroupWithServers: 'refuse', sortFloatingIPsByName: false });
    const made = (await w.call('POST', '/placement_groups', { name: 'g', type: 'spread' })).body;
    const { id } = (made ?? {})['placement_group'] as { id: number };
    await w.act('POST', `/servers/${w.server}/actions/poweroff`);
    await w.act('POST', `/servers/${w.server}/actions/add_to_placement_group`, { placement_group: id });
    expect(await w.call('DELETE', `/placement_groups/${id}`)).toMatchObject({ status: 422 });
    expect(await w.call('GET', '/floating_ips?sort=name')).toMatchObject({ status: 422 });
  });

  test('health after a check was changed, the idle time of an http service, the status of a network’s member', async () => {
    const w = await start({ defaultTimeoutIdle: 45, networkMemberStatus: 'ready', healthAfterCheckChange: 'kept' });
    const made = await w.call('POST', '/load_balancers', {
      name: 'b',
      load_balancer_type: 'lb11',
      location: 'fsn1',
      services: [{ protocol: 'http' }],
    });
    expect(made.body).toMatchObject({ load_balancer: { services: [{ http: { timeout_idle: 45 } }] } });
    const { networks } = (await w.call('GET', '/networks')).body as { networks: { id: number }[] };
    expect((await w.call('GET', `/networks/${networks[0]?.id}/members`)).body).toMatchObject({
      members: [{ type: 'server', status: 'ready' }],
    });
  });
});
