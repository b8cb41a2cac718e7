import type { Location } from '../catalogue.ts';

export interface PrimaryIP {
  readonly id: number;
  name: string;
  readonly type: 'ipv4' | 'ipv6';
  /** An IPv6 one is a /64 in CIDR form. */
  readonly ip: string;
  /** Balancers hold their addresses this way since October 2026; before, those are not listed. */
  assignee: { readonly type: 'server' | 'load_balancer'; readonly id: number } | null;
  autoDelete: boolean;
  readonly created: Date;
  readonly dnsPtr: Map<string, string>;
  labels: Readonly<Record<string, string>>;
  readonly location: Location;
  protection: { delete: boolean };
}
