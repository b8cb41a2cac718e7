#!/usr/bin/env node
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../src/base/random.ts';
import { chain } from '../test/cuts/chained.ts';
import { isolated, type Plan, type Ports } from '../test/cuts/isolated.ts';
import { everyVariant, usualPlans } from '../test/cuts/matrix.ts';
import { add, noTally, type Tally } from '../test/cuts/types.ts';
import { apply, remove, undo } from '../test/cuts/undertakings.ts';
import { endWorlds, type Variant, worldOf } from '../test/cuts/world.ts';
import { allReal } from '../test/e2e/harness.ts';

const USAGE = `usage: npm run test:cuts -- [--output text|json] [--seed N] [--minutes N] [--only chained|isolated]
                           [--parts real|built-in] [--all [--shard i/n] [--ledger FILE]]

Kills apply, undo and remove at their side effects, runs them again, and watches the cluster meanwhile. Without --all a seeded
sample that ends after --minutes (6); what it left out it says. --all goes through every cut of every world, and, given a
ledger, goes on where it was.`;

interface Part {
  readonly name: string;
  readonly tally: Tally;
}

/** The six minutes are for both: half of them for the chain, and what it leaves for the isolated cuts. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      output: { type: 'string', default: 'text' },
      seed: { type: 'string' },
      minutes: { type: 'string', default: '6' },
      only: { type: 'string' },
      parts: { type: 'string' },
      all: { type: 'boolean', default: false },
      shard: { type: 'string', default: '1/1' },
      ledger: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [shard = 1, shards = 1] = values.shard.split('/').map(Number);
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? process.env['FAIRLEAD_SEED'] ?? Date.now() % 1_000_000);
  const wrong = values.output !== 'text' && values.output !== 'json';
  if (values.help || wrong || !(minutes > 0) || !(shard >= 1 && shard <= shards) || !Number.isInteger(seed)) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  const parts = values.parts === 'built-in' || !allReal ? 'built-in' : 'real';
  const began = performance.now();
  const say = (text: string): void =>
    console.error(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)}  ${text}`);
  say(
    `seed ${seed}; chained on ${parts} parts${parts === 'real' || values.parts ? '' : ' (etcd or kube-apiserver is not there)'}`,
  );
  const over = (): boolean => !values.all && performance.now() - began > minutes * 60_000 - CASE_MS;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void endWorlds().finally(() => process.exit(130)));
  const chainOver = (): boolean => !values.all && performance.now() - began > minutes * 60_000 * CHAIN_SHARE;
  const ports: Ports = { random: seededRandom(seed), say, over, ...(values.ledger && { done: ledger(values.ledger) }) };

  const done: Part[] = [];
  if (values.only !== 'isolated' && shard === 1)
    done.push(await chained(parts, ports, values.only === 'chained' ? over : chainOver));
  if (values.only !== 'chained') {
    const plans = values.all ? everyPlan(parts).filter((_, at) => at % shards === shard - 1) : samplePlans(parts);
    done.push(await isolatedAll(plans, ports));
  }
  return report(done, {
    seed,
    json: values.output === 'json',
    all: values.all,
    seconds: (performance.now() - began) / 1000,
  });
}

/** What one isolated cut may take: no more is begun that late. */
const CASE_MS = 30_000;
/** The chain's part of the time; the rest is for the isolated cuts. */
const CHAIN_SHARE = 0.5;
const BUILT_IN = 60;
const REAL = 6;

const variant = (parts: Variant['parts']): Variant => ({
  talos: 'v1.13.9',
  endpoint: 'ip',
  start: 'fresh',
  parts,
  workers: 0,
});
const everyPlan = (parts: Variant['parts']): Plan[] =>
  [...everyVariant('built-in'), ...(parts === 'real' ? everyVariant('real') : [])].map((one) => ({
    variant: one,
    cuts: 'every',
  }));
const samplePlans = (parts: Variant['parts']): Plan[] => [
  ...(parts === 'real' ? [{ variant: variant('real'), cuts: REAL }] : []),
  ...usualPlans(BUILT_IN),
];

async function chained(parts: Variant['parts'], { random, say }: Ports, over: () => boolean): Promise<Part> {
  const tally = noTally();
  await using world = await worldOf(variant(parts));
  const info = await (await world.lab()).info();
  const first = info.endpoint;
  const ways = [
    { work: apply, whole: false },
    { work: undo(first), whole: false },
    { work: apply, whole: true },
    { work: remove(first), whole: false },
  ];
  for (const { work, whole } of ways) {
    if (over()) {
      tally.leftOut.push(`${work.name}, chained: not run, the time was up`);
      continue;
    }
    // What is left of a journal that was lost on the way tells half; without it undo asks the live facts.
    if (work.name === 'undo') await rm(path.join(world.folder, 'fairlead-state'), { recursive: true, force: true });
    add(tally, await chain(world, work, { random, say, parts, whole, over }));
    if (tally.violations.length > 0) break;
  }
  return { name: `chained, ${parts} parts`, tally };
}

/** Worlds side by side: they mostly wait. */
async function isolatedAll(plans: readonly Plan[], ports: Ports): Promise<Part> {
  const tally = noTally();
  const left = [...plans];
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      try {
        add(tally, await isolated(next, ports));
      } catch (error) {
        tally.violations.push(`the cuts themselves failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
  return { name: 'isolated', tally };
}

const WORKERS = 3;

function ledger(file: string): NonNullable<Ports['done']> {
  const known = new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);
  return {
    has: (name) => known.has(name),
    add: (name) => appendFileSync(file, `${name}\n`),
  };
}

function report(
  done: readonly Part[],
  how: { readonly seed: number; readonly json: boolean; readonly all: boolean; readonly seconds: number },
): number {
  const sum = noTally();
  for (const { tally } of done) add(sum, tally);
  const { sideEffects, cuts, resumed, refused, violations, leftOut } = sum;
  const document = {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Cuts',
    seed: how.seed,
    seconds: Math.round(how.seconds),
    sideEffects,
    cuts,
    resumed,
    refused,
    violations: violations.length,
    found: violations,
    parts: done.map(({ name, tally }) => ({ name, cuts: tally.cuts, resumed: tally.resumed })),
    leftOut,
  };
  if (how.json) console.log(JSON.stringify(document, undefined, 2));
  else {
    console.log(
      `${sideEffects} side effects killed at, ${cuts} cuts, ${resumed} resumed, ${refused} refused, ${violations.length} violations (seed ${how.seed}, ${document.seconds} s)`,
    );
    for (const text of violations) console.log(`violation: ${text}`);
  }
  for (const text of leftOut) console.error(`a sample: ${text}`);
  return violations.length === 0 && cuts > 0 ? 0 : 1;
}

process.exitCode = await main();
