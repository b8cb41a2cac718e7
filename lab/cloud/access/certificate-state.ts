export interface Certificate {
  readonly id: number;
  name: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
  readonly type: 'uploaded' | 'managed';
  readonly domainNames: readonly string[];
  /** Of a managed one only once it was issued. */
  issued: IssuedCertificate | undefined;
  /** Of managed ones. */
  status: {
    readonly issuance: 'pending' | 'completed' | 'failed';
    readonly renewal: 'unavailable' | 'scheduled' | 'pending' | 'failed';
    readonly error: { readonly code: string; readonly message: string } | null;
  } | null;
}

export interface IssuedCertificate {
  /** The certificate, and the chain above it. */
  readonly pem: string;
  /** For the balancers that serve with it; never answered. */
  readonly key: string;
  readonly fingerprint: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}
