import type { Clock } from '../../src/base/clock.ts';
import { textOf } from '../../src/base/failure.ts';
import type { Random } from '../../src/base/random.ts';
import { ApiError, isLocked, wordOf } from './errors.ts';
import { type CloudFaults, NO_FAULTS } from './faults.ts';
import type { Delay } from './knobs.ts';
import type { Action, Project, Resource } from './state.ts';

export interface ActionSpec {
  readonly command: string;
  readonly resources: readonly Resource[];
  /**
   * Resources no other action may change meanwhile; default all but networks and zones. A network that is locked
   * answers `conflict`, everything else `locked`.
   */
  readonly locks?: readonly Resource[];
  readonly delay: Delay;
  /** Starts to run when this one has ended. */
  readonly after?: Action;
  /** What it does, when it succeeds; a throw makes it end in `error`. */
  readonly effect: () => Promise<void> | void;
}

/** Runs the project's actions: each takes its time, holds its locks, and lands its effect at the end. */
export interface ActionRunner {
  /** Throws `locked` when another action runs on one of the resources. */
  start(spec: ActionSpec): Action;
  isLocked(resource: Resource): boolean;
  /** Throws `locked`, for changes that are no action. */
  assertFree(resource: Resource): void;
  /** Something that happens by itself, a while later; a failure is told in the lab's log. */
  later(delay: Delay, effect: () => Promise<void> | void): void;
  /** Resolves when this one has ended, however. */
  ended(action: Action): Promise<void>;
  /** Resolves when nothing runs; rejects when the signal is aborted first. */
  quiet(signal: AbortSignal): Promise<void>;
  /** Ends the waiting; running actions stay as they are. */
  close(): Promise<void>;
}

/** Thrown by an effect: the action ends in an error of this code. */
export class ActionError extends Error {
  readonly code: string;
  constructor({ code, message }: { readonly code: string; readonly message: string }) {
    super(message);
    this.code = code;
  }
}

const keyOf = ({ type, id }: Resource): string => `${type}/${id}`;

export function createActionRunner(ports: {
  readonly clock: Clock;
  readonly random: Random;
  readonly speed: number;
  readonly project: Project;
  readonly faults?: CloudFaults | undefined;
}): ActionRunner {
  const { clock, random, speed, project, faults = NO_FAULTS } = ports;
  const locks = new Map<string, number>();
  const closing = new AbortController();
  const running = new Map<Action, Promise<void>>();

  const assertFree = (resource: Resource): void => {
    if (!locks.has(keyOf(resource))) return;
    if (resource.type === 'network')
      throw new ApiError(409, 'conflict', 'network changed during request, please retry');
    throw isLocked(wordOf(resource.type));
  };

  const wait = ([least, most]: Delay): Promise<void> =>
    clock.sleep((least + random.next() * (most - least)) / speed, closing.signal);
  const background = new Set<Promise<void>>();

  const run = async (action: Action, spec: ActionSpec): Promise<void> => {
    if (spec.after !== undefined) await running.get(spec.after);
    const [least, most] = spec.delay;
    const server = spec.resources.find((resource) => resource.type === 'server')?.id;
    const fault = faults.action({ command: spec.command, ...(server === undefined ? {} : { server }) });
    await clock.sleep((least + random.next() * (most - least)) / speed, closing.signal);
    if (fault.late !== undefined) {
      await clock.sleep(fault.late.ms, AbortSignal.any([fault.late.over, closing.signal])).catch(() => {});
      closing.signal.throwIfAborted();
    }
    if (fault.error !== undefined) throw new ActionError(fault.error);
    if (spec.after?.status === 'error') throw new Error(`${spec.after.command} failed`);
    await spec.effect();
  };

  const end = (action: Action, held: readonly Resource[], error: unknown): void => {
    // The lab is going down: nobody will ask.
    if (closing.signal.aborted) return;
    for (const resource of held) if (locks.get(keyOf(resource)) === action.id) locks.delete(keyOf(resource));
    action.finished = clock.wall();
    action.progress = 100;
    action.status = error === undefined ? 'success' : 'error';
    action.error =
      error === undefined
        ? null
        : { code: error instanceof ActionError ? error.code : 'action_failed', message: textOf(error) };
  };

  return {
    start(spec) {
      const held = spec.locks ?? spec.resources.filter(({ type }) => type !== 'network' && type !== 'zone');
      // A follow-up runs on what its forerunner holds, and takes the lock over.
      if (spec.after === undefined) for (const resource of held) assertFree(resource);
      const action: Action = {
        id: project.nextId(),
        command: spec.command,
        status: 'running',
        progress: 0,
        started: clock.wall(),
        finished: null,
        resources: spec.resources,
        error: null,
      };
      for (const resource of held) locks.set(keyOf(resource), action.id);
      project.actions.add(action);
      const done = run(action, spec).then(
        () => end(action, held, undefined),
        (error: unknown) => end(action, held, error),
      );
      running.set(
        action,
        done.finally(() => running.delete(action)),
      );
      return action;
    },
    isLocked: (resource) => locks.has(keyOf(resource)),
    assertFree,
    later(delay, effect) {
      const work = wait(delay)
        .then(effect)
        .catch((error: unknown) => {
          if (!closing.signal.aborted) console.error(`cloud: ${textOf(error)}`);
        })
        .finally(() => background.delete(work));
      background.add(work);
    },
    ended: async (action) => running.get(action),
    async quiet(signal) {
      const given = Promise.withResolvers<never>();
      const stop = (): void => given.reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      try {
        while (running.size + background.size > 0)
          await Promise.race([Promise.all([...running.values(), ...background]), given.promise]);
      } finally {
        signal.removeEventListener('abort', stop);
        given.promise.catch(() => {});
      }
    },
    async close() {
      closing.abort();
      await Promise.all([...running.values(), ...background]);
    },
  };
}
