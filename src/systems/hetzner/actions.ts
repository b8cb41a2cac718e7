import type { Clock } from '../../base/clock.ts';
import { type Budget, isScarce } from './budget.ts';
import { HetznerError, passes } from './errors.ts';
import type { Action } from './schema.ts';
import type { HetznerOptions } from './types.ts';

export const DEFAULT_POLL = { baseMs: 500, capMs: 5_000, timeoutMs: 180_000 } as const;

/**
 * Waits until an action has ended: a 201 only says that it has begun. Looks after `baseMs`, then ever more slowly up to
 * `capMs`. Throws the action's own error; one that may pass by itself (`locked` as Hetzner words it in an action of
 * code `unknown_error`) is retryable.
 */
export async function waitForAction(
  ports: { readonly clock: Clock },
  poll: Required<NonNullable<HetznerOptions['actionPoll']>>,
  started: Action,
  look: (id: number) => Promise<readonly Action[]>,
  budget: () => Budget | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = ports.clock.now() + poll.timeoutMs;
  let action = started;
  for (let waitMs = poll.baseMs; action.status === 'running'; waitMs = Math.min(poll.capMs, waitMs * 1.5)) {
    if (ports.clock.now() >= deadline) {
      throw new HetznerError({
        code: 'action_timeout',
        message: `action ${action.id} (${action.command ?? 'unnamed'}) is still running after ${Math.round(poll.timeoutMs / 1000)} s`,
        retryable: false,
      });
    }
    await ports.clock.sleep(isScarce(budget()) ? poll.capMs : waitMs, signal);
    const found = (await look(started.id)).find((a) => a.id === started.id);
    if (found === undefined) {
      throw new HetznerError({
        code: 'invalid_answer',
        message: `the API does not know its own action ${started.id}`,
        retryable: false,
      });
    }
    action = found;
  }
  if (action.status === 'success') return;
  const code = action.error?.code ?? 'action_failed';
  const message = action.error?.message ?? 'the action failed without a reason';
  throw new HetznerError({
    code,
    message: `action ${action.id} (${action.command ?? 'unnamed'}) failed: ${message}`,
    retryable: passes(code, 0) || /\b(is|are) locked\b/.test(message),
  });
}
