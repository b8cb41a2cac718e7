import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultReport } from '../../lab/faults/types.ts';
import { createEtcdClient } from '../../lab/kubernetes/etcd/client.ts';
import type { EtcdClient } from '../../lab/kubernetes/etcd/types.ts';
import type { LabNodeInfo } from '../../lab/world/info.ts';
import type { IncidentReport } from '../../lab/world/incidents/types.ts';
import { ask } from '../../lab/world/incidents/probe.ts';
import { kubernetesAdmin } from '../../lab/world/incidents/user-files.ts';
import { allReal, fairlead, fairleadJson, startLab, type TestLab } from './harness.ts';

// Every fault of nodes is tried on built-in parts beside the units; here some of each kind, on real ones.
describe.skipIf(!allReal)(
  `faults of nodes on real parts${allReal ? '' : ' (etcd or kube-apiserver is not there)'}`,
  () => {
    let lab: TestLab;
    let one: LabNodeInfo;
    let two: LabNodeInfo;
    beforeAll(async () => {
      lab = await startLab(['--parts', 'real', '--workers', '0']);
      [one, two] = lab.info.nodes as [LabNodeInfo, LabNodeInfo];
    }, 180_000);
    afterAll(() => lab?.[Symbol.asyncDispose]());

    const set = async (...args: string[]): Promise<FaultReport> => {
      const { fault } = await fairleadJson<{ fault: FaultReport }>([
        'lab',
        'fault',
        'set',
        ...args,
        '--state',
        lab.state,
      ]);
      return fault;
    };
    const clear = async (): Promise<void> => {
      expect((await fairlead(['lab', 'fault', 'clear', '--all', '--state', lab.state])).code).toBe(0);
    };
    const seen = async (path: string, timeoutMs = 4_000): Promise<string> => {
      const admin = await kubernetesAdmin(lab.state);
      return (await ask({ url: `https://${two.publicIPv4}:6443${path}`, ...admin, timeoutMs })).seen;
    };
    const sound = () => expect.poll(() => seen('/readyz'), { timeout: 60_000, interval: 250 }).toBe('http 200');
    const stateOf = async (pid: number): Promise<string> =>
      /\) (\S)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
    async function etcd<T>(node: LabNodeInfo, work: (client: EtcdClient) => Promise<T>): Promise<T> {
      if (node.etcd === undefined) throw new Error(`${node.name} has no etcd`);
      const [ca = '', cert = '', key = ''] = await Promise.all(
        [node.etcd.ca, node.etcd.cert, node.etcd.key].map((file) => readFile(file, 'utf8')),
      );
      const client = createEtcdClient({ endpoint: node.etcd.endpoint, tls: { ca, cert, key }, timeoutMs: 3_000 });
      try {
        return await work(client);
      } finally {
        client.close();
      }
    }

    test('a hung API server is a stopped process that its kernel still answers for', async () => {
      await set('apiserver-hung', '--node', two.name);
      const pid = (await lab.fresh()).nodes[1]?.kubeApiserver?.pid ?? 0;
      expect(await stateOf(pid)).toBe('T');
      expect(await seen('/livez', 1_000)).toBe('silent');
      await clear();
      expect(await stateOf(pid)).not.toBe('T');
      await sound();
    }, 120_000);

    test('an expired certificate is taken up while it runs, and a good one again', async () => {
      await set('certificate-expired', '--node', two.name);
      await expect.poll(() => seen('/readyz'), { timeout: 20_000, interval: 250 }).toBe('expired');
      await clear();
      await sound();
    }, 120_000);

    test('it may be alive and not ready', async () => {
      await set('apiserver-not-ready', '--node', two.name);
      // Its other checks take a moment after a start.
      await expect.poll(() => seen('/livez'), { timeout: 30_000, interval: 250 }).toBe('http 200');
      expect(await seen('/readyz')).toBe('http 500');
      await clear();
      await sound();
    }, 120_000);

    test('an alarm of etcd refuses writes', async () => {
      await set('etcd-alarm', '--node', two.name);
      await expect(etcd(one, (client) => client.put('a', 'b'))).rejects.toThrow('database space exceeded');
      await clear();
      await etcd(one, (client) => client.put('a', 'b'));
      await sound();
    }, 120_000);

    test('a hung member is a stopped process; the others go on', async () => {
      await set('etcd-hung', '--node', two.name);
      expect(await stateOf((await lab.fresh()).nodes[1]?.etcd?.pid ?? 0)).toBe('T');
      await expect
        .poll(
          () =>
            etcd(one, (client) => client.put('a', 'c')).then(
              () => 'written',
              () => 'not',
            ),
          { timeout: 20_000 },
        )
        .toBe('written');
      await clear();
      await sound();
    }, 120_000);

    test('a removed member ends; its node joins anew when the fault is cleared', async () => {
      const before = await etcd(one, (client) => client.members());
      await set('etcd-member-removed', '--node', two.name);
      expect(await etcd(one, (client) => client.members())).toHaveLength(2);
      await clear();
      // etcd takes no new member before all voters have been connected for a while.
      await expect.poll(() => etcd(one, (client) => client.members()), { timeout: 60_000 }).toHaveLength(3);
      const after = await etcd(one, (client) => client.members());
      const idOf = (members: typeof before) => members.find(({ name }) => name === two.name)?.id;
      expect(idOf(after)).not.toBe(idOf(before));
      await sound();
    }, 180_000);
  },
);

test('an incident is run by name, shown by name, and refused where the world does not fit', async () => {
  const { incidents } = await fairleadJson<{ incidents: { name: string }[] }>(['lab', 'incident', 'list']);
  expect(incidents.length).toBeGreaterThanOrEqual(24);
  const unknown = await fairlead(['lab', 'incident', 'show', 'nothing-like-it']);
  expect(unknown.code).toBe(2);
  await using lab = await startLab(['--parts', 'built-in', '--workers', '0']);
  const refused = await fairlead(['lab', 'incident', 'run', 'talosconfig-names-a-worker', '--state', lab.state]);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('1 workers');
  const report = await fairleadJson<IncidentReport>([
    'lab',
    'incident',
    'run',
    'endpoint-url-without-port',
    '--state',
    lab.state,
  ]);
  expect(report.facts.every(({ holds }) => holds)).toBe(true);
}, 120_000);
