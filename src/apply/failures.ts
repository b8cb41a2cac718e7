import { EXIT, Failure } from '../base/failure.ts';
import type { Change, Plan } from '../model/plan.ts';
import type { Run } from './run.ts';

/** Why a run ends before its end, in the four parts. */

const standing = (run: Run): string =>
  run.steps.length === 0
    ? 'Nothing was changed.'
    : `Done and in force: ${run.steps.map((step) => step.what).join('; ')}.`;

export const refusedMidway = (run: Run, plan: Plan): Failure =>
  new Failure({
    code: 'refused-midway',
    exit: EXIT.refused,
    what: 'It is not safe to go on',
    why: plan.refusals.map((refusal) => `${refusal.what}: ${refusal.why}`).join('\n'),
    state: standing(run),
    next: 'Correct the cause, then run the same command again: it goes on where it stopped.',
  });

export const gateShut = (
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
    next: 'Correct the cause (fairlead verify names it), then run the same command again: it goes on here.',
  });

export const doesNotHold = (change: Change): Failure =>
  new Failure({
    code: 'change-does-not-hold',
    what: `"${change.what}" was made twice and is still to be made`,
    why: 'somebody or something takes it back each time',
    state: 'The change may or may not stand now.',
    next: 'Look for a second owner (ksail, Terraform, a controller), then run fairlead plan.',
  });

/** `done` undefined: it was still looking or asking, and had sent nothing. */
export function interrupted(
  done: { readonly steps: readonly string[]; readonly record: string } | undefined,
  cause: unknown,
): Failure {
  return new Failure({
    code: 'interrupted',
    exit: EXIT.interrupted,
    what: 'Interrupted',
    why: 'you stopped it',
    state: stateOf(done),
    next: 'Run the same command again: it looks first and goes on where this ended.',
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
