import type { LoadedConfig } from '../config/loaded.ts';
import { type AddressState, wantedEndpoint } from '../model/address.ts';
import { type Goal, goalOf } from '../model/goal.ts';
import type { Finding } from '../model/finding.ts';
import type { Observation } from '../model/observation.ts';

/** What a rule looks at. `at` is the observation's own time: a rule has no clock. */
export interface Subject {
  readonly observation: Observation;
  readonly loaded: LoadedConfig;
  readonly goal: Goal;
  readonly address: AddressState;
  /** The floating IP's text, where it is known. */
  readonly ip: string | undefined;
  readonly wanted: { readonly host: string; readonly port: number; readonly url: string } | undefined;
  readonly at: Date;
}

/** A named diagnosis: facts in, findings out. Silence where the facts are unknown: those are listed as unknowns. */
export type Rule = (subject: Subject) => Finding[];

export function subjectOf(observation: Observation, loaded: LoadedConfig): Subject {
  const goal = goalOf(observation, loaded);
  const { address } = goal;
  return {
    observation,
    loaded,
    goal,
    address,
    ip: address.kind === 'found' ? address.floatingIP.ip : undefined,
    wanted: wantedEndpoint(observation.cloud, loaded),
    at: new Date(observation.at),
  };
}

/** A finding without a known cause; rules that know one give it. */
export const finding = (
  parts: Omit<Finding, 'causedBy' | 'evidence'> & { evidence?: readonly string[]; causedBy?: string },
): Finding => ({ ...parts, evidence: parts.evidence ?? [], causedBy: parts.causedBy ?? null });

export const APPLY = 'Run `fairlead plan` to see the change, then `fairlead apply`.';
