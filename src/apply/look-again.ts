import type { LoadedConfig } from '../config/loaded.ts';
import { observeConsumers } from '../consumers/observe.ts';
import type { Observation } from '../model/observation.ts';
import type { Change, Plan } from '../model/plan.ts';
import { observe } from '../observe/observe.ts';
import type { Systems } from '../observe/systems.ts';
import { type GateCheck, isOpen } from '../plan/gates.ts';
import type { Planner } from '../plan/planner.ts';
import { TIMINGS } from './timings.ts';

export interface Seen {
  readonly observation: Observation;
  readonly plan: Plan;
}

export interface Ports {
  readonly systems: Systems;
  readonly loaded: LoadedConfig;
  readonly signal: AbortSignal | undefined;
  readonly planner: Planner;
  /** Gates about the run itself: its lock, its snapshot. */
  readonly standing?: () => readonly GateCheck[];
}

export async function lookAgain({ systems, loaded, signal, planner }: Ports, earlier?: Observation): Promise<Seen> {
  const seen = await observe(systems, loaded, signal, earlier, planner.probes);
  const observation = planner.view?.(seen, earlier) ?? seen;
  return { observation, plan: planner.plan(observation, loaded) };
}

/** Refusals that pass by themselves while something just restarts or an address just moves. */
const PASSING: ReadonlySet<string> = new Set(['gate-closed-for-now', 'address-claimed-twice', 'retreat-endpoint-dead']);
/** In the middle of a run, whose nodes all answered before, also a single answer that did not come. */
const PASSING_MIDWAY: ReadonlySet<string> = new Set([
  ...PASSING,
  'node-unknown',
  'node-gone',
  'members-unknown',
  'address-unknown',
  'token-unknown',
]);

const FRESH_MS = 5_000;

/** After a file was written nothing else has moved: only the files are read again, while the rest is a moment old. */
export async function lookAtFiles(ports: Ports, earlier: Observation): Promise<Seen> {
  const { systems, loaded, signal, planner } = ports;
  signal?.throwIfAborted();
  const now = systems.clock.wall();
  if (now.getTime() - Date.parse(earlier.at) > FRESH_MS) return lookAgain(ports, earlier);
  const consumers = await observeConsumers(systems.files, loaded, systems.kubeContext.ca, now);
  const observation = { ...earlier, consumers };
  return { observation, plan: planner.plan(observation, loaded) };
}

const onlyPassing = (plan: Plan, passing: ReadonlySet<string>): boolean =>
  plan.refusals.length > 0 && plan.refusals.every((refusal) => passing.has(refusal.code));

/** Looks until the plan has no passing refusal, or the time is up; a lasting refusal ends the wait at once. */
export async function settle(
  ports: Ports,
  seen: Seen,
  wait: { readonly timeoutMs: number; readonly midway: boolean },
  waiting: (what: string) => void,
): Promise<Seen> {
  const passing = wait.midway ? PASSING_MIDWAY : PASSING;
  const { clock } = ports.systems;
  const deadline = clock.now() + wait.timeoutMs;
  let now = seen;
  while (onlyPassing(now.plan, passing) && clock.now() < deadline) {
    waiting(now.plan.refusals[0]?.what ?? 'the gates');
    await clock.sleep(TIMINGS.lookEveryMs, ports.signal);
    now = await lookAgain(ports, now.observation);
  }
  return now;
}

/** What the planner asks for, and for a node also what the run itself must have. */
const checksBefore = (
  { planner, loaded, standing = () => [] }: Ports,
  change: Change,
  phase: number,
  observation: Observation,
): readonly GateCheck[] => [
  ...planner.checks(change, phase, observation, loaded),
  ...(change.action.kind === 'node-config' ? standing() : []),
];

/** Waits for the checks before a change; gives the last look and the checks as they then stand. */
export async function awaitChecks(
  ports: Ports,
  seen: Seen,
  phaseOf: (plan: Plan) => { change: Change; phase: number } | undefined,
  waiting: (what: string) => void,
): Promise<{ readonly seen: Seen; readonly checks: readonly GateCheck[] }> {
  const { clock } = ports.systems;
  const deadline = clock.now() + TIMINGS.gatesMs;
  let now = seen;
  for (;;) {
    const next = phaseOf(now.plan);
    const checks = next === undefined ? [] : checksBefore(ports, next.change, next.phase, now.observation);
    if (isOpen(checks) || clock.now() >= deadline) return { seen: now, checks };
    waiting(checks.find((check) => check.verdict !== 'open')?.name ?? 'the gates');
    await clock.sleep(TIMINGS.lookEveryMs, ports.signal);
    now = await lookAgain(ports, now.observation);
  }
}
