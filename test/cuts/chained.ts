import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from '../../src/base/random.ts';
import type { LabClient } from '../../lab/world/client.ts';
import { canariesIn, canariesOf, canariesOnDisk, debrisIn } from './canaries.ts';
import { type CutPoint, runCut, SURROUNDINGS } from './child.ts';
import { idle, lastWords, unprotected } from './judge.ts';
import { startMonitor } from './monitor.ts';
import { noTally, type Say, type Tally } from './types.ts';
import type { CutWorld } from './world.ts';

export interface Undertaking {
  readonly name: string;
  readonly args: readonly string[];
  /** What is not as it has to be when it has come to its end. */
  readonly arrived: (lab: LabClient) => Promise<readonly string[]>;
}

/** So often one undertaking may refuse. */
const REFUSALS = 2;
/** More processes than any change has steps: past it something goes round in circles. */
const MOST_PROCESSES = 80;
/** As long as a stored endpoint may be dark and an address twice claimed, by the parts. */
export const PATIENCE = {
  'built-in': { darkMs: 6_000, claimsMs: 3_000 },
  real: { darkMs: 25_000, claimsMs: 3_000 },
} as const;

/** What the user's files are called; a write is a temporary file beside it and a rename. */
const USER_FILES = /^\.?(kubeconfig|talosconfig)(\.|$)|^provisioner\/talos\/.+\.yaml/;
const JOURNAL = /^fairlead-state\/(journal|originals\/|snapshots\/|\.)/;
const TEMPORARY = /\.fairlead-\d+-[0-9a-f]{8}$/;

/**
 * One undertaking, killed after each of its steps in turn: every process gets as far as its next side effect, or the next change of a
 * file, and no further. Half the time its successor finds no state directory.
 */
export async function chain(
  world: CutWorld,
  work: Undertaking,
  ports: {
    readonly random: Random;
    readonly say: Say;
    readonly parts: 'built-in' | 'real';
    /** Not cut: it only leads to where the next can begin, and keeps its journal. */
    readonly whole?: boolean;
    /** Once true the rest is done in one go, and `cutShort` says so. */
    readonly over?: () => boolean;
  },
): Promise<Tally> {
  const { random, say } = ports;
  const tally = noTally();
  const lab = await world.lab();
  const canaries = await canariesOf(await lab.info());
  const monitor = await startMonitor(lab, PATIENCE[ports.parts]);
  const [{ mark }, once] = [await lab.requests(), new Set<string>()];
  let ended = false;
  for (let process = 1; process <= MOST_PROCESSES && !ended; process += 1) {
    const late = ports.over?.() === true && ports.whole !== true;
    if (late && tally.leftOut.length === 0)
      tally.leftOut.push(`${work.name}, chained: the steps from process ${process} on were not cut, the time was up`);
    const whole = late || ports.whole === true;
    if (process > 1 && random.next() < 0.5)
      await rm(path.join(world.folder, 'fairlead-state'), { recursive: true, force: true });
    const ran = await runCut(
      lab,
      world.folder,
      [...work.args, '--yes'],
      whole ? [] : pointsOf(ports.parts === 'real' ? process + SURROUNDED : process, random, once),
    );
    tally.violations.push(...canariesIn(canaries, `the output of ${work.name}`, ran.stdout + ran.stderr));
    tally.violations.push(...(await canariesOnDisk(canaries, await lab.info())));
    if (process > 1) tally.resumed += 1;
    if (ran.killed === 'late') tally.violations.push(`${work.name} did not end: ${lastWords(ran.stderr)}`);
    else if (ran.killed !== undefined) {
      tally.cuts += 1;
      if ('effect' in ran.killed) tally.sideEffects += 1;
      const what = 'effect' in ran.killed ? `${ran.killed.effect.method} ${ran.killed.effect.path}` : ran.killed.file;
      say(`${work.name} ${process}: killed at ${what}`);
    } else if (ran.code === 0) ended = true;
    // A refusal for safety (an election, a busy machine) is an answer, and it must pass.
    else if (ran.code === 4 && tally.refused < REFUSALS) {
      tally.refused += 1;
      say(`${work.name} ${process}: refused, and runs again: ${lastWords(ran.stderr)}`);
    } else {
      tally.violations.push(
        `${work.name}, process ${process}, ended with ${ran.code}: ${lastWords(ran.stdout + ran.stderr)}`,
      );
      break;
    }
  }
  if (!ended) tally.violations.push(`${work.name} did not come to its end`);
  const { requests } = await lab.requests(String(mark));
  tally.violations.push(...unprotected(requests));
  if (ended) {
    tally.violations.push(...(await work.arrived(lab)), ...(await idle(lab, world.folder, [...work.args, '--yes'])));
    tally.violations.push(...(await debrisIn(await lab.info())).map((file) => `a killed write left ${file}`));
  }
  await monitor.stop();
  tally.violations.push(...monitor.violations, ...(await lab.check()));
  if (monitor.samples.endpoints === 0 || monitor.samples.tokens === 0)
    tally.violations.push('the monitors saw nothing');
  say(`${work.name}: ${tally.cuts} cuts, ${tally.violations.length} violations`);
  for (const violation of tally.violations) say(`  VIOLATION ${violation}`);
  return tally;
}

/** Where the pieces that surround a change are cut; they are the same on real parts, where every process takes its time. */
const SURROUNDED = 5;

/** The first ones at lines and files of the journal, at the lock and the prober's object; then step by step. */
function pointsOf(process: number, random: Random, cutAt: Set<string>): readonly CutPoint[] {
  const moment = random.next() < 0.5 ? 'before-reply' : 'after-reply';
  if (process <= SURROUNDED - 2) return [{ kind: 'file', match: nth(process * 2 - 1) }];
  if (process <= SURROUNDED) return [{ kind: 'effect', after: process - 3, moment, except: [] }];
  const file = (name: string): boolean => {
    // Each file is cut at twice: while it is written, and once it is.
    const what = TEMPORARY.test(name) ? name.replace(TEMPORARY, ' in writing') : name;
    if (!USER_FILES.test(name) || cutAt.has(what)) return false;
    cutAt.add(what);
    return true;
  };
  return [
    { kind: 'effect', after: 1, moment, except: SURROUNDINGS },
    { kind: 'file', match: file },
  ];
}

function nth(which: number): (name: string) => boolean {
  let left = which;
  return (name) => JOURNAL.test(name) && (left -= 1) === 0;
}
