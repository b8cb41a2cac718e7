import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemRandom } from '../../../src/base/random.ts';
import { type Scenario, scenarios } from '../scenarios.ts';
import { ipv6Scenarios } from './ipv6-scenarios.ts';
import { startNetns } from './netns.ts';
import { latencyScenarios } from './latency-scenarios.ts';
import { netnsScenarios } from './scenarios.ts';

/** Run by the fabric's test in namespaces of its own: one scenario, by its name. Exit 0 when it held. */
const [name = ''] = process.argv.slice(2);
const all: readonly Pick<Scenario, 'name'>[] = [...scenarios, ...netnsScenarios, ...ipv6Scenarios, ...latencyScenarios];
if (!all.some((scenario) => scenario.name === name)) throw new Error(`no scenario is called: ${name}`);

const parent = await mkdtemp(path.join(tmpdir(), 'fairlead-netns-'));
const net = await startNetns({ random: systemRandom, dir: path.join(parent, 'net') });
const cleanups: (() => unknown)[] = [];
try {
  const world = { net, cleanups };
  await scenarios.find((scenario) => scenario.name === name)?.run(world);
  await [...netnsScenarios, ...ipv6Scenarios, ...latencyScenarios]
    .find((scenario) => scenario.name === name)
    ?.run(world);
} finally {
  for (const cleanup of cleanups.toReversed()) await cleanup();
  await net.close();
  await rm(parent, { recursive: true });
}
process.exit(0);
