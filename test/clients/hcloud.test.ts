import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CloudKnobs, DEFAULT_KNOBS, type Delay } from '../../lab/cloud/knobs.ts';
import { testCloud, type TestCloud } from '../../lab/cloud/testing.ts';
import type { Era } from '../../lab/cloud/types.ts';
import { HCLOUD, type Hcloud, hcloudAt, missing } from './hcloud.ts';

const ERAS: readonly Era[] = ['2025', 'until-2026-09', 'from-2026-10'];
const skipped = `(skipped without ${HCLOUD})`;

/** What is tried here is the client's work; how long things take is others' concern. */
const soon: Delay = [150, 600];
const SOON = Object.fromEntries(
  Object.keys(DEFAULT_KNOBS.delays).map((name) => [name, soon]),
) as unknown as CloudKnobs['delays'];

let home: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'fairlead-hcloud-'));
});
afterAll(() => rm(home, { recursive: true }));

const clouds: TestCloud[] = [];
afterAll(() => Promise.all(clouds.map(({ cloud }) => cloud.close())));

/** A cloud with cp-1 to cp-3, and the client that is led to it. Each test has its own: this client waits 500 ms for each action. */
async function project(
  options: Parameters<typeof testCloud>[0] = {},
): Promise<{ readonly c: TestCloud; readonly hcloud: Hcloud }> {
  const c = await testCloud({
    knobs: { delays: SOON, quotas: { ...DEFAULT_KNOBS.quotas, servers: 100, floatingIPs: 100 } },
    effects: { rebuilt: async () => {} },
    ...options,
  });
  clouds.push(c);
  for (let i = 1; i <= 3; i += 1) c.cloud.addServer({ name: `cp-${i}`, labels: { role: 'cp' }, userData: '' });
  return { c, hcloud: hcloudAt(c, home) };
}

describe.skipIf(missing)(`Debian's hcloud in all eras ${skipped}`, () => {
  test.concurrent.each(ERAS)(
    'lists, describes, makes, moves and takes away in %s',
    { timeout: 30_000 },
    async (era) => {
      const { hcloud } = await project({ era });
      expect(await hcloud.ok('server list')).toMatch(/cp-1 +running[^]*cp-3/);
      expect(await hcloud.ok('server describe cp-1')).toMatch(/Status:\s+running[^]*Private Net:[^]*test-network/);
      await hcloud.ok('floating-ip create --type ipv4 --home-location fsn1 --name api --label role=endpoint');
      await hcloud.ok('floating-ip assign api cp-1');
      await hcloud.ok('floating-ip assign api cp-2');
      expect(await hcloud.ok('floating-ip describe api')).toMatch(/Name:\s+cp-2/);
      await hcloud.ok('floating-ip unassign api');
      await hcloud.ok('floating-ip delete api');
      await hcloud.ok('load-balancer create --name lb --type lb11 --location fsn1');
      await hcloud.ok('load-balancer add-target lb --server cp-1');
      await hcloud.ok('load-balancer add-service lb --protocol tcp --listen-port 6443 --destination-port 6443');
      expect(await hcloud.ok('load-balancer describe lb')).toMatch(/Listen Port:\s+6443[^]*Name:\s+cp-1/);
      await hcloud.ok('load-balancer delete lb');
      for (const kind of [
        'network',
        'primary-ip',
        'firewall',
        'image',
        'server-type',
        'location',
        'certificate',
        'iso',
      ])
        await hcloud.ok(`${kind} list`);
      if (era === 'from-2026-10') expect(await hcloud.fails('datacenter list')).toContain('deprecated_api_endpoint');
      else expect(await hcloud.ok('datacenter list')).toContain('fsn1');
    },
  );
});

