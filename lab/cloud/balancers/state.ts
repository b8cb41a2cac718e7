import type { LoadBalancerType, Location } from '../catalogue.ts';
import type { TargetHealth } from '../types.ts';

export interface HealthCheck {
  readonly protocol: 'tcp' | 'http';
  readonly port: number;
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly http: {
    readonly domain: string;
    readonly path: string;
    readonly response: string;
    readonly statusCodes: readonly string[];
    readonly tls: boolean;
  } | null;
}

export interface Service {
  readonly protocol: 'tcp' | 'http' | 'https';
  /** What tells the services of a balancer apart. */
  readonly listenPort: number;
  readonly destinationPort: number;
  readonly proxyProtocol: boolean;
  readonly http: {
    readonly certificates: readonly number[];
    readonly cookieName: string;
    /** Seconds. */
    readonly cookieLifetime: number;
    readonly redirectHTTP: boolean;
    readonly stickySessions: boolean;
    readonly timeoutIdle: number;
  } | null;
  readonly healthCheck: HealthCheck;
}

export type Target =
  | { readonly type: 'server'; readonly server: number; readonly usePrivateIP: boolean }
  | {
      readonly type: 'label_selector';
      readonly selector: string;
      readonly usePrivateIP: boolean;
      /** The servers that carried the labels when they were last looked at. */
      readonly servers: readonly number[];
    }
  | { readonly type: 'ip'; readonly ip: string };

export interface LoadBalancer {
  readonly id: number;
  name: string;
  readonly created: Date;
  readonly location: Location;
  type: LoadBalancerType;
  labels: Readonly<Record<string, string>>;
  protection: { delete: boolean };
  algorithm: 'round_robin' | 'least_connections';
  publicEnabled: boolean;
  /** At most one network. */
  attached: { readonly network: number; readonly ip: string } | undefined;
  services: readonly Service[];
  targets: readonly Target[];
  /** By `targetKey listenPort`; what is not there is unknown. */
  readonly health: Map<string, TargetHealth>;
}
