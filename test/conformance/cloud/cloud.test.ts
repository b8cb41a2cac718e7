import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unshared } from '../../../lab/fabric/netns/unshared.ts';
import { fairlead, startLab, type TestLab } from '../../e2e/harness.ts';
import { type Driver, runScenario } from './driver.ts';
import { dataPlane } from './data-plane.ts';
import { reading } from './reading.ts';
import { resources } from './resources.ts';
import { writing } from './writing.ts';

const LAB = ['--parts', 'built-in', '--control-planes', '1', '--workers', '0'];
const PROGRAM = path.join(import.meta.dirname, 'scenario.test-program.ts');
const MINUTE_MS = 60_000;
const changing = [...writing, ...resources, ...dataPlane];
const all = [...reading, ...changing];

const driverOf = ({ info: { hetzner, dns, fabric } }: TestLab): Driver => ({
  baseUrl: hetzner.endpoint,
  token: hetzner.token,
  readOnlyToken: hetzner.readOnlyToken,
  dns,
  servingLabel: 'role=control-plane',
  lowPorts: fabric === 'netns',
  pollMs: 50,
});

describe('the cloud of a lab on the loopback fabric', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await startLab(LAB);
  }, MINUTE_MS);
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each(all)('$name', (scenario) => runScenario(scenario, driverOf(lab)), MINUTE_MS);
});

const how = unshared(process.env);
const noNamespaces = typeof how === 'string' ? ` (skipped: ${how})` : '';

describe.skipIf(typeof how === 'string')(`the cloud of a lab of network namespaces${noNamespaces}`, () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await startLab(['--fabric', 'netns', ...LAB]);
  }, MINUTE_MS);
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each(all)(
    '$name',
    async ({ name }) => {
      const inside = ['lab', 'exec', '--state', lab.state, '--from', 'client', '--', process.execPath, PROGRAM, name];
      const ran = await fairlead(inside, { env: { CONFORMANCE_DRIVER: JSON.stringify(driverOf(lab)) } });
      expect([ran.code, ran.stderr]).toEqual([0, '']);
    },
    MINUTE_MS,
  );
});

const {
  FAIRLEAD_REAL_HCLOUD_TOKEN: token,
  FAIRLEAD_REAL_HCLOUD_READ_ONLY_TOKEN: readOnlyToken,
  FAIRLEAD_REAL_HCLOUD_WRITE: mayWrite,
  // Another address of the same API; the tests themselves are tried with a lab's.
  FAIRLEAD_REAL_HCLOUD_URL: baseUrl = 'https://api.hetzner.cloud/v1',
} = process.env;

describe('the real Hetzner Cloud', () => {
  if (token === undefined) {
    test.skip('(skipped: FAIRLEAD_REAL_HCLOUD_TOKEN is not set)', () => {});
    return;
  }
  const driver: Driver = { baseUrl, token, readOnlyToken, lowPorts: true, pollMs: 1_000 };

  test.each(reading)('$name', (scenario) => runScenario(scenario, driver), MINUTE_MS);

  if (mayWrite === '1') test.each(changing)('$name', (scenario) => runScenario(scenario, driver), 10 * MINUTE_MS);
  else test.skip('changed (skipped: FAIRLEAD_REAL_HCLOUD_WRITE is not 1, and this costs money)', () => {});
});
