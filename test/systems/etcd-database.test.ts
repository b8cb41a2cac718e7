import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { findEtcd } from '../../lab/kubernetes/etcd/find.ts';
import { realEtcd } from '../../lab/kubernetes/etcd/real.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { readEntries } from '../../src/systems/etcd/database.ts';
import { Harness, type Node } from '../conformance/etcd-harness.ts';

const found = await findEtcd(process.env);
const parts = [
  { name: 'the built-in etcd', part: builtInEtcd({ clock: systemClock, random: systemRandom }) },
  {
    name: found === undefined ? 'a real etcd (skipped: run scripts/prepare)' : `etcd ${found.version}`,
    part: found === undefined ? undefined : realEtcd(found.path, found.version),
  },
];

describe.each(parts)('a snapshot of $name', ({ part }) => {
  const only = test.skipIf(part === undefined);
  let harness: Harness;
  let node: Node;
  beforeAll(async () => {
    if (part === undefined) return;
    harness = await Harness.create(part);
    node = harness.node();
    await harness.start(node, [node], 'new');
    await harness.leader(node);
  });
  afterAll(() => harness?.close());

  only(
    'is read as it stands: what was overwritten or deleted is not in it, and the order is that of creation',
    async () => {
      const { client } = node;
      // Enough for branch pages, and a value that needs pages of its own.
      for (let n = 0; n < 400; n += 1) await client.put(`/registry/filler/${n}`, 'x'.repeat(300));
      await client.put('/registry/large', 'y'.repeat(30_000));
      await client.put('queue/b', 'second-made-first');
      await client.put('queue/a', 'old');
      await client.put('queue/gone', 'z');
      await client.put('queue/a', 'new');
      await client.delete('queue/gone');
      await client.put('queue/back', '1');
      await client.delete('queue/back');
      await client.put('queue/back', '2');
      const chunks: Uint8Array[] = [];
      for await (const chunk of client.snapshot()) chunks.push(chunk);
      const database = Buffer.concat(chunks);
      const entries = readEntries(database, ['queue/', 'talos:']);
      expect(entries.map(({ key, value }) => `${key}=${value}`)).toEqual([
        'queue/b=second-made-first',
        'queue/a=new',
        'queue/back=2',
      ]);
      expect(readEntries(database, ['/registry/filler/'])).toHaveLength(400);
      expect(readEntries(database, ['/registry/large'])[0]?.value).toHaveLength(30_000);
    },
  );
});

test('what is no database is told as such, also when it is cut off', () => {
  expect(() => readEntries(new Uint8Array(8192), [''])).toThrow('no bbolt database');
  expect(() => readEntries(new Uint8Array(0), [''])).toThrow('no bbolt database');
});
