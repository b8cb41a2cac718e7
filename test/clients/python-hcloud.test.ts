import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { afterEach, describe, expect, test } from 'vitest';
import { DEFAULT_KNOBS } from '../../lab/cloud/knobs.ts';
import { READ_ONLY, READ_WRITE, testCloud, type TestCloud } from '../../lab/cloud/testing.ts';

const PYTHON = '/usr/bin/python3';
const LIBRARY = '/usr/lib/python3/dist-packages/hcloud';
const PROGRAM = path.join(import.meta.dirname, 'python_hcloud.py');
/** In CI a client that is not there is a failure. */
const missing = !existsSync(LIBRARY) && process.env['CI'] === undefined;

/** A client nobody here wrote: Debian's python3-hcloud 1.18.2. The scenarios stand in the program beside this file. */
describe.skipIf(missing)(`Debian's python3-hcloud (skipped without ${LIBRARY})`, () => {
  let c: TestCloud | undefined;
  afterEach(async () => {
    await c?.cloud.close();
  });

  const start = async (options: Parameters<typeof testCloud>[0] = {}): Promise<TestCloud> => {
    const quotas = { ...DEFAULT_KNOBS.quotas, floatingIPs: 100 };
    const made = await testCloud({ knobs: { quotas }, ...options });
    for (let i = 1; i <= 3; i += 1) made.cloud.addServer({ name: `cp-${i}`, labels: { role: 'cp' }, userData: '' });
    c = made;
    return made;
  };
  const run = (made: TestCloud, scenario: string): Promise<string> =>
    new Promise((resolve) => {
      const env = { CLOUD_URL: made.cloud.url, CLOUD_TOKEN: READ_WRITE, CLOUD_READ_TOKEN: READ_ONLY };
      execFile(PYTHON, [PROGRAM, scenario], { env, timeout: 18_000 }, (error, stdout, stderr) =>
        resolve(error === null ? 'done' : `${stdout}${stderr}${error.signal ?? ''}`),
      );
    });

  test('lives the life of a floating IP', async () => {
    const made = await start();
    expect(await run(made, 'floating_ip')).toBe('done');
    expect(made.effects).toEqual([
      'routed api -> nowhere',
      'routed api -> cp-1',
      'routed api -> cp-2',
      'routed api-2 -> nowhere',
      'routed api-2 -> nowhere',
      'routed on-cp-3 -> nowhere',
      'routed on-cp-3 -> cp-3',
    ]);
  });

  test('lives the life of a server', async () => {
    const made = await start();
    expect(await run(made, 'server')).toBe('done');
    const did = ['serverCreated', 'powerOff', 'powerOn', 'reboot', 'reset', 'shutdown'].map((what) => `${what} cp-4`);
    expect(made.effects).toEqual([...did, 'serverDeleted cp-9']);
  });

  test('changes alias addresses and the network of servers', async () => {
    expect(await run(await start(), 'alias_ips')).toBe('done');
  });

  test('lists by page, by name, by status and by label', async () => {
    expect(await run(await start(), 'lists')).toBe('done');
  });

  test('is told of an action that fails', async () => {
    const made = await start({
      effects: {
        routed: async (_fip, server) => {
          if (server !== undefined) throw new Error('the router does not answer');
        },
      },
    });
    expect(await run(made, 'failing_action')).toBe('done');
  });

  test('is told apart by its token', async () => {
    expect(await run(await start(), 'tokens')).toBe('done');
  });

  test('lives the life of a load balancer, with targets and services', async () => {
    expect(await run(await start(), 'load_balancer')).toBe('done');
  });

  test('lives the life of a network, with subnets, routes and members', async () => {
    expect(await run(await start(), 'network')).toBe('done');
  });

  test('leaves a record of each request in the audit log, with its own name and without its token', async () => {
    const made = await start();
    expect(await run(made, 'tokens')).toBe('done');
    const log = made.audit.since();
    expect(log.length).toBeGreaterThan(3);
    expect(new Set(log.map(({ by }) => by.split('/')[0]))).toEqual(new Set(['hcloud-python']));
    expect(JSON.stringify(log)).not.toMatch(new RegExp(`${READ_WRITE}|${READ_ONLY}`));
  });
});
