import { afterEach, describe, expect, test } from 'vitest';
import { READ_ONLY, READ_WRITE, type TestCloud, testCloud } from '../../lab/cloud/testing.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Redacted } from '../../src/base/redacted.ts';
import { createHetznerClient } from '../../src/systems/hetzner/client.ts';
import { HetznerError } from '../../src/systems/hetzner/errors.ts';
import type { HetznerClient } from '../../src/systems/hetzner/types.ts';

// The client that is used in production against the lab's cloud, over HTTP: neither knows the other's schemas.

const open: TestCloud[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.cloud.close();
});

async function world(options?: Parameters<typeof testCloud>[0]): Promise<TestCloud> {
  const made = await testCloud(options);
  open.push(made);
  return made;
}

const clientOf = ({ cloud }: TestCloud, token = READ_WRITE): HetznerClient =>
  createHetznerClient(
    { fetch, clock: systemClock, random: systemRandom },
    { token: new Redacted(token), endpoint: cloud.url, actionPoll: { baseMs: 20, capMs: 100 }, retry: { baseMs: 20 } },
  );

const SPEC = {
  name: 'prod-api',
  location: 'fsn1',
  description: 'made by fairlead',
  labels: { 'fairlead/cluster': 'prod' },
};

describe.each(['2025', 'until-2026-09', 'from-2026-10'] as const)('the API of era %s', (era) => {
  test('tells what a token may do, and nothing is written by asking', async () => {
    const made = await world({ era });
    expect(await clientOf(made).tokenClass()).toBe('read-write');
    expect(await clientOf(made, READ_ONLY).tokenClass()).toBe('read-only');
    expect(await clientOf(made, 'no-such-token').tokenClass()).toBe('unauthorized');
    expect(made.audit.since().filter((r) => r.write)).toEqual([]);
    expect(new Set(made.audit.since().map((r) => r.by))).toEqual(new Set(['fairlead']));
  });

  test('an address is made, protected, and moved from server to server, each seen as done when it is', async () => {
    const made = await world({ era });
    const one = made.cloud.addServer({ name: 'cp-1', labels: { role: 'control-plane' }, userData: '' });
    const two = made.cloud.addServer({ name: 'cp-2', labels: {}, userData: '' });
    const client = clientOf(made);

    const address = await client.createFloatingIP(SPEC);
    expect(address).toMatchObject({
      name: 'prod-api',
      type: 'ipv4',
      server: null,
      homeLocation: 'fsn1',
      networkZone: 'eu-central',
      protected: false,
      labels: SPEC.labels,
    });
    await client.setProtection(address.id, true);
    await client.assign(address.id, one.id);
    expect(made.effects.at(-1)).toBe('routed prod-api -> cp-1');
    await client.assign(address.id, two.id);
    expect(made.effects.at(-1)).toBe('routed prod-api -> cp-2');
    expect(await client.floatingIP(address.id)).toMatchObject({ server: two.id, protected: true, ip: address.ip });

    const servers = await client.servers();
    expect(servers.find((s) => s.id === two.id)).toMatchObject({
      floatingIPs: [address.id],
      publicIPv4: two.publicIPv4,
      location: 'fsn1',
      networkZone: 'eu-central',
    });
    expect(servers.find((s) => s.id === one.id)).toMatchObject({ labels: { role: 'control-plane' }, floatingIPs: [] });
    expect(await client.locations()).toContainEqual({ name: 'hel1', networkZone: 'eu-central' });
    expect(client.rateLimit?.limit).toBe(3600);

    const mark = `${made.audit.mark}`;
    await client.assign(address.id, two.id);
    await client.setProtection(address.id, true);
    expect(made.audit.since(mark).filter((r) => r.write)).toEqual([]);
  });
});

test('an address is given back: unprotected, unassigned, deleted; what is gone already is as good', async () => {
  const made = await world();
  const server = made.cloud.addServer({ name: 'cp-1', labels: {}, userData: '' });
  const client = clientOf(made);
  const { id } = await client.createFloatingIP(SPEC);
  await client.setProtection(id, true);
  await client.assign(id, server.id);
  await expect(client.deleteFloatingIP(id)).rejects.toMatchObject({ code: 'protected' });
  await client.setProtection(id, false);
  await expect(client.deleteFloatingIP(id)).rejects.toMatchObject({ code: 'must_be_unassigned' });
  await client.unassign(id);
  await client.unassign(id);
  await client.deleteFloatingIP(id);
  await client.deleteFloatingIP(id);
  expect(await client.floatingIP(id)).toBeUndefined();
});

test('lists longer than a page come whole', async () => {
  const made = await world();
  for (let i = 0; i < 120; i += 1) made.cloud.addServer({ name: `s-${i}`, labels: {}, userData: '' });
  const found = await clientOf(made).servers();
  expect(new Set(found.map((s) => s.name)).size).toBe(120);
});

test('two moves at once: the one that finds the address locked waits for its turn', async () => {
  const made = await world();
  const servers = ['cp-1', 'cp-2'].map((name) => made.cloud.addServer({ name, labels: {}, userData: '' }));
  const client = clientOf(made);
  const { id } = await client.createFloatingIP(SPEC);
  await Promise.all(servers.map((s) => client.assign(id, s.id)));
  expect(made.audit.since().some((r) => r.status === 423)).toBe(true);
  expect(made.effects.filter((e) => e.includes('-> cp-')).toSorted()).toEqual([
    'routed prod-api -> cp-1',
    'routed prod-api -> cp-2',
  ]);
});

test('an action whose effect fails is a HetznerError, and a read-only token is refused by name', async () => {
  const made = await world({ effects: { routed: () => Promise.reject(new Error('the network is on fire')) } });
  const server = made.cloud.addServer({ name: 'cp-1', labels: {}, userData: '' });
  const client = clientOf(made);
  const { id } = await client.createFloatingIP(SPEC);
  await expect(client.assign(id, server.id)).rejects.toBeInstanceOf(HetznerError);
  expect(await client.floatingIP(id)).toMatchObject({ server: null });

  await expect(clientOf(made, READ_ONLY).setProtection(id, true)).rejects.toMatchObject({
    name: 'HetznerError',
    code: 'forbidden',
    retryable: false,
    requestId: expect.any(String),
  });
  await expect(client.createFloatingIP(SPEC)).rejects.toMatchObject({ code: 'uniqueness_error' });
  await expect(client.assign(id + 999, server.id)).rejects.toMatchObject({ code: 'not_found' });
});

test('with the shared budget used up, the client waits until there is some again', async () => {
  const made = await world({ knobs: { rateLimit: { capacity: 3, refillPerSecond: 20 } } });
  const client = clientOf(made);
  for (let i = 0; i < 12; i += 1) await client.locations();
  expect(made.audit.since().some((r) => r.status === 429)).toBe(true);
});
