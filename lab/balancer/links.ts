import type { Socket } from 'node:net';

/** A client and the target it was joined to. */
interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
}

/** The connections of one service, by target. */
export interface Links {
  count(target: string): number;
  /** Joins both sides for as long as one of them lives; half-closes travel, a reset on one side resets the other. */
  join(target: string, client: Socket, upstream: Socket): void;
  reset(target: string): void;
  resetAll(): void;
}

export function createLinks(idleMs: number): Links {
  const links = new Map<string, Set<Link>>();
  const of = (target: string): Set<Link> => {
    const known = links.get(target) ?? new Set();
    links.set(target, known);
    return known;
  };
  const reset = (target: string): void => {
    for (const { client, upstream } of of(target)) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  };

  return {
    count: (target) => links.get(target)?.size ?? 0,
    join(target, client, upstream) {
      const link = { client, upstream };
      of(target).add(link);
      const closes = (socket: Socket, other: Socket): void => {
        socket.on('error', () => other.resetAndDestroy());
        socket.on('close', (failed) => {
          of(target).delete(link);
          // What was said last still has to arrive.
          if (!failed) other.destroySoon();
        });
      };
      closes(client, upstream);
      closes(upstream, client);
      if (idleMs > 0) {
        client.setTimeout(idleMs, () => {
          client.destroy();
          upstream.destroy();
        });
      }
      client.pipe(upstream);
      upstream.pipe(client);
    },
    reset,
    resetAll() {
      for (const target of links.keys()) reset(target);
    },
  };
}
