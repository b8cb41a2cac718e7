export interface Certificate {
  readonly id: number;
  name: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
  readonly type: 'uploaded' | 'managed';
  readonly domainNames: readonly string[];
  /** Of a managed one only once it was issued. The private key is looked at and forgotten. */
  readonly issued:
    | { readonly pem: string; readonly fingerprint: string; readonly notBefore: Date; readonly notAfter: Date }
    | undefined;
  /** Of managed ones. */
  status: {
    readonly issuance: 'pending' | 'completed' | 'failed';
    readonly renewal: 'unavailable' | 'scheduled' | 'pending' | 'failed';
    readonly error: { readonly code: string; readonly message: string } | null;
  } | null;
}
