import type { Socket } from 'node:net';
import type { CloudService } from '../cloud/types.ts';

/** A target that was picked for a connection or a request. */
export interface Chosen {
  readonly key: string;
  readonly address: string;
}

/** What a front asks of the service it stands before. */
export interface Backend {
  /** The service as it is now. */
  readonly service: CloudService;
  /**
   * A healthy target that was not tried yet; undefined when there is none. `wanted` is taken before all others while it
   * is one of them.
   */
  pick(tried: ReadonlySet<string>, wanted?: string): Chosen | undefined;
  /** One more connection or request is open to a target, until the returned function is called. */
  occupy(target: string): () => void;
  /** Counts a new connection until it closes. False: the balancer has as many as its type takes. */
  admit(client: Socket): boolean;
}

/** The side of a service that clients see. */
export interface Front {
  /** Accepts on the hidden address; rejects when the port is taken. */
  listen(): Promise<void>;
  readonly listening: boolean;
  /** The service has changed, but for its port and protocol. */
  update(): void;
  /** Connections to this target are reset. */
  reset(target: string): void;
  /** Stops listening; open connections are reset. */
  close(): void;
}
