import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { createEtcdClient } from '../../kubernetes/etcd/client.ts';
import { findEtcd } from '../../kubernetes/etcd/find.ts';
import { realEtcd } from '../../kubernetes/etcd/real.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import type { RunningPart } from '../../kubernetes/types.ts';
import { createAuthority, issue } from '../../pki/pki.ts';
import { createHcloudHandler } from './hcloud.ts';
import { startVipOperator, type VipOperator } from './operator.ts';

const found = await findEtcd(process.env);
const VIP = '203.0.113.7';
const LISTEN = '127.201.3.1';

describe.skipIf(found === undefined)('shared IP operators on one etcd (skipped where no etcd is found)', () => {
  let dir = '';
  let member: RunningPart | undefined;
  let client: () => EtcdClient;
  const operators: { name: string; operator: VipOperator }[] = [];
  const holders = new Set<string>();
  const log: string[] = [];
  let most = 0;

  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'fairlead-vip-'));
    const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
    const ca = await createAuthority('ecdsa', { organization: 'etcd', ...validity });
    const pair = await issue(ca, {
      commonName: 'etcd',
      ipAddresses: [LISTEN],
      usages: ['serverAuth', 'clientAuth'],
      ...validity,
    });
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(path.join(dir, name), text);
      return path.join(dir, name);
    };
    const tls = {
      ca: await file('ca.crt', ca.cert),
      cert: await file('tls.crt', pair.cert),
      key: await file('tls.key', pair.key),
    };
    member = await realEtcd(found?.path ?? '', found?.version ?? '').start({
      name: 'cp-1',
      dataDir: path.join(dir, 'data'),
      listen: LISTEN,
      advertise: LISTEN,
      initialCluster: [{ name: 'cp-1', peerURL: `https://${LISTEN}:2380` }],
      initialClusterState: 'new',
      initialClusterToken: 'test',
      server: tls,
      peer: tls,
      log: path.join(dir, 'etcd.log'),
      restart: false,
    });
    client = () =>
      createEtcdClient({ endpoint: `https://${LISTEN}:2379`, tls: { ca: ca.cert, cert: pair.cert, key: pair.key } });
    const probe = client();
    await waitFor(systemClock, { everyMs: 50, timeoutMs: 20_000 }, () =>
      probe.put('up', '').then(
        () => true,
        () => undefined,
      ),
    );
    probe.close();
  });
  afterEach(async () => {
    await Promise.all(operators.map(({ operator }) => operator.stop('cancelled')));
    operators.length = 0;
    holders.clear();
    log.length = 0;
    most = 0;
  });
  afterAll(async () => {
    await member?.kill();
    await rm(dir, { recursive: true, force: true });
  });

  const start = (name: string, cloud?: { url: string; id: number }, revokesLeases = true): VipOperator => {
    const operator = startVipOperator(
      { link: 'enp1s0', ip: VIP, kind: cloud === undefined ? 'layer2' : 'hcloud', form: 'document' },
      {
        clock: systemClock,
        hostname: name,
        sessionTtlSeconds: 2,
        retryMs: 50,
        etcd: client,
        handler:
          cloud === undefined
            ? undefined
            : createHcloudHandler({
                cloudUrl: cloud.url,
                token: 'token-of-the-test',
                serverId: cloud.id,
                ip: VIP,
                userAgent: `Talos/v1.13.9 node/${name}`,
                clock: systemClock,
                random: systemRandom,
                retryBaseMs: 20,
                log: (line) => log.push(`${name}: ${line}`),
              }),
        ready: async () => {},
        revokesLeases,
        claim: async () => {
          holders.add(name);
          most = Math.max(most, holders.size);
        },
        unclaim: async () => {
          holders.delete(name);
        },
        log: (line) => log.push(`${name}: ${line}`),
      },
    );
    operators.push({ name, operator });
    return operator;
  };
  const settles = async (wanted: string, timeoutMs: number): Promise<number> => {
    const began = systemClock.now();
    const reached = await waitFor(systemClock, { everyMs: 5, timeoutMs }, async () =>
      holders.size === 1 && holders.has(wanted) ? true : undefined,
    );
    expect(reached, `${wanted} holds; holders: ${[...holders].join()}; log: ${log.join('; ')}`).toBe(true);
    return systemClock.now() - began;
  };

  it('give the address to exactly one, in the order of the queue', async () => {
    const first = start('cp-1');
    await settles('cp-1', 5_000);
    start('cp-2');
    await systemClock.sleep(150);
    start('cp-3');
    await systemClock.sleep(150);
    await first.stop('graceful');
    await settles('cp-2', 1_000);
    expect(most).toBe(1);
    expect(log).toContain('cp-1: enabled shared IP {"link": "enp1s0", "ip": "203.0.113.7"}');
    expect(log).toContain('cp-1: removing shared IP {"link": "enp1s0", "ip": "203.0.113.7"}');
  });

  it('take over from a dead machine when its lease has run out, not before', async () => {
    const first = start('cp-1');
    await settles('cp-1', 5_000);
    start('cp-2');
    await systemClock.sleep(200);
    first.kill();
    holders.delete('cp-1');
    const took = await settles('cp-2', 6_000);
    expect(took).toBeGreaterThan(600);
  });

  it('stand again at the end of the queue after letting go', async () => {
    const first = start('cp-1');
    await settles('cp-1', 5_000);
    const second = start('cp-2');
    await systemClock.sleep(200);
    first.letGo();
    await settles('cp-2', 1_000);
    await systemClock.sleep(300);
    second.letGo();
    await settles('cp-1', 1_000);
    expect(most).toBe(1);
  });

  it('resign the key that an earlier run of the same machine left behind', async () => {
    const first = start('cp-1');
    await settles('cp-1', 5_000);
    first.kill();
    holders.delete('cp-1');
    start('cp-1');
    expect(await settles('cp-1', 1_500)).toBeLessThan(1_500);
    expect(log.join('\n')).toContain('cp-1: resigning from previous election');
  });

  it('leave a dead key in the queue before releases that revoke leases, which holds the next one up', async () => {
    const first = start('cp-1');
    await settles('cp-1', 5_000);
    const second = start('cp-2', undefined, false);
    await systemClock.sleep(200);
    start('cp-3');
    await systemClock.sleep(100);
    await second.stop('cancelled');
    await first.stop('graceful');
    await systemClock.sleep(300);
    expect([...holders]).toEqual([]);
    await settles('cp-3', 5_000);
  });

  describe('against a cloud', () => {
    let server: Server;
    let url = '';
    const requests: string[] = [];
    let refuse = 0;
    let assigned = 0;
    beforeAll(async () => {
      server = createServer((request, response) => {
        requests.push(`${request.method} ${request.url} ${request.headers['user-agent']}`);
        response.setHeader('content-type', 'application/json');
        if (refuse > 0 && request.method === 'POST') {
          refuse -= 1;
          response.statusCode = 423;
          response.end(JSON.stringify({ error: { code: 'locked', message: 'resource is locked' } }));
          return;
        }
        if (request.method === 'POST') {
          let body = '';
          request.on('data', (chunk) => (body += String(chunk)));
          request.on('end', () => {
            assigned = (JSON.parse(body) as { server: number }).server;
            response.end(JSON.stringify({ action: { id: 1, status: 'running' } }));
          });
          return;
        }
        const page = new URL(request.url ?? '', 'http://x').searchParams.get('page');
        const ips =
          page === '1' ? [{ id: 1, ip: '203.0.113.6', server: null }] : [{ id: 2, ip: VIP, server: assigned }];
        response.end(
          JSON.stringify({
            floating_ips: ips,
            floating_ip: { id: 2, ip: VIP, server: assigned },
            meta: { pagination: { next_page: page === '1' ? 2 : null } },
          }),
        );
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/v1`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    it('read all pages, assign to themselves, and only look when they let go', async () => {
      requests.length = 0;
      const first = start('cp-1', { url, id: 101 });
      await settles('cp-1', 5_000);
      await first.stop('graceful');
      expect(requests.map((line) => line.replace(/ Talos.*/, ''))).toEqual([
        'GET /v1/floating_ips?page=1&per_page=50',
        'GET /v1/floating_ips?page=2&per_page=50',
        'POST /v1/floating_ips/2/actions/assign',
        'GET /v1/floating_ips/2',
      ]);
      expect(requests.every((line) => line.endsWith('Talos/v1.13.9 node/cp-1'))).toBe(true);
      expect(assigned).toBe(101);
    });

    it('pass the election on when the cloud is locked, and try again', async () => {
      refuse = 1;
      start('cp-1', { url, id: 101 });
      await settles('cp-1', 5_000);
      expect(log.join('\n')).toContain('campaign failure');
      expect(log.join('\n')).toContain('resource is locked (locked)');
    });

    it('ask the cloud nothing when the operator is cancelled', async () => {
      const first = start('cp-1', { url, id: 101 });
      await settles('cp-1', 5_000);
      requests.length = 0;
      await first.stop('cancelled');
      expect(requests).toEqual([]);
      expect(holders.size).toBe(0);
    });
  });
});
