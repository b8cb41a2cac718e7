import type { LoadedConfig } from '../config/loaded.ts';
import { sha256 } from '../base/digest.ts';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import type { Evidence } from '../journal/evidence.ts';
import type { Seal } from '../journal/seal.ts';
import type { Verification } from '../model/finding.ts';
import { type Change, changesOf, type Plan } from '../model/plan.ts';
import type { GateCheck } from '../plan/gates.ts';
import type { Systems } from '../observe/systems.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { lockFor, recordBefore, type Safeguards, sealOf } from './begin.ts';
import { carryOut } from './carry-out.ts';
import { closeRun, evidenceOf } from './close.ts';
import type { Lock } from './lock/lock.ts';
import { awaitChecks, lookAgain, lookAtFiles, type Seen, settle } from './look-again.ts';
import { movedSince, planMoved } from './moved.ts';
import { prepare } from './prepare.ts';
import type { Reporter } from './reporter.ts';
import type { Run } from './run.ts';
import { TIMINGS } from './timings.ts';

export interface ApplyOptions {
  readonly signal?: AbortSignal;
  readonly reporter: Reporter;
  /** Shows the plan and asks; false = nothing is done. */
  readonly confirm: (plan: Plan) => Promise<boolean>;
  readonly safeguards: Safeguards;
}

export type ApplyResult =
  | { readonly kind: 'nothing-to-do'; readonly plan: Plan }
  /** Exit 4: something is unknown or unsafe. Nothing was changed. */
  | { readonly kind: 'refused'; readonly plan: Plan }
  | { readonly kind: 'declined'; readonly plan: Plan }
  | {
      readonly kind: 'done';
      readonly plan: Plan;
      readonly evidence: Evidence;
      readonly evidenceFile: string;
      readonly verification: Verification;
    };

/**
 * Brings the world to what the configuration asks for: look, plan, do the next change behind its gate, wait for its effect, look again.
 * No stored position is trusted, so a run that was killed is continued by running it again; a run that finds nothing to do writes nothing,
 * mints nothing and starts no prober. Throws a Failure that says what stands and what to do; an aborted signal ends it with exit 130.
 */
export async function apply(systems: Systems, loaded: LoadedConfig, options: ApplyOptions): Promise<ApplyResult> {
  const { signal, reporter } = options;
  const ports = { systems, loaded, signal };
  const aborted = (): boolean => signal?.aborted === true;
  const waiting = (what: string): void => reporter.report({ kind: 'waiting', what });
  let seen: Seen;
  try {
    seen = await settle(ports, await lookAgain(ports), { timeoutMs: TIMINGS.firstLookMs, midway: false }, waiting);
  } catch (error) {
    throw aborted() ? interrupted(undefined, error) : error;
  }
  const first = seen.plan;
  reporter.report({ kind: 'plan', plan: first });
  if (first.refusals.length > 0) return { kind: 'refused', plan: first };
  if (changesOf(first).length === 0) return { kind: 'nothing-to-do', plan: first };
  if (!(await options.confirm(first))) return { kind: 'declined', plan: first };
  if (aborted()) throw interrupted(undefined, signal?.reason);

  const seal = await sealOf(ports, options.safeguards.snapshot);
  let lock: Lock | undefined;
  try {
    lock = await lockFor({ ...ports, reporter }, seen.observation, options.safeguards.withoutLock);
    // Somebody may have worked while the question stood, or before the lock was had.
    seen = await settle(
      ports,
      await lookAgain(ports, seen.observation),
      { timeoutMs: TIMINGS.firstLookMs, midway: false },
      waiting,
    );
    if (seen.plan.refusals.length > 0) return { kind: 'refused', plan: seen.plan };
    if (changesOf(seen.plan).length === 0) return { kind: 'nothing-to-do', plan: seen.plan };
    const moved = movedSince(first, seen.plan);
    if (moved.length > 0) throw planMoved(moved);
    return await underLock({ systems, loaded, reporter, signal, lock, seal }, seen, options.safeguards);
  } catch (error) {
    throw aborted() && !(error instanceof Failure) ? interrupted(undefined, error) : error;
  } finally {
    await lock
      ?.release()
      .catch((error: unknown) =>
        reporter.report({ kind: 'note', text: `The lock was not given back (it ends by itself): ${textOf(error)}` }),
      );
  }
}

