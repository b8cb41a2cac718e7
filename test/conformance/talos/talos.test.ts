import { afterAll, beforeAll, describe, test } from 'vitest';
import { findApiServer } from '../../../lab/kubernetes/api-server/find.ts';
import { findEtcd } from '../../../lab/kubernetes/etcd/find.ts';
import { startLab, type TestLab } from '../../e2e/harness.ts';
import { findKubectl, findTalosctl, openCluster, type TalosCluster } from './driver.ts';
import { reading as all } from './reading.ts';

const MINUTE_MS = 60_000;
const [etcd, apiServer] = await Promise.all([findEtcd(process.env), findApiServer(process.env)]);
const missing =
  etcd === undefined || apiServer === undefined ? ' (skipped: no real etcd or kube-apiserver is found)' : '';

const programs = { kubectl: await findKubectl(), talosctl: await findTalosctl() };
const reading = all.filter(({ program }) => program === undefined || programs[program] !== undefined);
for (const [name, file] of Object.entries(programs)) {
  if (file === undefined) test.skip(`${name} (skipped: it is neither on PATH nor in the cache)`, () => {});
}

const LABS = [
  { name: 'a lab of built-in parts', args: ['--parts', 'built-in'], skip: false },
  { name: `a lab of real parts${missing}`, args: ['--parts', 'real'], skip: missing !== '' },
];

describe.each(LABS)('$name', ({ args, skip }) => {
  describe.skipIf(skip)('as the user of its cluster sees it', () => {
    let lab: TestLab;
    let cluster: TalosCluster;
    beforeAll(async () => {
      lab = await startLab([...args, '--control-planes', '3', '--workers', '1']);
      cluster = await openCluster(
        lab.info.files.talosconfig,
        lab.info.nodes.map(({ publicIPv4 }) => publicIPv4),
      );
    }, 2 * MINUTE_MS);
    afterAll(async () => {
      await cluster.close();
      await lab[Symbol.asyncDispose]();
    });

    test.each(reading)('$name', (scenario) => scenario.run(cluster), MINUTE_MS);
  });
});

const { FAIRLEAD_REAL_TALOSCONFIG: talosconfig, FAIRLEAD_REAL_TALOS_NODES: nodes = '' } = process.env;

describe('a real Talos cluster', () => {
  if (talosconfig === undefined) {
    test.skip('(skipped: FAIRLEAD_REAL_TALOSCONFIG is not set)', () => {});
    return;
  }
  let cluster: TalosCluster;
  beforeAll(async () => {
    // Where the talosconfig names endpoints and no nodes: FAIRLEAD_REAL_TALOS_NODES, with commas between.
    cluster = await openCluster(talosconfig, nodes.split(',').filter(Boolean));
  }, MINUTE_MS);
  afterAll(() => cluster.close());

  test.each(reading)('$name', (scenario) => scenario.run(cluster), MINUTE_MS);
});
