export type Level = 'error' | 'warning' | 'info';

/** A named diagnosis. */
export interface Finding {
  /** The rule's id: what scripts match on. */
  readonly id: string;
  readonly level: Level;
  /** What it is about: a node, an address, a file. */
  readonly subject: string;
  readonly message: string;
  readonly evidence: readonly string[];
  readonly remedy: string;
  /** The rule whose finding explains this one. */
  readonly causedBy: string | null;
}

export interface UnknownFact {
  readonly subject: string;
  readonly what: string;
  readonly why: string;
}

export type Verdict = 'sound' | 'broken' | 'unknown';

/** What `fairlead verify` answers. */
export interface Verification {
  readonly apiVersion: 'fairlead/v1alpha1';
  readonly kind: 'Verification';
  readonly verdict: Verdict;
  /** The rule at the root of it; null when nothing is broken. */
  readonly cause: string | null;
  readonly findings: readonly Finding[];
  readonly unknowns: readonly UnknownFact[];
}
