import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CloudKnobs, DEFAULT_KNOBS, type Delay } from '../../lab/cloud/knobs.ts';
import { READ_WRITE, testCloud, type TestCloud } from '../../lab/cloud/testing.ts';

const SOURCE = path.join(import.meta.dirname, '../real/hcloud-go');
/** `scripts/prepare` builds it; it is named by what it was built from. */
const PROGRAM = path.join(
  process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'),
  'fairlead/bin',
  `hcloud-go-v2.36.0-${createHash('sha256')
    .update(readFileSync(path.join(SOURCE, 'main.go')))
    .update(readFileSync(path.join(SOURCE, 'go.mod')))
    .digest('hex')
    .slice(0, 8)}`,
);
/** In CI a client that is not there is a failure. */
const missing = !existsSync(PROGRAM) && process.env['CI'] === undefined;
const SHORT: Delay = [200, 600];

interface Step {
  readonly name: string;
  readonly error?: string;
}

/** What Terraform's provider, the cloud controller and the CLI are made of. The work it does stands in its source. */
describe.skipIf(missing)("Hetzner's own Go library, 2.36.0 (skipped until scripts/prepare has built it)", () => {
  let c: TestCloud;
  let steps: readonly Step[];
  beforeAll(async () => {
    const delays = Object.fromEntries(Object.keys(DEFAULT_KNOBS.delays).map((name) => [name, SHORT]));
    c = await testCloud({ knobs: { delays: delays as unknown as CloudKnobs['delays'] } });
    const env = { HCLOUD_ENDPOINT: c.cloud.url, HCLOUD_TOKEN: READ_WRITE };
    const said = await new Promise<string>((resolve, reject) => {
      execFile(PROGRAM, [], { env, timeout: 60_000 }, (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(`${error.message}\n${stderr}`)),
      );
    });
    steps = JSON.parse(said) as Step[];
  }, 70_000);
  afterAll(() => c.cloud.close());

  test('does its whole work with every resource, by name, id and label, with its own poller and its typed errors', () => {
    expect(steps.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(steps.length).toBeGreaterThanOrEqual(21);
  });

  test('leaves the project as it found it', async () => {
    for (const many of ['servers', 'floating_ips', 'load_balancers', 'firewalls', 'certificates', 'zones', 'ssh_keys'])
      expect((await c.call('GET', `/${many}`)).body).toMatchObject({ [many]: [] });
    expect((await c.call('GET', '/networks')).body).toMatchObject({ networks: [{ name: 'test-network' }] });
    expect((await c.call('GET', '/images?type=snapshot&type=backup')).body).toMatchObject({
      images: [{ description: 'Talos' }],
    });
  });
});
