import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtInApiServer } from '../../lab/kubernetes/api-server/built-in.ts';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { anyPlane } from '../../src/apply/any-plane.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Redacted } from '../../src/base/redacted.ts';
import { nodeFiles } from '../../src/consumers/files.ts';
import { openJournal, sealedOriginal } from '../../src/journal/journal.ts';
import { readRuns } from '../../src/journal/runs.ts';
import { openSealed, sealFor } from '../../src/journal/seal.ts';
import { secretStore } from '../../src/journal/secret-store.ts';
import { createKubernetesClient } from '../../src/systems/kubernetes/client.ts';
import type { KubernetesClient } from '../../src/systems/kubernetes/types.ts';
import { startCluster, type Cluster } from '../conformance/api-server-harness.ts';

const ports = { clock: systemClock, random: systemRandom };
let home: string;
let cluster: Cluster;
let clients: KubernetesClient[];
const clientAt = (server: string): KubernetesClient =>
  createKubernetesClient({
    name: 'lab',
    cluster: 'lab',
    user: 'admin',
    server,
    tlsServerName: undefined,
    ca: cluster.ca.cert,
    auth: { kind: 'certificate', cert: cluster.admin.cert, key: new Redacted(cluster.admin.key) },
  });

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'fairlead-cluster-journal-'));
  cluster = await startCluster({ etcd: builtInEtcd(ports), apiServer: builtInApiServer(ports) });
  clients = ['https://127.0.0.1:1', cluster.both.url, cluster.old.url].map(clientAt);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await cluster.close();
  await rm(home, { recursive: true, force: true });
});

test('a journal in the cluster grows through whichever control plane answers, and holds no original in clear', async () => {
  const store = secretStore(anyPlane(ports, clients));
  expect(await store.lines()).toBe('');
  const sealing = { files: nodeFiles, clock: systemClock, env: { HOME: home } };
  const config = { recipients: [], identity: undefined, stateDir: undefined };
  const seal = await sealFor(sealing, config);
  const first = { operation: 'apply', cluster: 'prod', ca: 'c'.repeat(64), changes: ['a'] } as const;
  const journal = await openJournal({ store, seal, clock: systemClock }, first);
  await journal.original({ what: 'machine-config', name: 'cp-1' }, new Redacted('token: canary-of-the-machine'));
  // Two that write at once: neither line is lost.
  await Promise.all(
    ['x', 'y'].map((change) => journal.append({ kind: 'result', change, ok: true, evidence: [change] })),
  );
  await journal.append({ kind: 'run-ended', outcome: 'done' });

  const secret = await clients[1]?.secret('kube-system', 'fairlead-journal');
  expect(secret?.labels['app.kubernetes.io/managed-by']).toBe('fairlead');
  const all = Object.values(secret?.data ?? {})
    .map((value) => value.reveal())
    .join('\n');
  expect(all).not.toContain('canary');
  expect(all.split('\n').filter((line) => line.includes('"kind":"result"'))).toHaveLength(2);

  // Another machine, another store: the same runs, and the original opens with the key.
  const elsewhere = secretStore(anyPlane(ports, clients));
  const [run] = readRuns(await elsewhere.lines());
  expect(run).toMatchObject({ run: journal.run, outcome: 'done', cluster: 'prod' });
  const sealed = await sealedOriginal(elsewhere, run?.originals[0]?.sha256 ?? '');
  expect((await openSealed(sealing, config, sealed ?? '')).reveal()).toBe('token: canary-of-the-machine');
  const evidence = await journal.evidence({ kind: 'Evidence' });
  expect(evidence).toContain('Secret kube-system/fairlead-journal');
});

test('what does not fit into a Secret is refused with the way out, and nothing of it is written', async () => {
  const store = secretStore(anyPlane(ports, clients));
  const before = await store.lines();
  await expect(store.append('x'.repeat(1_100_000))).rejects.toMatchObject({ code: 'journal-full', exit: 4 });
  expect(await store.lines()).toBe(before);
});
