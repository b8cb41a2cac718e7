import type { ConnectionFailure } from '../systems/connection-failure.ts';
import type { Outage } from './outages.ts';
import type { KubeContext } from '../systems/kubernetes/types.ts';

/** What a TLS handshake at an address showed. The chain is judged against the cluster CA, the name against `host`. */
export type HandshakeResult =
  | {
      readonly kind: 'served';
      readonly serial: string;
      readonly dnsNames: readonly string[];
      readonly ipAddresses: readonly string[];
      readonly notAfter: Date;
      readonly trusted: boolean;
      /** Why it is not trusted, in the client's words. */
      readonly problem?: string;
    }
  | {
      readonly kind: 'failed';
      readonly reason: ConnectionFailure;
      readonly message: string;
    };

export type ReadyResult =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string; readonly ms: number }
  | {
      readonly kind: 'failed';
      readonly reason: ConnectionFailure;
      readonly message: string;
    };

/** The four ways the prober uses each target (design §6). */
export type ProbePath = 'readNewConnection' | 'readKeptConnection' | 'write' | 'token';

export interface ProbeSample {
  readonly target: string;
  readonly path: ProbePath;
  /** Milliseconds of the prober's clock. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly ok: boolean;
  readonly status?: number;
  readonly error?: string;
}

export interface ProbeTarget {
  /** `endpoint`, `old-endpoint`, or a node's name. */
  readonly name: string;
  readonly context: KubeContext;
}

/**
 * Longest gap in milliseconds per target and path. A gap that is still open counts up to now; a path that never
 * succeeded is absent (its failures are in the report).
 */
export type Gaps = Readonly<Record<string, Partial<Record<ProbePath, number>>>>;

export interface ProberReport {
  readonly gaps: Gaps;
  /** Reads on new connections: of the target named `endpoint`; without such a target the largest of all. */
  readonly longestGapMs: number | undefined;
  /** Answers 401 to the token, over all targets; 403 counts as accepted. */
  readonly tokensRefused: number;
  readonly samples: number;
  readonly failures: readonly {
    readonly target: string;
    readonly path: ProbePath;
    readonly error: string;
    readonly count: number;
  }[];
}

/** Measures availability until it is stopped. */
export interface Prober {
  addTarget(target: ProbeTarget): void;
  /** Stops measuring a target; what was measured stays in the report, its open gap ends here. */
  removeTarget(name: string): void;
  /** Remembers this moment under a name. */
  mark(name: string): void;
  /** Everything, or what ended after the mark; a gap that spans the mark counts whole. */
  report(sinceMark?: string): ProberReport;
  /** Every time without an answer, in milliseconds of the clock it was started with, and what never answered. */
  outages(): {
    readonly gaps: readonly Outage[];
    readonly neverAnswered: readonly { readonly target: string; readonly error: string }[];
  };
  /** Ends all loops and connections; the report stays. */
  stop(): Promise<void>;
}
