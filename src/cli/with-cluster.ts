import { Failure } from '../base/failure.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import type { Systems } from '../observe/systems.ts';
import type { CliContext } from './context.ts';
import { type CommonFlags, commandSignal } from './flags.ts';

export interface Looking {
  readonly loaded: LoadedConfig;
  readonly systems: Systems;
  readonly signal: AbortSignal;
}

/** Loads the configuration, composes the systems, and closes them when the body is done. */
export async function withCluster<T>(
  context: CliContext,
  flags: CommonFlags,
  body: (looking: Looking) => Promise<T>,
  /** What is true of the world when the time is over. */
  timeoutState = 'Nothing was changed.',
): Promise<T> {
  const [{ loadConfig }, { composeSystems }] = await Promise.all([import('../config/load.ts'), import('./compose.ts')]);
  const loaded = await loadConfig(context, flags.config);
  const systems = await composeSystems(context, loaded);
  const signal = commandSignal(context, flags);
  try {
    return await body({ loaded, systems, signal });
  } catch (error) {
    // The command's own time limit, not the user: a failure like any other.
    if (signal.aborted && !context.signal.aborted && error instanceof Error && error.name === 'TimeoutError') {
      throw new Failure({
        code: 'timeout',
        what: 'The time limit was reached',
        why: `--timeout ${flags.timeout / 1000}s has passed`,
        state: timeoutState,
        next: 'Run the same command again: it looks at what is there and goes on.',
        cause: error,
      });
    }
    throw error;
  } finally {
    systems.close();
  }
}
