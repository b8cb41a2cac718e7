import type { Clock } from '../../src/base/clock.ts';
import type { CloudHealthCheck, CloudTarget, TargetHealth } from '../cloud/types.ts';
import { checkTarget } from './check.ts';
import { type CheckResult, type HealthState, judge, UNKNOWN } from './health.ts';
import type { BalancerKnobs } from './types.ts';

/** The health of one target for one service, looked at until stopped. */
export interface Checker {
  readonly check: CloudHealthCheck;
  readonly health: TargetHealth;
  stop(): void;
}

/** Looks at once, and then every interval (counted from the start of the look before). `changed` hears every new verdict. */
export function startChecker(
  ports: { readonly clock: Clock; readonly speed: number; readonly knobs: BalancerKnobs; readonly hidden: string },
  check: CloudHealthCheck,
  target: Pick<CloudTarget, 'address' | 'carried'>,
  changed: (health: TargetHealth) => void,
): Checker {
  const { clock, speed, knobs } = ports;
  const intervalMs = (check.interval * 1_000) / speed;
  const timeoutMs = Math.max(knobs.leastTimeoutMs, (check.timeout * 1_000) / speed);
  const rules = { retries: check.retries, successesFromUnknown: knobs.successesFromUnknown };
  const stopped = new AbortController();
  let state: HealthState = UNKNOWN;

  const look = async (): Promise<CheckResult> => {
    if (target.carried)
      return checkTarget(check, { from: ports.hidden, to: target.address }, timeoutMs, stopped.signal);
    // Outside the lab's network: nothing is sent there, and nobody answers.
    await clock.sleep(timeoutMs, stopped.signal);
    return { kind: 'failed', detail: 'layer4_timeout' };
  };
  const run = async (): Promise<void> => {
    for (;;) {
      const began = clock.now();
      const result = await look();
      if (stopped.signal.aborted) return;
      const before = state.health;
      state = judge(state, result, rules);
      if (!same(before, state.health)) changed(state.health);
      await clock.sleep(began + intervalMs - clock.now(), stopped.signal);
    }
  };
  run().catch((error: unknown) => {
    // Called off in the middle of a look or a pause.
    if (!stopped.signal.aborted) throw error;
  });

  return {
    check,
    get health() {
      return state.health;
    },
    stop: () => stopped.abort(),
  };
}

const same = (a: TargetHealth, b: TargetHealth): boolean =>
  a.status === b.status && a.detail === b.detail && a.httpStatusCode === b.httpStatusCode;
