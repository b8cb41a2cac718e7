import { EXIT, Failure } from '../base/failure.ts';
import { type Change, changesOf, type Plan } from '../model/plan.ts';

/**
 * What is different from the plan that was agreed to: new things to do, and machine configs or files that somebody has edited since. What
 * is no longer to be done is no trouble.
 */
export function movedSince(agreed: Plan, now: Plan): readonly string[] {
  const before = new Map(changesOf(agreed).map((change) => [change.id, change]));
  return changesOf(now).flatMap((change) => {
    const earlier = before.get(change.id);
    if (earlier === undefined) return [`new: ${change.what}`];
    return basis(earlier) === basis(change) ? [] : [`${change.where.subject} was changed by somebody: ${change.what}`];
  });
}

/** The text that the change would replace. */
const basis = ({ action }: Change): string | undefined =>
  action.kind === 'node-config' || action.kind === 'talosconfig' ? action.sha256Before : undefined;

export const planMoved = (moved: readonly string[]): Failure =>
  new Failure({
    code: 'plan-moved',
    exit: EXIT.refused,
    what: 'The cluster is not as it was when the plan was agreed to',
    why: moved.join('\n'),
    state: 'Nothing was changed.',
    next: 'Look at `fairlead plan` again; if it is what you want, run fairlead apply again.',
  });
