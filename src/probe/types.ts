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
      readonly reason: 'timeout' | 'refused' | 'reset' | 'unreachable' | 'tls' | 'dns';
      readonly message: string;
    };

export type ReadyResult =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string; readonly ms: number }
  | {
      readonly kind: 'failed';
      readonly reason: 'timeout' | 'refused' | 'reset' | 'unreachable' | 'tls' | 'dns';
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

/** Longest gap in milliseconds per target and path; a path without two successes is absent. */
export type Gaps = Readonly<Record<string, Partial<Record<ProbePath, number>>>>;

export interface ProberReport {
  readonly gaps: Gaps;
  readonly longestGapMs: number | undefined;
  readonly tokensRefused: number;
  readonly samples: number;
  readonly failures: readonly {
    readonly target: string;
    readonly path: ProbePath;
    readonly error: string;
    readonly count: number;
  }[];
}
