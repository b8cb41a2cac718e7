import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from '../../src/base/random.ts';
import { pick, pickInteger } from '../../src/base/random.ts';
import { canariesIn, canariesOf, canariesOnDisk, debrisIn } from './canaries.ts';
import { PATIENCE, type Undertaking } from './chained.ts';
import { BEATS, runCut } from './child.ts';
import { idle, lastWords, unprotected } from './judge.ts';
import { startMonitor } from './monitor.ts';
import { add, noTally, type Say, type Tally } from './types.ts';
import { apply, remove, undo } from './undertakings.ts';
import { type CutWorld, nameOf, type Variant, worldOf } from './world.ts';

export interface Plan {
  readonly variant: Variant;
  /** How many cuts; `every`: after each side effect, before and after its reply. */
  readonly cuts: number | 'every';
}

export interface Ports {
  readonly random: Random;
  readonly say: Say;
  /** Past it nothing more is begun. */
  readonly over: () => boolean;
  /** Cases that an earlier run has done. */
  readonly done?: { has(name: string): boolean; add(name: string): void };
}

/** A gate that is closed for a moment (an election, a busy machine) may refuse a run so often. */
export const REFUSALS = 2;

interface Case {
  readonly work: Undertaking;
  readonly after: number;
  readonly moment: 'before-reply' | 'after-reply';
  readonly loseState: boolean;
}

/** Cuts that know nothing of each other: each in a world that was restored to the very same start. */
export async function isolated({ variant, cuts }: Plan, ports: Ports): Promise<Tally> {
  const tally = noTally();
  const { random, say } = ports;
  if (ports.over()) {
    tally.leftOut.push(`${nameOf(variant)}: no cut, the time was up`);
    return tally;
  }
  await using world = await worldOf(variant);
  const info = await (await world.lab()).info();
  const works =
    variant.start === 'converged'
      ? [undo(info.nodes[0]?.kubernetesApi ?? ''), remove(info.nodes[1]?.kubernetesApi ?? '')]
      : [apply];
  if (variant.start === 'converged')
    tally.violations.push(...(await idle(await world.lab(), world.folder, [...apply.args, '--yes'])));
  for (const work of works) {
    if (ports.over()) {
      tally.leftOut.push(`${nameOf(variant)} ${work.name}: no cut, the time was up`);
      break;
    }
    const whole = await runCut(await world.lab(), world.folder, [...work.args, '--yes'], []);
    const name = `${nameOf(variant)} ${work.name}`;
    if (whole.code !== 0) {
      if (whole.code === 4) tally.refused += 1;
      tally.violations.push(`${name}: uncut it ended with ${whole.code}: ${lastWords(whole.stdout + whole.stderr)}`);
      await world.restore();
      continue;
    }
    say(`${name}: ${whole.sideEffects} side effects`);
    for (const one of casesOf(
      work,
      whole.sideEffects,
      cuts === 'every' ? cuts : Math.ceil(cuts / works.length),
      random,
    )) {
      if (ports.over()) {
        tally.leftOut.push(`${name}: not all cuts, the time was up`);
        break;
      }
      const label = `${name}, ${one.after} ${one.moment}${one.loseState ? ', state lost' : ''}`;
      if (ports.done?.has(label) === true) continue;
      await world.restore();
      const of = await oneCut(world, variant, one);
      for (const violation of of.violations) say(`  VIOLATION ${label}: ${violation}`);
      say(`${label}: ${of.violations.length === 0 ? 'ok' : `${of.violations.length} violations`}`);
      add(tally, { ...of, violations: of.violations.map((violation) => `${label}: ${violation}`) });
      ports.done?.add(label);
    }
    await world.restore();
  }
  return tally;
}

function casesOf(work: Undertaking, sideEffects: number, cuts: number | 'every', random: Random): Case[] {
  const moments = ['before-reply', 'after-reply'] as const;
  const numbers = Array.from({ length: sideEffects }, (_, at) => at + 1);
  if (cuts === 'every')
    return numbers.flatMap((after) =>
      moments.map((moment, at) => ({ work, after, moment, loseState: (after + at) % 2 === 0 })),
    );
  return Array.from({ length: cuts }, () => ({
    work,
    after: pickInteger(random, 1, sideEffects + 1),
    moment: pick(random, moments),
    loseState: random.next() < 0.5,
  }));
}

async function oneCut(world: CutWorld, variant: Variant, { work, after, moment, loseState }: Case): Promise<Tally> {
  const tally = noTally();
  const lab = await world.lab();
  const canaries = await canariesOf(await lab.info());
  const monitor = await startMonitor(lab, PATIENCE[variant.parts]);
  const args = [...work.args, '--yes'];
  const first = await runCut(lab, world.folder, args, [{ kind: 'effect', after, moment, except: BEATS }]);
  tally.violations.push(...canariesIn(canaries, `the output of ${work.name}`, first.stdout + first.stderr));
  tally.violations.push(...(await canariesOnDisk(canaries, await lab.info())));
  if (first.killed !== undefined) {
    tally.cuts += 1;
    tally.sideEffects += 1;
    if (loseState) await rm(path.join(world.folder, 'fairlead-state'), { recursive: true, force: true });
  }
  let second = await runCut(lab, world.folder, args, []);
  // A refusal for safety is an answer, and it must pass.
  for (let again = 0; again < REFUSALS && second.code === 4; again += 1) {
    tally.refused += 1;
    second = await runCut(lab, world.folder, args, []);
  }
  tally.violations.push(...canariesIn(canaries, `the output of ${work.name}`, second.stdout + second.stderr));
  if (second.code === 0) {
    if (first.killed !== undefined) tally.resumed += 1;
    tally.violations.push(...(await work.arrived(lab)), ...(await idle(lab, world.folder, args)));
    tally.violations.push(...(await debrisIn(await lab.info())).map((file) => `a killed write left ${file}`));
  } else {
    tally.violations.push(`run again it ended with ${second.code}: ${lastWords(second.stdout + second.stderr)}`);
  }
  tally.violations.push(...(await canariesOnDisk(canaries, await lab.info())));
  tally.violations.push(...unprotected((await lab.requests()).requests));
  await monitor.stop();
  tally.violations.push(...monitor.violations, ...(await lab.check()));
  return tally;
}