interface Begun {
  readonly systems: Systems;
  readonly loaded: LoadedConfig;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
  readonly lock: Lock | undefined;
  readonly seal: Seal;
}

async function underLock(begun: Begun, seen: Seen, safeguards: Safeguards): Promise<ApplyResult> {
  const { systems, loaded, signal, seal } = begun;
  const aborted = (): boolean => signal?.aborted === true;
  const first = seen.plan;
  const { journal, snapshot } = await recordBefore(begun, seen, 'apply', { seal, safeguards });
  const run = await prepare({ ...begun, journal, snapshot, safeguards }, seen);
  const startedAt = systems.clock.wall();
  try {
    const last = await workThrough(run, seen, changesOf(first).length);
    const verification = diagnose(last.observation, loaded);
    const evidence = evidenceOf(run, {
      first: seen.observation,
      last: last.observation,
      startedAt,
      verification,
      complete: true,
    });
    const evidenceFile = await closeRun(run, evidence, 'done');
    return { kind: 'done', plan: first, evidence, evidenceFile, verification };
  } catch (error) {
    const evidence = evidenceOf(run, {
      first: seen.observation,
      last: undefined,
      startedAt,
      verification: undefined,
      complete: false,
    });
    const file = await closeRun(run, evidence, textOf(error)).catch(
      (trouble: unknown) => `not written: ${textOf(trouble)}`,
    );
    if (aborted()) throw interrupted({ steps: run.steps.map((step) => step.what), record: file }, error);
    throw error;
  }
}

async function workThrough(run: Run, start: Seen, total: number): Promise<Seen> {
  const ports = { systems: run.systems, loaded: run.loaded, signal: run.signal, standing: standingGates(run) };
  const waiting = (what: string): void => run.reporter.report({ kind: 'waiting', what });
  const done = new Map<string, number>();
  let seen = start;
  let phase = -1;
  let number = 0;
  let whole = true;
  for (;;) {
    run.signal?.throwIfAborted();
    seen = await settle(ports, seen, { timeoutMs: TIMINGS.gatesMs, midway: true }, waiting);
    if (seen.plan.refusals.length > 0) throw refusedMidway(run, seen.plan);
    if (nextOf(seen.plan) === undefined) {
      if (whole) return seen;
      whole = true;
      seen = await lookAgain(ports, seen.observation);
      continue;
    }
    const checked = await awaitChecks(ports, seen, nextOf, waiting);
    seen = checked.seen;
    const next = nextOf(seen.plan);
    if (next === undefined) continue;
    if (next.phase !== phase) {
      phase = next.phase;
      run.reporter.report({ kind: 'phase', number: phase, title: next.title });
    }
    const shut = checked.checks.filter((check) => check.verdict !== 'open');
    run.reporter.report({ kind: 'gates', subject: next.change.where.subject, checks: checked.checks });
    if (shut.length > 0) throw gateShut(run, next.change, shut);
    const times = (done.get(next.change.id) ?? 0) + 1;
    if (times > 2) throw doesNotHold(next.change);
    done.set(next.change.id, times);
    number += 1;
    await run.lock?.stillMine();
    await oneChange(run, seen, next, { number, of: Math.max(total, number) });
    whole = next.change.where.system !== 'file';
    seen = whole ? await lookAgain(ports, seen.observation) : await lookAtFiles(ports, seen.observation);
  }
}

function standingGates({ snapshot, safeguards, lock }: Run): GateCheck[] {
  const { snapshot: wish } = safeguards;
  const evidence =
    snapshot !== undefined
      ? `${snapshot.place}, ${snapshot.bytes} bytes`
      : wish.kind === 'none'
        ? `left out: ${wish.reason}`
        : 'no control plane was to be changed when the run began';
  return [
    {
      name: 'a snapshot of etcd taken',
      verdict: snapshot === undefined && wish.kind !== 'none' ? 'closed' : 'open',
      evidence,
    },
    {
      name: "the cluster's lock held",
      verdict: 'open',
      evidence: lock?.how ?? `left out: ${safeguards.withoutLock ?? ''}`,
    },
  ];
}

