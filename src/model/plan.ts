import type { Redacted } from '../base/redacted.ts';
import type { PatchScope } from './observation.ts';

export type Disruption = 'none' | 'one-apiserver-restarts' | 'address-moves' | 'reboot';

export type PhaseNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/**
 * What a step does to a machine config: on the way to the endpoint (`names-and-issuer`, `vip`, `endpoint`), on the way back
 * (`endpoint-back`, `vip-out`, `original`).
 */
export type NodeStep = 'names-and-issuer' | 'vip' | 'endpoint' | 'endpoint-back' | 'vip-out' | 'original';

/** What a change does, in a form that the carrying-out understands. Secrets stay wrapped. */
export type Action =
  | { readonly kind: 'reserve-address'; readonly name: string; readonly location: string }
  | { readonly kind: 'protect-address'; readonly id: number; readonly ip: string }
  | { readonly kind: 'assign-address'; readonly id: number; readonly ip: string; readonly server: number }
  | {
      readonly kind: 'node-config';
      readonly step: NodeStep;
      readonly node: string;
      readonly role: 'control-plane' | 'worker';
      readonly address: string;
      readonly sha256Before: string;
      readonly text: Redacted;
      /** What the served certificate must cover afterwards; empty on workers. */
      readonly names: readonly string[];
      /** Whether the API server gets a new certificate. Talos makes one for another name or endpoint, not for arguments alone. */
      readonly reissues: boolean;
      /** The VIP that the step is about. */
      readonly vip?: string;
      /** How many other control planes have that VIP: where it can go. */
      readonly others: number;
    }
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context: string | undefined; readonly url: string }
  | {
      readonly kind: 'restore-file';
      readonly file: string;
      /** undefined: it was not there, and goes. */
      readonly content: Redacted | undefined;
      readonly sha256Before: string;
    }
  | { readonly kind: 'release-address'; readonly id: number; readonly ip: string; readonly name: string }
  | {
      readonly kind: 'talosconfig';
      readonly file: string;
      readonly context: string;
      readonly endpoints: readonly string[];
      readonly nodes: readonly string[];
      readonly sha256Before: string;
    }
  | {
      readonly kind: 'repository-file';
      readonly file: string;
      readonly scope: PatchScope;
      readonly content: Redacted;
      readonly existed: boolean;
    };

/** One thing to do. Texts are for people and hold no secret. */
export interface Change {
  /** Stable within a plan and across looks: the same thing to do has the same id. */
  readonly id: string;
  readonly what: string;
  readonly where: { readonly system: 'hetzner' | 'talos' | 'file'; readonly subject: string };
  readonly why: string;
  /** What stands there now and what will, redacted; a unified diff where it is a text. */
  readonly before: string;
  readonly after: string;
  readonly diff?: string;
  readonly precondition: string;
  /** How it is known that it worked. */
  readonly effect: string;
  readonly undo: string;
  readonly disruption: Disruption;
  readonly action: Action;
}

export interface Phase {
  readonly number: PhaseNumber;
  readonly title: string;
  readonly changes: readonly Change[];
  /** What is proven before the next phase begins. */
  readonly checks: readonly string[];
}

/** Why nothing will be done. A plan with a refusal is never carried out (exit 4). */
export interface Refusal {
  readonly code: string;
  readonly what: string;
  readonly why: string;
  readonly next: string;
}

export interface Plan {
  readonly apiVersion: 'fairlead/v1alpha1';
  readonly kind: 'Plan';
  readonly cluster: string;
  readonly mode: string;
  readonly endpoint: {
    /** undefined when the address is still to be reserved and no name is configured. */
    readonly wanted: string | undefined;
    readonly current: readonly string[];
  };
  readonly address: { readonly id: number; readonly ip: string } | undefined;
  readonly issuer: {
    /** What signs service-account tokens, during and after. */
    readonly inForce: string | undefined;
    readonly note: string;
  };
  readonly phases: readonly Phase[];
  readonly refusals: readonly Refusal[];
  readonly warnings: readonly string[];
}

export const changesOf = (plan: Plan): readonly Change[] => plan.phases.flatMap((phase) => phase.changes);
