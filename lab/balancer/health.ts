import type { TargetHealth } from '../cloud/types.ts';

/** How one look at a target ended. */
export type CheckResult =
  | { readonly kind: 'passed'; readonly httpStatusCode?: number }
  | {
      readonly kind: 'failed';
      readonly detail: NonNullable<TargetHealth['detail']>;
      readonly httpStatusCode?: number;
    };

/** What is known of a target for one service. */
export interface HealthState {
  readonly health: TargetHealth;
  /** Looks in a row that speak against `health.status`. */
  readonly against: number;
}

export const UNKNOWN: HealthState = { health: { status: 'unknown' }, against: 0 };

export interface HealthRules {
  /** Failures in a row until a target is unhealthy, and successes in a row until it is healthy again. */
  readonly retries: number;
  /** Successes in a row that make a target healthy that was never judged. */
  readonly successesFromUnknown: number;
}

/**
 * The next state after one look. A single look that fits the present verdict wipes out what spoke against it; `unknown`
 * counts failures and successes in one row, and a change of direction starts anew.
 */
export function judge(state: HealthState, result: CheckResult, rules: HealthRules): HealthState {
  const { status } = state.health;
  if (status === 'unknown') return judgeUnknown(state, result, rules);
  const fits = (result.kind === 'passed') === (status === 'healthy');
  if (fits) return { health: verdict(result), against: 0 };
  const against = state.against + 1;
  return against >= rules.retries ? { health: verdict(result), against: 0 } : { ...state, against };
}

/** A negative count is a row of failures. */
function judgeUnknown(state: HealthState, result: CheckResult, rules: HealthRules): HealthState {
  const row = result.kind === 'passed' ? Math.max(0, state.against) + 1 : Math.min(0, state.against) - 1;
  const decided = row >= rules.successesFromUnknown || -row >= rules.retries;
  return decided ? { health: verdict(result), against: 0 } : { ...state, against: row };
}

function verdict(result: CheckResult): TargetHealth {
  const code = result.httpStatusCode === undefined ? {} : { httpStatusCode: result.httpStatusCode };
  return result.kind === 'passed' ? { status: 'healthy' } : { status: 'unhealthy', detail: result.detail, ...code };
}

/**
 * Whether an HTTP status is one of the accepted: `?` stands for one digit, `*` for any number of them ("2??", "4*", "401").
 */
export function accepts(patterns: readonly string[], status: number): boolean {
  const text = String(status);
  return patterns.some((pattern) => {
    const expression = pattern
      .replaceAll(/[^0-9?*]/g, String.raw`\$&`)
      .replaceAll('?', '[0-9]')
      .replaceAll('*', '[0-9]*');
    return new RegExp(`^${expression}$`).test(text);
  });
}
