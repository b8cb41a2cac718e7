import type { Redacted } from '../base/redacted.ts';
import type { PatchScope } from './observation.ts';

export type Disruption = 'none' | 'one-apiserver-restarts' | 'address-moves' | 'reboot';

export type PhaseNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** What a change does, in a form that the carrying-out understands. Secrets stay wrapped. */
export type Action =
  | { readonly kind: 'reserve-address'; readonly name: string; readonly location: string }
  | { readonly kind: 'protect-address'; readonly id: number; readonly ip: string }
  | { readonly kind: 'assign-address'; readonly id: number; readonly ip: string; readonly server: number }
  | {
      readonly kind: 'node-config';
      readonly step: 'names-and-issuer' | 'vip' | 'endpoint';
      readonly node: string;
      readonly role: 'control-plane' | 'worker';
      readonly address: string;
      readonly sha256Before: string;
      readonly text: Redacted;
      /** What the served certificate must cover afterwards; empty on workers. */
      readonly names: readonly string[];
    }
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context: string | undefined }
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
