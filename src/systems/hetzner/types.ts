import type { Redacted } from '../../base/redacted.ts';

/** What fairlead reads of a Hetzner server. */
export interface Server {
  readonly id: number;
  readonly name: string;
  readonly status: string;
  readonly publicIPv4: string | undefined;
  readonly privateIPv4: readonly {
    readonly network: number;
    readonly ip: string;
    readonly aliasIps: readonly string[];
  }[];
  readonly floatingIPs: readonly number[];
  readonly labels: Readonly<Record<string, string>>;
  readonly location: string;
  readonly networkZone: string;
}

export interface FloatingIP {
  readonly id: number;
  readonly name: string;
  readonly ip: string;
  readonly type: 'ipv4' | 'ipv6';
  /** The server the cloud routes it to. */
  readonly server: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly homeLocation: string;
  readonly networkZone: string;
  readonly protected: boolean;
}

export interface Location {
  readonly name: string;
  readonly networkZone: string;
}

/** A closed answer to "what may this token do", found without changing anything. */
export type TokenClass = 'read-write' | 'read-only' | 'unauthorized';

/**
 * The narrow client of the Hetzner Cloud API. Every call waits for the action it starts and repeats what may pass by itself
 * (locked, conflict, 429, 5xx); a POST is repeated only after looking whether it happened.
 */
export interface HetznerClient {
  servers(signal?: AbortSignal): Promise<Server[]>;
  floatingIPs(signal?: AbortSignal): Promise<FloatingIP[]>;
  floatingIP(id: number, signal?: AbortSignal): Promise<FloatingIP | undefined>;
  locations(signal?: AbortSignal): Promise<Location[]>;
  /** Changes nothing: POST of an action that cannot succeed (assign of floating IP 0): 401/403 tells the class, 404 the right to write. */
  tokenClass(signal?: AbortSignal): Promise<TokenClass>;
  createFloatingIP(
    spec: { name: string; location: string; description: string; labels: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<FloatingIP>;
  setProtection(id: number, on: boolean, signal?: AbortSignal): Promise<void>;
  assign(id: number, serverId: number, signal?: AbortSignal): Promise<void>;
  unassign(id: number, signal?: AbortSignal): Promise<void>;
  /** It must be unassigned and unprotected. Gone already is as good as deleted. */
  deleteFloatingIP(id: number, signal?: AbortSignal): Promise<void>;
  /** What the last answer said about the shared budget; undefined before the first. */
  readonly rateLimit: { readonly limit: number; readonly remaining: number; readonly resetAt: Date } | undefined;
}

export interface HetznerOptions {
  readonly token: Redacted;
  /** Default https://api.hetzner.cloud/v1 */
  readonly endpoint?: string;
  /** Longest wait for one answer. Default 15 s. */
  readonly requestTimeoutMs?: number;
  /** Repeats of what may pass by itself; full jitter. Default 6 attempts, 500 ms doubling up to 10 s. */
  readonly retry?: { readonly attempts?: number; readonly baseMs?: number; readonly capMs?: number };
  /** How an action is waited for. Default: first look after 500 ms, growing to 5 s, for at most 3 minutes. */
  readonly actionPoll?: { readonly baseMs?: number; readonly capMs?: number; readonly timeoutMs?: number };
}
