// Run in namespaces of its own: the fabric alone, with so many machines, up and down again.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemRandom } from '../../src/base/random.ts';
import { startNetns } from '../../lab/fabric/netns/netns.ts';
import { serve } from './child.ts';

/** Milliseconds. */
export interface NetnsTimes {
  readonly up: number;
  readonly down: number;
}

const parent = await mkdtemp(path.join(tmpdir(), 'fairlead-bench-'));
const began = performance.now();
const net = await startNetns({ random: systemRandom, dir: path.join(parent, 'net') });
await Promise.all(
  Array.from({ length: Number(process.argv[2]) }, async (_, n) => {
    const host = net.addHost(`node-${n}`);
    for (const address of [net.allocate('public'), net.allocate('private')]) {
      await host.claim(address);
      await net.route(address, host);
    }
    for (const port of [6443, 50_000, 2379, 2380]) await host.open(port);
  }),
);
const up = performance.now() - began;
const closing = performance.now();
await net.close();
await rm(parent, { recursive: true });
serve({ up, down: performance.now() - closing } satisfies NetnsTimes, {}, async () => {});
