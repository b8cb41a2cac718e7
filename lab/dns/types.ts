import type { Clock } from '../../src/base/clock.ts';
import type { CloudZone } from '../cloud/types.ts';
import type { Audit } from '../world/audit.ts';

/** What a fault makes of one question. */
export type DnsFault =
  /** No answer at all. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'no-such-name' }
  | { readonly kind: 'server-failure' }
  /** Answered out of the zones as they were at that time of the clock (`clock.now()`). */
  | { readonly kind: 'stale'; readonly at: number }
  /** A questions are answered with this address. */
  | { readonly kind: 'wrong'; readonly address: string };

export interface DnsKnobs {
  /** Time between a successful change in the API and the name servers knowing it, in milliseconds before division by speed. Guess. */
  readonly propagationMs: number;
}

export const DEFAULT_DNS_KNOBS: DnsKnobs = { propagationMs: 1_000 };

export interface DnsOptions {
  readonly address: string;
  readonly port: number;
  readonly clock: Clock;
  /** Divides the knob's time (1 to 30). */
  readonly speed: number;
  readonly audit: Audit;
  readonly knobs?: Partial<DnsKnobs>;
  /** Asked for every question; undefined = answered as usual. `name` in lower case, without a trailing dot. */
  readonly fault?: (question: { readonly name: string; readonly type: string }) => DnsFault | undefined;
  /** One line a thing that happened. */
  readonly log: (line: string) => void;
}

/** The name server of all zones of a project. */
export interface DnsServer {
  readonly address: string;
  readonly port: number;
  /** The zone is as described from now on; known to clients after the propagation time. */
  apply(zone: CloudZone): void;
  remove(id: number): void;
  close(): Promise<void>;
}
