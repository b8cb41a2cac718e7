import type { LoadedConfig } from '../config/loaded.ts';
import { type Goal, goalOf, STAND_IN } from '../model/goal.ts';
import type { Observation } from '../model/observation.ts';

/** What the phases of a plan are computed from. */
export interface PlanContext extends Goal {
  readonly observation: Observation;
  readonly loaded: LoadedConfig;
}

export const planContext = (observation: Observation, loaded: LoadedConfig): PlanContext => ({
  ...goalOf(observation, loaded),
  observation,
  loaded,
});

/** Puts the reader's word in the place of the stand-in. */
export const shown = (context: PlanContext, text: string): string =>
  context.provisional ? text.replaceAll(STAND_IN, '<address>') : text;
