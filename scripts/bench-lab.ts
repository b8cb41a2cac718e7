// Measures the lab's cloud, balancers, namespaces and nodes, and prints the figures with the machine's facts. Asserts nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { unshared } from '../lab/fabric/netns/unshared.ts';
import { largeProject, type Latencies, manyAssigns, underLoad } from './bench-lab/api.ts';
import type { BalancerReady } from './bench-lab/balancer.ts';
import { start } from './bench-lab/child.ts';
import type { NetnsTimes } from './bench-lab/netns.ts';
import { fairlead, manyReplaces, replaces, residentBytes, roundTrip, withLab } from './bench-lab/nodes.ts';
import { connections, type Rate } from './bench-lab/prober.ts';

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const figure = (name: string, value: string, target = ''): void =>
  console.log(`${name.padEnd(56)} ${value.padEnd(40)} ${target}`.trimEnd());
const ms = (value: number): string => `${value.toFixed(1)} ms`;
const spread = (of: Latencies): string => `p50 ${ms(of.at(0.5))}, p99 ${ms(of.at(0.99))}, of ${of.count}`;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const rate = ({ perSecond, median: middle, failed }: Rate): string =>
  `${perSecond.toFixed(0)}/s, median ${ms(middle)}${failed > 0 ? `, ${failed} failed` : ''}`;

async function cloudFigures(): Promise<void> {
  const { cloud, empty } = await underLoad(200, 10);
  figure('cloud API at 200 requests/s, 10 s', spread(cloud), 'p99 < 10 ms');
  figure('  a server that does nothing, in turn with it', spread(empty));
  for (const [what, of] of Object.entries(await largeProject(1_000, 100))) {
    figure(`a page of 50 ${what} of 1,000 servers, 100 balancers`, spread(of.pages), '< 20 ms');
    figure('  a server that only sends as many bytes, in turn with it', spread(of.empty));
  }
  const { before, middle, after, seconds } = await manyAssigns(10_000);
  const grown = (after.heap - before.heap) / 10_000;
  figure('10,000 assigns, each waited for', `${seconds.toFixed(1)} s`);
  figure('  RSS before, half-way, after', [before, middle, after].map(({ rss }) => mib(rss)).join(', '), 'flat');
  figure('  heap before, half-way, after', [before, middle, after].map(({ heap }) => mib(heap)).join(', '), 'flat');
  figure(
    '  kept of an assign and its polls',
    `${grown.toFixed(0)} bytes`,
    '56 of them the action, which stays readable',
  );
}

async function balancerFigures(): Promise<void> {
  const program = await start<BalancerReady>('balancer.ts');
  try {
    const { port, ca, direct, balanced, hidden } = program.ready;
    const try_ = (host: string, atATime: number): Promise<Rate> => connections({ host, port, ca }, 3, atATime);
    await connections({ host: balanced, port, ca }, 1, 8);
    for (const atATime of [1, 8]) {
      // In turn, so that what else the computer does befalls both.
      const pairs: [Rate, Rate][] = [];
      for (let n = 0; n < 3; n += 1) pairs.push([await try_(direct, atATime), await try_(balanced, atATime)]);
      const ratio = median(pairs.map(([a, b]) => a.perSecond / b.perSecond));
      const [one, other] = pairs.at(-1) ?? [];
      if (one === undefined || other === undefined) return;
      figure(`new TLS connections to a node, ${atATime} at a time`, rate(one));
      figure(`  through a load balancer`, rate(other));
      figure(`  ratio (median of 3)`, `${ratio.toFixed(2)}x`, '< 2x');
      figure(`  to the process behind the fabric`, rate(await try_(hidden, atATime)));
    }
  } finally {
    await program.end();
  }
}