describe.skipIf(missing)(`Debian's hcloud at work with servers ${skipped}`, () => {
  test.concurrent('by number and by name, with selectors, sorted, and page by page', { timeout: 30_000 }, async () => {
    const { c, hcloud } = await project();
    const [first] = c.cloud.servers();
    expect(await hcloud.ok(`server describe ${first?.id}`)).toMatch(/Name:\s+cp-1/);
    expect(await hcloud.json('server describe cp-1')).toMatchObject({
      id: first?.id,
      name: 'cp-1',
      labels: { role: 'cp' },
    });
    expect(await hcloud.fails('server describe 99')).toContain('server not found: 99');
    expect(await hcloud.fails('server describe nobody')).toContain('server not found: nobody');
    await hcloud.ok('server add-label cp-2 tier=one');
    expect(await hcloud.ok('server list -l tier=one,role=cp -o noheader -o columns=name')).toBe('cp-2\n');
    expect(await hcloud.ok('server list -l !tier -o noheader -o columns=name')).toBe('cp-1\ncp-3\n');
    await hcloud.ok('server remove-label cp-2 tier');
    expect(await hcloud.ok('server list -l tier -o noheader')).toBe('');
    expect(await hcloud.ok('server list --sort name:desc -o noheader -o columns=name')).toBe('cp-3\ncp-2\ncp-1\n');
    for (let i = 0; i < 60; i += 1)
      c.cloud.addServer({ name: `more-${i}`, labels: { n: String(i % 2) }, userData: '' });
    const lines = (text: string): number => text.trim().split('\n').length;
    expect(lines(await hcloud.ok('server list -o noheader'))).toBe(63);
    expect(lines(await hcloud.ok('server list -l n=1 -o noheader'))).toBe(30);
    // This release reads one page of addresses and no more.
    for (let i = 0; i < 60; i += 1)
      await c.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: `ip-${i}` });
    expect(lines(await hcloud.ok('floating-ip list -o noheader'))).toBe(50);
    expect(await hcloud.ok('floating-ip describe ip-59')).toMatch(/Name:\s+ip-59/);
  });

  test.concurrent('protects, renames, and names addresses', { timeout: 30_000 }, async () => {
    const { c, hcloud } = await project();
    await hcloud.ok('server enable-protection cp-3 delete rebuild');
    expect(await hcloud.fails('server delete cp-3')).toContain('(protected)');
    expect(await hcloud.fails('server rebuild cp-3 --image debian-12')).toContain('(protected)');
    await hcloud.ok('server disable-protection cp-3 delete rebuild');
    await hcloud.ok('server update cp-3 --name cp-9');
    await hcloud.ok('server set-rdns cp-9 --hostname cp-9.example.com');
    expect(await hcloud.ok('server describe cp-9')).toMatch(/DNS:\s+cp-9\.example\.com/);
    expect((await hcloud.ok('server ip cp-9')).trim()).toBe(
      c.cloud.servers().find(({ name }) => name === 'cp-9')?.publicIPv4,
    );
    await hcloud.ok('server update cp-9 --name cp-3');
  });

  test.concurrent('switches, resets, rebuilds and resizes', { timeout: 30_000 }, async () => {
    const { c, hcloud } = await project();
    await hcloud.ok('server reboot cp-1');
    await hcloud.ok('server reset cp-1');
    await hcloud.ok('server shutdown cp-1');
    await hcloud.ok('server poweroff cp-1');
    await hcloud.ok('server change-type cp-1 cx43 --keep-disk');
    expect(await hcloud.ok('server describe cp-1')).toMatch(/Status:\s+off[^]*Server Type:\s+cx43/);
    await hcloud.ok('server poweron cp-1');
    await hcloud.ok('server rebuild cp-1 --image debian-13');
    expect(await hcloud.ok('server describe cp-1')).toMatch(/Name:\s+debian-13/);
    await hcloud.ok('server attach-iso cp-1 125127');
    expect(await hcloud.ok('server describe cp-1')).toMatch(/ISO:\s+ID:\s+125127/);
    await hcloud.ok('server detach-iso cp-1');
    await hcloud.ok('server metrics cp-1 --type cpu --start 2026-11-22T10:00:00Z --end 2026-11-22T10:10:00Z -o json');
    for (const did of ['reboot cp-1', 'reset cp-1', 'shutdown cp-1', 'powerOff cp-1', 'powerOn cp-1'])
      expect(c.effects).toContain(did);
  });

  test.concurrent('moves in networks with alias addresses', { timeout: 30_000 }, async () => {
    const { hcloud } = await project();
    await hcloud.ok('network create --name inner --ip-range 10.0.0.0/16');
    await hcloud.ok('network add-subnet inner --type cloud --network-zone eu-central --ip-range 10.0.1.0/24');
    await hcloud.ok('server attach-to-network cp-2 --network inner --ip 10.0.1.50 --alias-ips 10.0.1.51');
    expect(await hcloud.ok('server describe cp-2')).toMatch(/IP:\s+10\.0\.1\.50[^]*Alias IPs:\s+-\s+10\.0\.1\.51/);
    await hcloud.ok('server change-alias-ips cp-2 --network inner --alias-ips 10.0.1.60,10.0.1.61');
    expect(await hcloud.fails('server attach-to-network cp-1 --network inner --ip 10.0.1.60')).toContain(
      '(ip_not_available)',
    );
    await hcloud.ok('server change-alias-ips cp-2 --network inner --clear');
    expect(await hcloud.ok('server describe cp-2')).toMatch(
      /Name:\s+inner\s+IP:\s+10\.0\.1\.50\s+MAC Address:\s+\S+\s+Alias IPs:\s+-/,
    );
    await hcloud.ok('server detach-from-network cp-2 --network inner');
    await hcloud.ok('network enable-protection inner delete');
    expect(await hcloud.fails('network delete inner')).toContain('(protected)');
    await hcloud.ok('network disable-protection inner delete');
    await hcloud.ok('network delete inner');
  });

  test.concurrent('makes a server with everything around it', { timeout: 30_000 }, async ({ expect }) => {
    const { c, hcloud } = await project();
    await hcloud.ok('firewall create --name fw');
    await hcloud.ok('placement-group create --name pg --type spread');
    await hcloud.ok(
      'server create --name cp-4 --type cx23 --image debian-12 --location fsn1 --network test-network --firewall fw --placement-group pg --label role=new --start-after-create=false',
    );
    const shown = await hcloud.ok('server describe cp-4');
    expect(shown).toMatch(/Status:\s+off[^]*Placement Group:[^]*Name:\s+pg/);
    expect(await hcloud.ok('firewall describe fw')).toMatch(/cp-4/);
    await hcloud.ok('server poweron cp-4');
    await hcloud.ok('firewall remove-from-resource fw --type server --server cp-4');
    await hcloud.ok('firewall delete fw');
    await hcloud.ok('server delete cp-4');
    await expect.poll(() => c.cloud.servers().map(({ name }) => name)).not.toContain('cp-4');
    await hcloud.ok('placement-group delete pg');
  });
});

