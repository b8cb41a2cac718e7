import { retry } from '../base/retry.ts';
import { TalosError } from '../systems/talos/errors.ts';
import type { Run } from './run.ts';

const PASSING = new Set(['unreachable', 'timeout', 'other']);

/** Whether a call failed on the way, not at the node. */
export const isPassing = (error: unknown): boolean => error instanceof TalosError && PASSING.has(error.code);

/** Reads again what failed because a connection broke; what a node refuses is thrown as it came. For reads only. */
export const patiently = <T>(run: Run, read: () => Promise<T>): Promise<T> =>
  retry(
    run.systems,
    {
      attempts: 5,
      baseMs: 200,
      capMs: 2_000,
      retryable: isPassing,
    },
    read,
    run.signal,
  );
