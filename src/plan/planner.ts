import type { LoadedConfig } from '../config/loaded.ts';
import { findAddress } from '../model/address.ts';
import type { Observation } from '../model/observation.ts';
import type { Change, Plan } from '../model/plan.ts';
import { degraded } from './degraded.ts';
import { type GateCheck, gateChecks } from './gates.ts';
import { makePlan } from './plan.ts';
import { proofChecks } from './proof.ts';

/** What is wanted, as a plan computed anew from each look, and what must hold right before each of its changes. Pure. */
export interface Planner {
  /** What of a look the plan is made from; all of it where there is no view. `earlier` is the view of the look before. */
  view?(observation: Observation, earlier?: Observation): Observation;
  plan(observation: Observation, loaded: LoadedConfig): Plan;
  checks(change: Change, phase: number, observation: Observation, loaded: LoadedConfig): readonly GateCheck[];
  /** Endpoints to probe in each look besides those that nodes have. */
  readonly probes: readonly string[];
}

/** The gates of the node that a change is about; none for what touches no node. */
export const nodeGates = ({ action }: Change, observation: Observation): readonly GateCheck[] =>
  action.kind === 'node-config'
    ? gateChecks(observation, action.role === 'control-plane' ? action.node : undefined)
    : [];

/** Towards the endpoint: the gates, and from phase 5 on, where it is written down anywhere, also the proof of its address. */
export const applyPlanner: Planner = {
  plan: makePlan,
  checks(change, phase, observation, loaded) {
    const address = findAddress(observation.cloud, loaded);
    const proof = phase >= 5 && address.kind === 'found' ? proofChecks(observation, address.floatingIP) : [];
    return [...nodeGates(change, observation), ...proof];
  },
  probes: [],
};

/** The same on what is left of the control plane, where the quorum holds: dead control planes are left out. */
export const degradedPlanner: Planner = {
  ...applyPlanner,
  view(observation, earlier) {
    const state = degraded(observation, earlier);
    return state.kind === 'possible' ? state.observation : observation;
  },
};
