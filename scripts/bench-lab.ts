// Measures the lab's cloud, balancers and namespaces, and prints the figures with the machine's facts. Asserts nothing.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { unshared } from '../lab/fabric/netns/unshared.ts';
import { largeProject, type Latencies, manyAssigns, underLoad } from './bench-lab/api.ts';
import type { BalancerReady } from './bench-lab/balancer.ts';
import { start } from './bench-lab/child.ts';
import type { NetnsTimes } from './bench-lab/netns.ts';
import { connections, type Rate } from './bench-lab/prober.ts';

const main = path.resolve(import.meta.dirname, '../src/cli/main.ts');
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

/** `fairlead lab …` from source; gives its time. */
function fairlead(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.execPath, [main, 'lab', ...args, '--quiet'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(performance.now() - began);
      else reject(new Error(`fairlead lab ${args.join(' ')} ended with ${code}\n${said}`));
    });
  });
}

console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.version}, load ${os.loadavg()[0]?.toFixed(1)}\n`,
);
/** `npm run bench:lab -- cloud netns balancer` measures some; without a name, all. */
const only = (part: string): boolean => process.argv.length < 3 || process.argv.slice(2).includes(part);
if (only('cloud')) await cloudFigures();
if (only('netns')) await netnsFigures();
if (only('balancer')) await balancerFigures();
