import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { READ_WRITE, testCloud, type TestCloud } from './testing.ts';

const HCLOUD = '/usr/bin/hcloud';

/** Debian's hcloud 1.30.3 at all that is not servers and floating IPs. */
describe.skipIf(!existsSync(HCLOUD))(`Debian's hcloud, beyond servers (skipped without ${HCLOUD})`, () => {
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

  const ok = async (line: string): Promise<string> => {
    // Without an endpoint this client would ask the real API.
    expect(c.cloud.url).toMatch(/^http:\/\/127\./);
    const env = { HCLOUD_TOKEN: READ_WRITE, HCLOUD_ENDPOINT: c.cloud.url, HOME: home };
    const { code, out } = await new Promise<{ code: number; out: string }>((resolve) => {
      execFile(HCLOUD, line.split(' '), { env, timeout: 15_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + stderr }),
      );
    });
    expect({ line, code, out }).toMatchObject({ code: 0 });
    return out;
  };

  test('makes a load balancer with targets and services, and deletes it', { timeout: 30_000 }, async () => {
    await ok('load-balancer create --name lb --type lb11 --location fsn1 --algorithm-type least_connections');
    await ok('load-balancer add-target lb --server cp-1');
    await ok('load-balancer add-target lb --label-selector role=cp');
    await ok('load-balancer add-service lb --protocol tcp --listen-port 6443 --destination-port 6443');
    await ok(
      'load-balancer update-service lb --listen-port 6443 --health-check-protocol http --health-check-interval 3s --health-check-timeout 2s --health-check-retries 2 --health-check-http-path /readyz --health-check-http-tls --health-check-http-status-codes 200,401',
    );
    await ok('load-balancer attach-to-network lb --network test-network');
    const described = await ok('load-balancer describe lb');
    expect(described).toMatch(/Algorithm:\s+least_connections[^]*Listen Port:\s+6443[^]*Interval:\s+every 3s/);
    expect(described).toMatch(/HTTP Path:\s+\/readyz[^]*Status Codes:\s+\[200 401\]/);
    expect(described).toMatch(/Private Net:\s+- ID:[^]*Name:\s+test-network[^]*Name:\s+cp-1[^]*Status:\s+unknown/);
    expect(described).toContain('Targets: (3)');
    expect(await ok('load-balancer list')).toMatch(/lb +127\.\S+ +2001:db8:\S+ +lb11 +fsn1 +eu-central/);
    await ok('load-balancer delete lb');
    await expect.poll(() => ok('load-balancer list')).not.toMatch(/ lb /);
  });

  test('makes a network with a subnet and a route, and deletes it', { timeout: 30_000 }, async () => {
    await ok('network create --name net --ip-range 10.0.0.0/16');
    await ok('network add-subnet net --type cloud --network-zone eu-central --ip-range 10.0.1.0/24');
    await ok('network add-route net --destination 10.100.0.0/24 --gateway 10.0.1.2');
    await ok('server attach-to-network cp-2 --network net --ip 10.0.1.9');
    expect(await ok('network describe net')).toMatch(/IP Range:\s+10\.0\.1\.0\/24[^]*Destination:\s+10\.100\.0\.0\/24/);
    expect(await ok('server describe cp-2')).toMatch(/Name:\s+net\s+IP:\s+10\.0\.1\.9/);
    await ok('network delete net');
  });

  test('makes firewalls, placement groups, SSH keys and Primary IPs', { timeout: 30_000 }, async () => {
    const rules = path.join(home, 'rules.json');
    await writeFile(
      rules,
      JSON.stringify([{ direction: 'in', protocol: 'tcp', port: '6443', source_ips: ['0.0.0.0/0', '::/0'] }]),
    );
    await ok(`firewall create --name fw --rules-file ${rules}`);
    await ok('firewall apply-to-resource fw --type server --server cp-3');
    expect(await ok('firewall describe fw')).toMatch(/Direction:\s+in[^]*Port:\s+6443[^]*Server Name:\s+cp-3/i);
    expect(await ok('firewall list')).toMatch(/fw +1 Rule +1 Server/);
    await ok('placement-group create --name pg --type spread');
    expect(await ok('placement-group list')).toMatch(/pg +0 servers +spread/);
    const key = path.join(home, 'key.pub');
    await writeFile(key, 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2VrZXlmYWtla2V5ZmFrZWtleWZha2VrZXlmYWtl demo\n');
    await ok(`ssh-key create --name key --public-key-from-file ${key}`);
    expect(await ok('ssh-key list')).toMatch(/key +([0-9a-f]{2}:){15}[0-9a-f]{2}/);
    expect(await ok('primary-ip list')).toMatch(/ipv4 .* Server cp-1 .*\n.*ipv6 .* Server cp-1 /);
    expect(await ok('certificate list')).toContain('NAME');
    expect(await ok('load-balancer-type list')).toMatch(/lb11[^]*lb21[^]*lb31/);
    await ok('iso list');
  });

  test('makes an IPv6 floating IP', async () => {
    await ok('floating-ip create --type ipv6 --home-location fsn1 --name six');
    await ok('floating-ip assign six cp-1');
    expect(await ok('floating-ip describe six')).toMatch(/Type:\s+ipv6[^]*IP:\s+2001:db8:\S+::\/64[^]*Name:\s+cp-1/);
  });
});
