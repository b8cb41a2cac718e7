import type { Refusal } from '../../model/plan.ts';
import type { PlanContext } from '../context.ts';

/** One kind of reason why nothing will be done. */
export type Judge = (context: PlanContext) => Refusal[];
