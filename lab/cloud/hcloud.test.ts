import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { READ_ONLY, READ_WRITE, testCloud, type TestCloud } from './testing.ts';

const HCLOUD = '/usr/bin/hcloud';

interface Run {
  readonly code: number;
  readonly out: string;
}

/** A client nobody here wrote: Debian's hcloud 1.30.3. It asks for an action every 500 ms, whatever the lab's speed. */
describe.skipIf(!existsSync(HCLOUD))(`Debian's hcloud (skipped without ${HCLOUD})`, () => {
  let c: TestCloud;
  let home: string;
  beforeAll(async () => {
    c = await testCloud();
    for (let i = 1; i <= 3; i += 1) c.cloud.addServer({ name: `cp-${i}`, labels: { role: 'cp' }, userData: '' });
    home = await mkdtemp(path.join(tmpdir(), 'fairlead-hcloud-'));
  });
  afterAll(async () => {
    await c.cloud.close();
    await rm(home, { recursive: true });
  });

  const hcloud = (line: string, token = READ_WRITE): Promise<Run> =>
    new Promise((resolve) => {
      const env = { HCLOUD_TOKEN: token, HCLOUD_ENDPOINT: c.cloud.url, HOME: home };
      execFile(HCLOUD, line.split(' '), { env, timeout: 15_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + stderr }),
      );
    });
  const ok = async (line: string): Promise<string> => {
    const { code, out } = await hcloud(line);
    expect({ line, code, out }).toMatchObject({ code: 0 });
    return out;
  };
  const floatingIP = (name: string) => c.cloud.floatingIPs().find((fip) => fip.name === name);
  const serverId = (name: string) => c.cloud.servers().find((s) => s.name === name)?.id;

  test('lives the life of a floating IP', async () => {
    await ok('floating-ip create --type ipv4 --home-location fsn1 --name api');
    await ok('floating-ip assign api cp-1');
    expect(floatingIP('api')?.server).toBe(serverId('cp-1'));
    expect(await ok('floating-ip list')).toMatch(/api .* fsn1 +cp-1 /);
    await ok('floating-ip assign api cp-2');
    expect(await ok('floating-ip describe api')).toMatch(/Server:\s+ID:\s+\d+\s+Name:\s+cp-2/);
    await ok('floating-ip enable-protection api delete');
    await ok('floating-ip add-label api fairlead.dev/cluster=demo');
    expect(await ok('floating-ip describe api')).toMatch(/Delete:\s+yes[^]*fairlead.dev\/cluster: demo/);
    expect((await hcloud('floating-ip delete api')).out).toContain('(protected)');
    await ok('floating-ip disable-protection api delete');
    expect((await hcloud('floating-ip delete api')).out).toContain('(must_be_unassigned)');
    await ok('floating-ip unassign api');
    await ok('floating-ip delete api');
    expect(c.cloud.floatingIPs()).toEqual([]);
  });

  test('lives the life of a server, with a floating IP that was made on it', async () => {
    expect(
      await ok('server create --name cp-4 --type cx23 --image debian-12 --location nbg1 --network test-network'),
    ).toContain('IPv4: ');
    await ok('floating-ip create --type ipv4 --server cp-4 --name on-cp-4');
    await expect.poll(() => floatingIP('on-cp-4')?.server).toBe(serverId('cp-4'));
    expect(await ok('server describe cp-4')).toMatch(
      /Floating IPs:\s+- ID:[^]*Private Net:\s+- ID:\s+\d+\s+Name:\s+test-network/,
    );
    await ok('server delete cp-4');
    await expect.poll(() => serverId('cp-4')).toBe(undefined);
    expect(floatingIP('on-cp-4')?.server).toBe(null);
    await ok('floating-ip delete on-cp-4');
  });

  test('switches servers off and on, lists by label, and changes alias addresses', async () => {
    await ok('server poweroff cp-3');
    expect(await ok('server list -l role=cp')).toMatch(/cp-3 +off/);
    expect(await ok('server list -l role!=cp')).not.toContain('cp-3');
    await ok('server poweron cp-3');
    await ok('server change-alias-ips cp-3 --network test-network --alias-ips 10.0.0.9');
    expect(await ok('server describe cp-3')).toMatch(/Status:\s+running[^]*Alias IPs:\s+-\s+10\.0\.0\.9/);
    expect(c.effects).toEqual(expect.arrayContaining(['powerOff cp-3', 'powerOn cp-3']));
  });

  test('looks up what it needs on the way, and hears what is gone', async () => {
    for (const kind of [
      'location',
      'server-type',
      'image',
      'network',
      'ssh-key',
      'primary-ip',
      'firewall',
      'load-balancer',
      'volume',
      'placement-group',
      'certificate',
      'iso',
    ])
      await ok(`${kind} list`);
    expect((await hcloud('datacenter list')).out).toContain('(deprecated_api_endpoint)');
    expect((await hcloud('server describe 99')).out).toContain('not found');
  });

  test('is told apart by its token', async () => {
    expect((await hcloud('server list', 'wrong')).out).toContain('(unauthorized)');
    expect((await hcloud('server list', READ_ONLY)).code).toBe(0);
    expect((await hcloud('server poweroff cp-1', READ_ONLY)).out).toContain('(forbidden)');
  });
});
