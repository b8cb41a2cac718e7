import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { seededRandom } from '../../../../src/base/random.ts';
import { fromPlain, toPlain } from '../../../world/snapshot/plain.ts';
import { Cluster } from './cluster.ts';
import type { MemberRun } from './membership.ts';
import { loadCluster, saveCluster, type SavedCluster } from './saved.ts';

const ports = { clock: systemClock, random: seededRandom(3) };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const run = (name: string): MemberRun => ({ name, clientURLs: [], upSince: systemClock.now(), removed: () => {} });

test('a cluster that was kept has the same members, revisions, history and leases, and elects a leader once a quorum is up', () => {
  const cluster = new Cluster(ports, 'token', [['https://a:2380'], ['https://b:2380'], ['https://c:2380']]);
  for (const [n, member] of [...cluster.members.values()].entries()) cluster.up(member, run(`cp-${n}`));
  const lease = cluster.leases.grant(7n, 60n, cluster.now);
  cluster.store.write((writer) => writer.put('a', bytes('1'), 0n));
  cluster.store.write((writer) => writer.put('a', bytes('2'), 0n));
  cluster.store.write((writer) => [writer.put('b', bytes('3'), 7n), writer.put('c', bytes('4'), 0n)]);
  cluster.leases.move('b', 0n, 7n);
  cluster.store.write((writer) => writer.delete({ start: 'c' }));
  cluster.store.compact(3n);

  const kept = fromPlain(JSON.parse(JSON.stringify(toPlain(saveCluster('token', cluster))))) as SavedCluster;
  const again = loadCluster(ports, kept);

  expect(again.id).toBe(cluster.id);
  expect([...again.members.values()].map((m) => m.name)).toEqual(['cp-0', 'cp-1', 'cp-2']);
  expect(again.store.revision).toBe(cluster.store.revision);
  expect(again.store.versions()).toEqual(cluster.store.versions());
  expect(again.store.since(4n)).toEqual(cluster.store.since(4n));
  expect(again.store.bytes).toBe(cluster.store.bytes);
  expect(() => again.store.range({ start: 'a' }, 2n)).toThrow('compacted');
  expect(again.leases.look(7n, again.now)).toMatchObject({ grantedSeconds: lease, keys: ['b'] });
  expect(again.decides).toBe(false);
  for (const member of [...again.members.values()].slice(0, 2)) again.up(member, run(member.name));
  expect(again.decides).toBe(true);
  expect(again.term).toBeGreaterThan(cluster.term);
});