interface Next {
  readonly change: Change;
  readonly phase: number;
  readonly title: string;
}

function nextOf(plan: Plan): Next | undefined {
  for (const phase of plan.phases) {
    const [change] = phase.changes;
    if (change !== undefined) return { change, phase: phase.number, title: phase.title };
  }
  return undefined;
}

async function oneChange(run: Run, seen: Seen, next: Next, count: { number: number; of: number }): Promise<void> {
  const { change } = next;
  const { clock } = run.systems;
  run.reporter.report({ kind: 'change-started', change, ...count });
  await run.journal.append({ kind: 'intent', change: change.id, what: change.what, ...digestsOf(change) });
  const started = clock.now();
  try {
    const evidence = await carryOut(run, seen, change);
    const ms = Math.round(clock.now() - started);
    run.steps.push({ at: clock.wall().toISOString(), phase: next.phase, what: change.what, ms, evidence });
    await run.journal.append({ kind: 'result', change: change.id, ok: true, evidence });
    run.reporter.report({ kind: 'change-done', change, ms, evidence });
  } catch (error) {
    await run.journal
      .append({ kind: 'result', change: change.id, ok: false, evidence: [textOf(error)] })
      .catch(() => {});
    throw error;
  }
}

const digestsOf = ({ action }: Change): { sha256Before?: string; sha256After?: string } =>
  action.kind === 'node-config' ? { sha256Before: action.sha256Before, sha256After: sha256(action.text.reveal()) } : {};

const standing = (run: Run): string =>
  run.steps.length === 0
    ? 'Nothing was changed.'
    : `Done and in force: ${run.steps.map((step) => step.what).join('; ')}.`;

const refusedMidway = (run: Run, plan: Plan): Failure =>
  new Failure({
    code: 'refused-midway',
    exit: EXIT.refused,
    what: 'It is not safe to go on',
    why: plan.refusals.map((refusal) => `${refusal.what}: ${refusal.why}`).join('\n'),
    state: standing(run),
    next: 'Correct the cause, then run fairlead apply again: it goes on where it stopped.',
  });

const gateShut = (
  run: Run,
  change: Change,
  checks: readonly { name: string; verdict: string; evidence: string }[],
): Failure =>
  new Failure({
    code: 'gate-closed',
    exit: EXIT.refused,
    what: `"${change.what}" was not begun`,
    why: checks.map((check) => `${check.name}: ${check.verdict}, ${check.evidence}`).join('\n'),
    state: standing(run),
    next: 'Correct the cause (fairlead verify names it), then run fairlead apply again: it goes on here.',
  });

const doesNotHold = (change: Change): Failure =>
  new Failure({
    code: 'change-does-not-hold',
    what: `"${change.what}" was made twice and is still to be made`,
    why: 'somebody or something takes it back each time',
    state: 'The change may or may not stand now.',
    next: 'Look for a second owner (ksail, Terraform, a controller), then run fairlead plan.',
  });

/** `done` undefined: it was still looking or asking, and had sent nothing. */
function interrupted(
  done: { readonly steps: readonly string[]; readonly record: string } | undefined,
  cause: unknown,
): Failure {
  return new Failure({
    code: 'interrupted',
    exit: EXIT.interrupted,
    what: 'Interrupted',
    why: 'you stopped it',
    state: stateOf(done),
    next: 'Run fairlead apply again: it looks first and goes on where this ended.',
    cause,
  });
}

function stateOf(done: { readonly steps: readonly string[]; readonly record: string } | undefined): string {
  if (done === undefined) return 'Nothing was changed.';
  const sent = 'One that had been sent may still take effect.';
  return done.steps.length === 0
    ? `No change was completed. ${sent} The record: ${done.record}`
    : `Done and in force: ${done.steps.join('; ')}. ${sent} The record: ${done.record}`;
}
