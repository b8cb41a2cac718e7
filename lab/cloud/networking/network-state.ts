export interface Subnet {
  readonly type: 'cloud' | 'server' | 'vswitch';
  readonly ipRange: string;
  readonly networkZone: string;
  readonly vswitch: number | null;
}

export interface Route {
  readonly destination: string;
  readonly gateway: string;
}

export interface Network {
  readonly id: number;
  name: string;
  ipRange: string;
  readonly created: Date;
  subnets: readonly Subnet[];
  routes: readonly Route[];
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean };
  exposeRoutesToVSwitch: boolean;
}