async function netnsFigures(): Promise<void> {
  const how = unshared(process.env);
  if (typeof how === 'string') {
    figure('netns fabric of 7 nodes', 'not measured', how);
    return;
  }
  const times: NetnsTimes[] = [];
  for (let n = 0; n < 5; n += 1) {
    const program = await start<NetnsTimes>('netns.ts', ['7'], ['unshare', ...how.args]);
    times.push(program.ready);
    await program.end();
  }
  figure('netns fabric alone, 7 nodes, up (median of 5)', ms(median(times.map(({ up }) => up))), '< 3 s');
  figure('netns fabric alone, 7 nodes, down (median of 5)', ms(median(times.map(({ down }) => down))), '< 2 s');

  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bench-'));
  const state = path.join(folder, 'lab');
  try {
    const lab = [
      '--fabric',
      'netns',
      '--parts',
      'built-in',
      '--speed',
      '10',
      '--control-planes',
      '3',
      '--workers',
      '4',
    ];
    figure('whole lab on netns, 3+4 built-in, up', ms(await fairlead(['up', '--state', state, ...lab])), '< 3 s');
    figure('whole lab on netns, 3+4 built-in, down', ms(await fairlead(['down', '--state', state])), '< 2 s');
  } finally {
    // Down already, unless something went wrong above.
    await fairlead(['down', '--state', state]).catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}

const NODES = ['--speed', '10', '--control-planes', '3', '--workers', '1'];
const seconds = (value: number): string => `${(value / 1000).toFixed(2)} s`;
const all = (values: readonly number[]): string => `${seconds(median(values))} (${values.map(seconds).join(', ')})`;

async function nodeFigures(): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bench-'));
  const state = path.join(folder, 'lab');
  try {
    for (const [parts, target, each] of [
      ['built-in', '< 4 s', '< 4 s'],
      ['real', '< 30 s', '< 12 s'],
    ] as const) {
      const flags = ['--parts', parts, ...NODES];
      const times = parts === 'real' ? 1 : 3;
      const ups: number[] = [];
      for (let n = 0; n < times; n += 1) ups.push(await withLab(state, flags, async (_lab, _info, up) => up));
      figure(`lab up, 3+1, ${parts}`, all(ups), target);
      await withLab(state, flags, async (lab, info) => {
        const planes = info.nodes.filter((n) => n.role === 'control-plane').map((n) => n.name);
        figure(`node replace back to back, 3+1, ${parts}`, all(await replaces(lab, planes, 6)), each);
        if (parts === 'real') return;
        const { snapshot, restore } = await roundTrip(state);
        figure('snapshot and restore of it', `${seconds(snapshot)} + ${seconds(restore)}`, '< 2 s together');
      });
    }
    figure(
      "  etcd takes no new member for 5 s after the last one's start: two in a row cannot be faster than that",
      '',
    );
    await withLab(state, ['--parts', 'built-in', ...NODES, '--knob', 'etcd.memberHealthMs=500'], async (lab, info) => {
      const planes = info.nodes.filter((n) => n.role === 'control-plane').map((n) => n.name);
      figure('  the same with these 5 s divided by the speed too', all(await replaces(lab, planes, 6)));
    });
    const many = ['--parts', 'built-in', '--speed', '10', '--control-planes', '3', '--workers', '47'];
    await withLab(state, many, async (_lab, info, up) => {
      figure('lab up, 50 nodes, built-in', seconds(up), '< 20 s');
      figure('  memory of it', mib(await residentBytes(info.pid)), '< 1.5 GB');
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function memoryFigures(): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bench-'));
  try {
    const { replaces: count, seconds: took, rss, files } = await manyReplaces(path.join(folder, 'lab'), 1_000);
    figure(`${count} replaces, one after the other`, `${took.toFixed(0)} s`);
    figure('  RSS after each tenth', rss.map(mib).join(', '), 'flat');
    figure('  open files after each tenth', files.join(', '), 'flat');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.version}, load ${os.loadavg()[0]?.toFixed(1)}\n`,
);
/** `npm run bench:lab -- cloud netns balancer` measures some (there are nodes and memory too); without a name, all. */
const only = (part: string): boolean => process.argv.length < 3 || process.argv.slice(2).includes(part);
if (only('cloud')) await cloudFigures();
if (only('netns')) await netnsFigures();
if (only('balancer')) await balancerFigures();
if (only('nodes')) await nodeFigures();
if (only('memory')) await memoryFigures();
