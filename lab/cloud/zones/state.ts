export interface ZoneRecord {
  readonly value: string;
  readonly comment: string;
}

export interface RRSet {
  /** Relative to the zone; `@` is the zone itself. */
  readonly name: string;
  readonly type: string;
  ttl: number | null;
  labels: Readonly<Record<string, string>>;
  protection: { change: boolean };
  records: readonly ZoneRecord[];
}

export interface Zone {
  readonly id: number;
  readonly name: string;
  readonly mode: 'primary' | 'secondary';
  ttl: number;
  readonly created: Date;
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean };
  status: 'ok' | 'updating' | 'error';
  primaryNameservers: readonly PrimaryNameserver[];
  /** By `name/TYPE`. */
  rrsets: ReadonlyMap<string, RRSet>;
}

export interface PrimaryNameserver {
  readonly address: string;
  readonly port: number;
  readonly tsig_algorithm?: string | undefined;
  readonly tsig_key?: string | undefined;
}

export const rrsetId = ({ name, type }: { readonly name: string; readonly type: string }): string => `${name}/${type}`;
