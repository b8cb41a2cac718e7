import { EXIT, Failure } from '../base/failure.ts';
import { valueOf } from '../model/fact.ts';
import { type Change, changesOf } from '../model/plan.ts';
import { configDiff } from '../plan/edits.ts';
import type { Seen } from './look-again.ts';

/**
 * What is different from the plan that was agreed to: new things to do, and machine configs or files that somebody has edited since. What
 * is no longer to be done is no trouble.
 */
export function movedSince(agreed: Seen, now: Seen): readonly string[] {
  const before = new Map(changesOf(agreed.plan).map((change) => [change.id, change]));
  const moved = changesOf(now.plan).flatMap((change) => {
    const earlier = before.get(change.id);
    if (earlier === undefined) return [`new: ${change.what}`];
    return basis(earlier) === basis(change) ? [] : [`${change.where.subject} was changed by somebody: ${change.what}`];
  });
  return moved.length === 0 ? [] : [...moved, ...editedConfigs(agreed, now)];
}

/** What somebody edited, line by line, secrets masked. */
function editedConfigs(agreed: Seen, now: Seen): string[] {
  return now.observation.nodes.flatMap((node) => {
    const earlier = agreed.observation.nodes.find((other) => other.name === node.name);
    const [before, after] = [earlier === undefined ? undefined : valueOf(earlier.config), valueOf(node.config)];
    if (before === undefined || after === undefined || before.sha256 === after.sha256) return [];
    return [`machine config of ${node.name}:\n${configDiff(node.name, before.text.reveal(), after.text.reveal())}`];
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
