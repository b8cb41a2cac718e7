import { sha256 } from '../base/digest.ts';
import { textOf } from '../base/failure.ts';
import { type Change, changesOf, type Plan } from '../model/plan.ts';
import type { GateCheck } from '../plan/gates.ts';
import type { Planner } from '../plan/planner.ts';
import { carryOut } from './carry-out.ts';
import { doesNotHold, gateShut, refusedMidway } from './failures.ts';
import { awaitChecks, lookAgain, lookAtFiles, type Seen, settle } from './look-again.ts';
import type { Run } from './run.ts';
import { TIMINGS } from './timings.ts';

/**
 * One change after the other: look, wait for its gates, do it, look again. What is next is read from the world each time.
 */
export async function workThrough(run: Run, planner: Planner, start: Seen): Promise<Seen> {
  const ports = {
    systems: run.systems,
    loaded: run.loaded,
    signal: run.signal,
    planner,
    standing: () => standingGates(run),
  };
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
    await oneChange(run, seen, next, { number, of: number - 1 + changesOf(seen.plan).length });
    whole = next.change.where.system !== 'file';
    seen = whole ? await lookAgain(ports, seen.observation) : await lookAtFiles(ports, seen.observation);
  }
}

function standingGates(run: Run): GateCheck[] {
  const { snapshot, safeguards } = run;
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
    lockGate(run),
  ];
}

function lockGate({ lock, safeguards }: Run): GateCheck {
  const name = "the cluster's lock held";
  if (lock === undefined) return { name, verdict: 'open', evidence: `left out: ${safeguards.withoutLock ?? ''}` };
  const trouble = lock.trouble();
  return { name, verdict: trouble === undefined ? 'open' : 'closed', evidence: trouble ?? lock.how };
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
    run.steps.push({
      at: clock.wall().toISOString(),
      change: change.id,
      phase: next.phase,
      what: change.what,
      ms,
      evidence,
    });
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
  action.kind === 'node-config'
    ? { sha256Before: action.sha256Before, sha256After: sha256(action.text.reveal()) }
    : action.kind === 'repository-file'
      ? { sha256After: sha256(action.content.reveal()) }
      : {};
