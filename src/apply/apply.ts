import type { LoadedConfig } from '../config/loaded.ts';
import type { Systems } from '../observe/systems.ts';
import { applyPlanner, degradedPlanner } from '../plan/planner.ts';
import { undertake, type UndertakingOptions, type UndertakingResult } from './undertake.ts';

/** Brings the world to what the configuration asks for. */
export const apply = (
  systems: Systems,
  loaded: LoadedConfig,
  options: UndertakingOptions & {
    /** Go on with what is left where a control plane is dead and the quorum holds. */
    readonly allowDegraded?: boolean;
  },
): Promise<UndertakingResult> =>
  undertake(systems, loaded, {
    ...options,
    operation: 'apply',
    planner: options.allowDegraded === true ? degradedPlanner : applyPlanner,
  });
