import type { Clock } from '../../src/base/clock.ts';
import type { CloudLoadBalancer, TargetHealth } from '../cloud/types.ts';
import type { Fabric } from '../fabric/types.ts';

/**
 * What Hetzner does not say about its balancers, gathered in one place. `guess` in a comment: no document says it; the
 * value is what fits best with what users report.
 */
export interface BalancerKnobs {
  /**
   * Looks until a target that was never judged counts as healthy: guess. `unknown` turns `unhealthy` after `retries`
   * failures, as documented.
   */
  readonly successesFromUnknown: number;
  /** Whether a target that was never judged is sent connections: guess. */
  readonly unknownReceives: boolean;
  /** What becomes of connections to a target that is found unhealthy or is removed. They are not moved; kept: guess. */
  readonly connectionsOfLostTarget: 'keep' | 'reset';
  /** What a client sees while no target can be picked: accepted, then closed or reset. Guess. */
  readonly withoutTarget: 'close' | 'reset';
  /** What an http or https service answers while no target can be picked, or the picked one cannot be reached: guess. */
  readonly withoutTargetStatus: 503 | 502 | 504;
  /** What becomes of a connection more than the balancer's type takes: guess. */
  readonly connectionTooMany: 'close' | 'reset';
  /** How long a chosen target may take to answer a SYN, in milliseconds before division by speed, and how many are tried. Guess. */
  readonly connectTimeoutMs: number;
  readonly connectAttempts: number;
  /** Idle time after which a TCP connection is closed, in milliseconds before division; 0 = never. No value is documented: guess. */
  readonly tcpIdleMs: number;
  /** Version of the header that `proxyprotocol` puts before every connection: guess. */
  readonly proxyProtocolVersion: 1 | 2;
  /**
   * A health check never waits less than this, in real milliseconds: at speed 30 the shortest time-out (1 s) would be
   * 33 ms, and a busy computer would look like a dead target. A choice of the lab.
   */
  readonly leastTimeoutMs: number;
}

export const DEFAULT_BALANCER_KNOBS: BalancerKnobs = {
  successesFromUnknown: 1,
  unknownReceives: false,
  connectionsOfLostTarget: 'keep',
  withoutTarget: 'close',
  withoutTargetStatus: 503,
  connectionTooMany: 'close',
  connectTimeoutMs: 5_000,
  connectAttempts: 1,
  tcpIdleMs: 0,
  proxyProtocolVersion: 1,
  leastTimeoutMs: 250,
};

export interface BalancerPorts {
  readonly clock: Clock;
  readonly fabric: Fabric;
  /** Divides intervals and time-outs (1 to 30). */
  readonly speed: number;
  readonly knobs?: Partial<BalancerKnobs>;
  /** One line a thing that happened. */
  readonly log: (line: string) => void;
}

/** A balancer as it works at this moment. */
export interface BalancerState {
  readonly id: number;
  readonly name: string;
  /** Addresses that lead to it. */
  readonly addresses: readonly string[];
  readonly services: readonly {
    readonly port: number;
    /** False: nothing answers on the port in this lab. */
    readonly listens: boolean;
    readonly targets: readonly TargetState[];
  }[];
}

export interface TargetState {
  readonly key: string;
  readonly server: number | undefined;
  readonly address: string;
  readonly health: TargetHealth;
  /** Open now. */
  readonly connections: number;
}

/** The load balancers of a project: TCP proxies behind addresses of their own. */
export interface Balancers {
  /** A balancer is as described from now on; made when it is new. Resolves when its addresses and ports are in force. */
  apply(balancer: CloudLoadBalancer): Promise<void>;
  /** The balancer is no more: its addresses swallow. */
  remove(id: number): Promise<void>;
  /** All of them, in the order they were made. */
  states(): readonly BalancerState[];
  close(): Promise<void>;
}
