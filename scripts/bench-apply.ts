#!/usr/bin/env node
// `npm run bench:apply -- --parts real --speed 1`: one whole apply on a lab cluster of 3+3, measured by its own evidence document and
// by the lab's record of every request; then the plan of a made-up cluster of 100 nodes. Asserts nothing: machines differ.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { LabInfo } from '../lab/world/info.ts';
import type { Evidence } from '../src/journal/evidence.ts';
import { controlPlane, fact, loadedConfig, nodeConfig, observation, worker } from '../src/model/observation.testing.ts';
import { makePlan } from '../src/plan/plan.ts';

const { values } = parseArgs({
  options: {
    parts: { type: 'string', default: 'built-in' },
    speed: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log('usage: npm run bench:apply -- [--parts built-in|real] [--speed N]   (speed 1: several minutes)');
  process.exit(0);
}

const tool = path.resolve(import.meta.dirname, '../src/cli/main.ts');

const fairlead = (args: readonly string[]): Promise<{ ms: number; code: number; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.execPath, [tool, ...args, '--output', 'json', '--quiet'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ ms: performance.now() - began, code: code ?? -1, stdout, stderr }));
  });

async function must<T>(args: readonly string[]): Promise<{ ms: number; document: T }> {
  const ran = await fairlead(args);
  if (ran.code !== 0) throw new Error(`fairlead ${args.join(' ')} ended with ${ran.code}\n${ran.stderr}${ran.stdout}`);
  return { ms: ran.ms, document: JSON.parse(ran.stdout) as T };
}

const figure = (name: string, value: string, target: string): void =>
  console.log(`${name.padEnd(60)} ${value.padEnd(22)} ${target}`);
const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : `${(ms / 1000).toFixed(2)} s`);

interface RequestRecord {
  readonly system: string;
  readonly write: boolean;
  readonly by: string;
}

async function wholeApply(): Promise<void> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bench-apply-'));
  const state = path.join(work, 'lab');
  try {
    const world = ['--parts', values.parts, '--speed', values.speed, '--workers', '3'];
    const { document: lab } = await must<LabInfo>(['lab', 'up', '--state', state, ...world]);
    const requests = async () =>
      (await must<{ requests: RequestRecord[] }>(['lab', 'requests', '--state', state])).document.requests;
    const plan = await must(['plan', '--config', lab.files.config]);
    figure('plan, 3+3', seconds(plan.ms), '< 1.5 s');
    const before = (await requests()).length;
    const { ms, document: evidence } = await must<Evidence>(['apply', '--config', lab.files.config, '--yes']);
    figure(`apply, 3+3, speed ${values.speed}`, seconds(ms), 'speed 10: < 90 s');
    const gap = (target: string): string => seconds(evidence.gaps?.[target]?.readNewConnection);
    figure('longest gap of the new endpoint, once it was published', gap('endpoint'), '< 1 s');
    figure('longest gap of the old endpoint', gap('old-endpoint'), 'its own node’s restart');
    for (const [node, restarts] of Object.entries(evidence.apiServerRestarts)) {
      figure(`API server restarts of ${node}`, String(restarts), '<= 2');
    }
    const cloud = (await requests()).slice(before).filter((r) => r.by === 'fairlead' && r.system === 'hetzner');
    figure('cloud requests', `${cloud.length} (${cloud.filter((r) => r.write).length} writes)`, '<= 60');
    figure('tokens refused', String(evidence.tokens.refused), '0');
    figure('verdict', evidence.verdict, 'survived');
  } finally {
    await fairlead(['lab', 'down', '--state', state]);
    await rm(work, { recursive: true, force: true });
  }
}

/** A generated observation, no lab: three control planes and 97 workers, none of them changed yet. */
function planOfMany(): void {
  const body = (type: string): string =>
    `version: v1alpha1\nmachine:\n  type: ${type}\n  token: abc.def\ncluster:\n  controlPlane:\n    endpoint: https://203.0.113.1:6443\n  clusterName: prod\n`;
  const withText = <T extends ReturnType<typeof worker>>(node: T, type: string): T => {
    const config = nodeConfig({ body: body(type), role: type === 'worker' ? 'worker' : 'control-plane' });
    return { ...node, config: fact(config), persistentSha256: fact(config.sha256) };
  };
  const nodes = [
    ...[1, 2, 3].map((n) => withText(controlPlane(n), 'controlplane')),
    ...Array.from({ length: 97 }, (_, n) => withText(worker(n + 1), 'worker')),
  ];
  const world = observation(nodes);
  const began = performance.now();
  const plan = makePlan(world, loadedConfig());
  const changes = plan.phases.reduce((sum, phase) => sum + phase.changes.length, 0);
  figure(
    `plan for 100 nodes (${changes} changes, ${plan.refusals.length} refusals)`,
    seconds(performance.now() - began),
    '< 2 s',
  );
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.version}; parts ${values.parts}\n`,
);
planOfMany();
await wholeApply();
