// Measures the built bundle and prints the figures with the machine's facts. Asserts nothing: machines differ.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { LabInfo } from '../lab/world/info.ts';

const bundle = path.resolve(import.meta.dirname, '../dist/fairlead.js');

const fairlead = (args: readonly string[]): Promise<{ ms: number; code: number; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ ms: performance.now() - began, code: code ?? -1, stdout, stderr }));
  });

async function must(args: readonly string[]): Promise<{ ms: number; stdout: string }> {
  const ran = await fairlead(args);
  if (ran.code !== 0) throw new Error(`fairlead ${args.join(' ')} ended with ${ran.code}\n${ran.stderr}`);
  return ran;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const figures: [string, string, string][] = [];
const figure = (name: string, value: string, target: string): void => {
  figures.push([name, value, target]);
  console.log(`${name.padEnd(52)} ${value.padEnd(24)} ${target}`);
};
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

async function repeat(times: number, args: readonly string[]): Promise<number[]> {
  await must(args);
  const all: number[] = [];
  for (let n = 0; n < times; n += 1) all.push((await must(args)).ms);
  return all;
}

async function labFigures(parts: 'built-in' | 'real', targets: { up: string; replace: string }): Promise<void> {
  const work = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bench-'));
  const state = path.join(work, 'lab');
  try {
    const up = await fairlead([
      'lab',
      'up',
      '--state',
      state,
      '--speed',
      '10',
      '--parts',
      parts,
      '--output',
      'json',
      '--quiet',
    ]);
    if (up.code !== 0) {
      figure(`lab up 3+1, ${parts}`, 'not measured', 'parts are missing: scripts/prepare');
      return;
    }
    figure(`lab up 3+1, ${parts}`, seconds(up.ms), targets.up);
    const lab = JSON.parse(up.stdout) as LabInfo;
    const requests = async (): Promise<{ mark: number; requests: { system: string; write: boolean; by: string }[] }> =>
      JSON.parse((await must(['lab', 'requests', '--state', state, '--output', 'json', '--quiet'])).stdout);
    const before = (await requests()).mark;
    const applied = await must(['apply', '--config', lab.files.config, '--yes', '--quiet']);
    figure(`apply, ${parts}`, seconds(applied.ms), '');
    const made = (await requests()).requests.slice(before).filter((r) => r.by === 'fairlead');
    for (const system of new Set(made.map((r) => r.system))) {
      const mine = made.filter((r) => r.system === system);
      figure(
        `  requests to ${system}, ${parts}`,
        `${mine.length} (${mine.filter((r) => r.write).length} writes)`,
        'its prober included',
      );
    }
    const verified = await repeat(5, ['verify', '--config', lab.files.config, '--quiet']);
    figure(`verify 3+1, ${parts} (median of 5)`, seconds(median(verified)), '< 1.5 s');
    const replaced: number[] = [];
    for (const node of lab.nodes.filter((n) => n.role === 'control-plane')) {
      replaced.push((await must(['lab', 'node', 'replace', node.name, '--state', state, '--quiet'])).ms);
    }
    figure(`node replace, ${parts}, back to back (worst of 3)`, seconds(Math.max(...replaced)), targets.replace);
  } finally {
    await fairlead(['lab', 'down', '--state', state]);
    await rm(work, { recursive: true, force: true });
  }
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.version}\n`,
);
figure('fairlead --help (median of 20)', `${median(await repeat(20, ['--help'])).toFixed(0)} ms`, '< 60 ms');
await labFigures('built-in', { up: '< 4 s', replace: '< 4 s' });
await labFigures('real', { up: '< 30 s', replace: '< 12 s' });
