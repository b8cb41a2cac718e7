export interface FirewallRule {
  readonly direction: 'in' | 'out';
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'esp' | 'gre';
  /** `80`, `80-85` or `any`; null where the protocol has no ports. */
  readonly port: string | null;
  readonly sourceIPs: readonly string[];
  readonly destinationIPs: readonly string[];
  readonly description: string | null;
}

export type FirewallTarget =
  | { readonly type: 'server'; readonly server: number }
  | { readonly type: 'label_selector'; readonly selector: string };

export interface Firewall {
  readonly id: number;
  name: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
  rules: readonly FirewallRule[];
  appliedTo: readonly FirewallTarget[];
}
