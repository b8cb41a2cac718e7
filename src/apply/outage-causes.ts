import type { EvidenceOutage, EvidenceStep } from '../journal/evidence.ts';
import type { Outage } from '../probe/outages.ts';

/** A step with its times in milliseconds of the prober's clock. */
export interface TimedStep {
  readonly from: number;
  readonly to: number;
  readonly change: string;
}

/** An API server that stops goes on answering for a moment after its step was counted as done, and the other way round. */
const SLACK_MS = 2_000;

/** The step's times, counted back from when it ended. `wallOfZero`: the calendar's milliseconds at the prober's zero. */
export const timedSteps = (steps: readonly EvidenceStep[], wallOfZero: number): TimedStep[] =>
  steps.flatMap(({ at, ms, change }) => {
    const to = Date.parse(at) - wallOfZero;
    return change === undefined ? [] : [{ from: to - ms, to, change }];
  });

const overlap = (a: { from: number; to: number }, b: { from: number; to: number }, slackMs = 0): boolean =>
  a.from < b.to + slackMs && b.from < a.to + slackMs;

const RESTARTS: ReadonlySet<string> = new Set(['names-and-issuer', 'endpoint', 'endpoint-back', 'original']);
const MOVES: ReadonlySet<string> = new Set(['vip', 'vip-out']);

/** `node/NAME/STEP`, as changes of nodes are called. */
function nodeStep(change: string): { readonly node: string; readonly step: string } | undefined {
  const [kind, node, step] = change.split('/');
  return kind === 'node' && node !== undefined && step !== undefined ? { node, step } : undefined;
}

/**
 * Why a way was without an answer, out of what happened at that time: every API server failing at once means that etcd had no
 * leader, or, where tokens failed too, that the way from here was cut; else
 * the API server that was restarted just then and failed itself; else an address that moved. What none of them explains is unknown.
 */
export function causeOf(
  outage: Outage,
  all: readonly Outage[],
  steps: readonly TimedStep[],
  planes: readonly string[],
): EvidenceOutage['cause'] {
  if (outage.failures.length === 0) return { kind: 'none' };
  const failing = all.filter((other) => other.failures.length > 0 && overlap(other, outage));
  const at = steps.filter((step) => overlap(step, outage, SLACK_MS));
  const everywhere = (needsEtcd: boolean): boolean =>
    planes.length > 1 && planes.every((plane) => together(plane, outage, failing, needsEtcd));
  if (everywhere(false)) return { kind: 'everything-at-once' };
  if (everywhere(true)) return { kind: 'no-etcd-leader' };
  const restarted = at.flatMap(({ change }) => {
    const step = nodeStep(change);
    return step !== undefined && RESTARTS.has(step.step) ? [step.node] : [];
  });
  if (planes.includes(outage.target)) {
    return restarted.includes(outage.target)
      ? { kind: 'api-server-restart', node: outage.target }
      : { kind: 'unknown' };
  }
  // Through an address the API server of one node is met: the one that fails itself.
  const met = restarted.find((node) => failing.some((other) => other.target === node));
  if (met !== undefined) return { kind: 'api-server-restart', node: met };
  const moved = at.some(
    ({ change }) => MOVES.has(nodeStep(change)?.step ?? '') || change.startsWith('address/assign/'),
  );
  return outage.target === 'endpoint' && moved ? { kind: 'address-moved' } : { kind: 'unknown' };
}

/** Whether an API server failed in the same moment: in reads and writes, which need etcd, or with a token, which needs none. */
const together = (plane: string, outage: Outage, failing: readonly Outage[], needsEtcd: boolean): boolean =>
  failing.some(
    (other) =>
      other.target === plane &&
      (other.path !== 'token') === needsEtcd &&
      Math.min(other.to, outage.to) - Math.max(other.from, outage.from) > (outage.to - outage.from) / 2,
  );
