import type { LoadedConfig } from '../config/loaded.ts';
import { Failure, textOf } from '../base/failure.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import type { Operation } from '../journal/entries.ts';
import type { Evidence } from '../journal/evidence.ts';
import type { Verification } from '../model/finding.ts';
import { changesOf, type Plan } from '../model/plan.ts';
import type { Systems } from '../observe/systems.ts';
import type { Planner } from '../plan/planner.ts';
import { type Begun, begin, keepBefore, lockFor, type Safeguards } from './begin.ts';
import { closeRun, evidenceOf } from './close.ts';
import { interrupted } from './failures.ts';
import { lookAgain, type Ports, type Seen, settle } from './look-again.ts';
import { movedSince, planMoved } from './moved.ts';
import { prepare } from './prepare.ts';
import type { Reporter } from './reporter.ts';
import { TIMINGS } from './timings.ts';
import { workThrough } from './work.ts';

export interface UndertakingOptions {
  readonly signal?: AbortSignal;
  readonly reporter: Reporter;
  /** Shows the plan and asks; false = nothing is done. */
  readonly confirm: (plan: Plan) => Promise<boolean>;
  readonly safeguards: Safeguards;
}

export type UndertakingResult =
  | { readonly kind: 'nothing-to-do'; readonly plan: Plan }
  /** Exit 4: something is unknown or unsafe. Nothing was changed. */
  | { readonly kind: 'refused'; readonly plan: Plan }
  | { readonly kind: 'declined'; readonly plan: Plan }
  | {
      readonly kind: 'done';
      readonly plan: Plan;
      readonly evidence: Evidence;
      readonly evidenceFile: string;
      /** The same as a page to look at; undefined where the state is kept in the cluster. */
      readonly page: string | undefined;
      readonly verification: Verification;
    };

interface Asked extends UndertakingOptions {
  readonly operation: Operation;
  readonly planner: Planner;
}

/**
 * Carries a plan through: look, ask, take the lock, keep what stands, then one change after the other, each behind its gates and proven by
 * its effect. No stored position is trusted, so a run that was killed is continued by running it again; a run that finds nothing to do
 * writes nothing, mints nothing and starts no prober. Throws a Failure that says what stands and what to do; an aborted signal ends it
 * with exit 130.
 */
export async function undertake(systems: Systems, loaded: LoadedConfig, asked: Asked): Promise<UndertakingResult> {
  const { signal, reporter, planner } = asked;
  const ports: Ports = { systems, loaded, signal, planner };
  const aborted = (): boolean => signal?.aborted === true;
  const waiting = (what: string): void => reporter.report({ kind: 'waiting', what });
  const look = async (earlier?: Seen): Promise<Seen> =>
    settle(
      ports,
      await lookAgain(ports, earlier?.observation),
      { timeoutMs: TIMINGS.firstLookMs, midway: false },
      waiting,
    );
  try {
    const first = await look();
    reporter.report({ kind: 'plan', plan: first.plan });
    if (first.plan.refusals.length > 0) return { kind: 'refused', plan: first.plan };
    if (changesOf(first.plan).length === 0) return { kind: 'nothing-to-do', plan: first.plan };
    if (!(await asked.confirm(first.plan))) return { kind: 'declined', plan: first.plan };
    signal?.throwIfAborted();
    return await begun(asked, ports, first, look);
  } catch (error) {
    throw aborted() && !(error instanceof Failure) ? interrupted(undefined, error) : error;
  }
}

/** From the consent on: the journal's first line, the lock, another look, the changes. */
async function begun(
  asked: Asked,
  ports: Ports,
  first: Seen,
  look: (earlier: Seen) => Promise<Seen>,
): Promise<UndertakingResult> {
  const { reporter, safeguards } = asked;
  const start = await begin({ ...ports, reporter }, first, asked.operation, safeguards);
  const ended = (outcome: string): Promise<void> => start.journal.append({ kind: 'run-ended', outcome });
  let lock: Begun['lock'];
  let inRun = false;
  try {
    lock = await lockFor({ ...ports, reporter }, first.observation, safeguards.withoutLock);
    // Somebody may have worked while the question stood, or before the lock was had.
    const seen = await look(first);
    if (seen.plan.refusals.length > 0 || changesOf(seen.plan).length === 0) {
      const kind = seen.plan.refusals.length > 0 ? 'refused' : 'nothing-to-do';
      await ended(kind);
      return { kind, plan: seen.plan };
    }
    const moved = movedSince(first, seen);
    if (moved.length > 0) throw planMoved(moved);
    const snapshot = await keepBefore({ ...ports, reporter }, seen, start, safeguards);
    inRun = true;
    return await run({ ...start, lock, snapshot }, asked, ports, seen);
  } catch (error) {
    if (!inRun) await ended(textOf(error)).catch(() => {});
    throw error;
  } finally {
    await lock
      ?.release()
      .catch((error: unknown) =>
        reporter.report({ kind: 'note', text: `The lock was not given back (it ends by itself): ${textOf(error)}` }),
      );
  }
}

async function run(start: Begun, asked: Asked, ports: Ports, seen: Seen): Promise<UndertakingResult> {
  const { systems, loaded, signal } = ports;
  const { reporter, safeguards, planner, operation } = asked;
  const { journal, lock, snapshot } = start;
  const running = await prepare({ systems, loaded, reporter, signal, journal, lock, snapshot, safeguards }, seen);
  const first = seen.observation;
  const startedAt = systems.clock.wall();
  try {
    const { observation } = await workThrough(running, planner, seen);
    const verification = diagnose(observation, loaded);
    const evidence = evidenceOf(running, {
      operation,
      first,
      last: observation,
      startedAt,
      verification,
      complete: true,
    });
    const { file: evidenceFile, page } = await closeRun(running, evidence, 'done');
    return { kind: 'done', plan: seen.plan, evidence, evidenceFile, page, verification };
  } catch (error) {
    const evidence = evidenceOf(running, {
      operation,
      first,
      last: undefined,
      startedAt,
      verification: undefined,
      complete: false,
    });
    const { file } = await closeRun(running, evidence, textOf(error)).catch((trouble: unknown) => ({
      file: `not written: ${textOf(trouble)}`,
    }));
    if (signal?.aborted === true)
      throw interrupted({ steps: running.steps.map((step) => step.what), record: file }, error);
    throw error;
  }
}
