/** Why a probe got no answer. The same shapes as the probes give; the nouns do not depend on what makes them. */
export type ProbeFailure = 'timeout' | 'refused' | 'reset' | 'unreachable' | 'tls' | 'dns';

interface Failed {
  readonly kind: 'failed';
  readonly reason: ProbeFailure;
  readonly message: string;
}

/** What a TLS handshake showed; trust is judged against the cluster CA, names against the host that was dialled. */
export type HandshakeResult =
  | {
      readonly kind: 'served';
      readonly serial: string;
      readonly dnsNames: readonly string[];
      readonly ipAddresses: readonly string[];
      readonly notAfter: Date;
      readonly trusted: boolean;
      readonly problem?: string;
    }
  | Failed;

export type ReadyResult =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string; readonly ms: number }
  | Failed;