describe.skipIf(missing)(`Debian's hcloud at work with load balancers ${skipped}`, () => {
  test.concurrent('adds and removes targets of each kind', { timeout: 30_000 }, async () => {
    const { hcloud } = await project();
    await hcloud.ok('load-balancer create --name lb --type lb11 --location fsn1');
    await hcloud.ok('load-balancer add-target lb --server cp-1');
    expect(await hcloud.fails('load-balancer add-target lb --server cp-1')).toContain('(target_already_defined)');
    await hcloud.ok('load-balancer attach-to-network lb --network test-network');
    await hcloud.ok('load-balancer add-target lb --label-selector role=cp --use-private-ip');
    await hcloud.ok('load-balancer add-target lb --ip 203.0.113.11');
    expect(await hcloud.ok('load-balancer describe lb')).toMatch(
      /Type:\s+server[^]*Type:\s+label_selector[^]*203\.0\.113\.11/,
    );
    await hcloud.ok('load-balancer remove-target lb --ip 203.0.113.11');
    await hcloud.ok('load-balancer remove-target lb --label-selector role=cp');
    await hcloud.ok('load-balancer remove-target lb --server cp-1');
    expect(await hcloud.json('load-balancer describe lb')).toMatchObject({ targets: [] });
    await hcloud.ok('load-balancer detach-from-network lb --network test-network');
  });

  test.concurrent(
    'changes services, algorithm, type, interfaces and protection',
    { timeout: 30_000 },
    async ({ expect }) => {
      const { hcloud } = await project();
      await hcloud.ok('load-balancer create --name lb --type lb11 --location fsn1 --label a=b');
      await hcloud.ok('load-balancer attach-to-network lb --network test-network');
      await hcloud.ok('load-balancer add-service lb --protocol tcp --listen-port 6443 --destination-port 6443');
      await hcloud.ok(
        'load-balancer add-service lb --protocol http --listen-port 80 --destination-port 8080 --http-sticky-sessions',
      );
      expect(
        await hcloud.fails('load-balancer add-service lb --protocol tcp --listen-port 80 --destination-port 1'),
      ).toContain('(source_port_already_used)');
      await hcloud.ok(
        'load-balancer update-service lb --listen-port 6443 --health-check-interval 3s --health-check-timeout 2s --health-check-retries 2',
      );
      expect(await hcloud.ok('load-balancer describe lb')).toMatch(/Interval:\s+every 3s/);
      // This release does not wait here.
      await hcloud.ok('load-balancer delete-service lb --listen-port 80');
      await expect
        .poll(() => hcloud.json('load-balancer describe lb'))
        .toMatchObject({ services: [{ listen_port: 6443 }] });
      await hcloud.ok('load-balancer change-algorithm lb --algorithm-type least_connections');
      await hcloud.ok('load-balancer change-type lb lb21');
      await hcloud.ok('load-balancer disable-public-interface lb');
      await hcloud.ok('load-balancer enable-public-interface lb');
      await hcloud.ok('load-balancer update lb --name lb-2');
      await hcloud.ok('load-balancer remove-label lb-2 a');
      expect(await hcloud.json('load-balancer describe lb-2')).toMatchObject({
        labels: {},
        algorithm: { type: 'least_connections' },
        load_balancer_type: { name: 'lb21' },
        services: [{ listen_port: 6443, health_check: { interval: 3, retries: 2 } }],
      });
      await hcloud.ok(
        'load-balancer metrics lb-2 --type open_connections --start 2026-11-22T10:00:00Z --end 2026-11-22T10:10:00Z -o json',
      );
      await hcloud.ok('load-balancer enable-protection lb-2 delete');
      expect(await hcloud.fails('load-balancer delete lb-2')).toContain('(protected)');
      await hcloud.ok('load-balancer disable-protection lb-2 delete');
      await hcloud.ok('load-balancer delete lb-2');
    },
  );
});
