import type { LoadedConfig } from '../config/loaded.ts';
import type { Systems } from '../observe/systems.ts';
import { applyPlanner } from '../plan/planner.ts';
import { undertake, type UndertakingOptions, type UndertakingResult } from './undertake.ts';

/** Brings the world to what the configuration asks for. */
export const apply = (
  systems: Systems,
  loaded: LoadedConfig,
  options: UndertakingOptions,
): Promise<UndertakingResult> => undertake(systems, loaded, { ...options, operation: 'apply', planner: applyPlanner });
