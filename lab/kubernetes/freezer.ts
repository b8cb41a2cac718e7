import type { Server, Socket } from 'node:net';
import type { Interceptor } from '@connectrpc/connect';

/**
 * What SIGSTOP is to a process, for the stand-ins inside the lab's own: the kernel still accepts connections and takes bytes,
 * and nothing is done with them until it goes on. (Signs of life of HTTP/2 itself are still answered.)
 */
export interface Freezer {
  readonly frozen: boolean;
  freeze(): void;
  thaw(): void;
  /** Resolves when it is not frozen: at once, as a rule. */
  pass(): Promise<void>;
  /** New connections of a server wait in its queue while it is frozen. */
  guard(server: Server): void;
}

export function createFreezer(): Freezer {
  let ice: PromiseWithResolvers<void> | undefined;
  const freezer: Freezer = {
    get frozen() {
      return ice !== undefined;
    },
    freeze() {
      ice ??= Promise.withResolvers<void>();
    },
    thaw() {
      const melted = ice;
      ice = undefined;
      melted?.resolve();
    },
    async pass() {
      while (ice !== undefined) await ice.promise;
    },
    guard(server) {
      const listeners = server.listeners('connection');
      server.removeAllListeners('connection');
      server.on('connection', (socket: Socket) => {
        const take = (): void => {
          for (const listener of listeners) listener.call(server, socket);
        };
        if (ice === undefined) take();
        else {
          const gone = (): void => void socket.destroy();
          socket.once('error', gone);
          void freezer.pass().then(() => {
            socket.off('error', gone);
            if (!socket.destroyed) take();
          });
        }
      });
    },
  };
  return freezer;
}

/** Holds calls, and every message of a stream, in both directions. */
export function holdCalls(freezer: Freezer): Interceptor {
  async function* held<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
    for await (const message of messages) {
      await freezer.pass();
      yield message;
    }
  }
  return (next) => async (request) => {
    await freezer.pass();
    const answer = await next(request.stream ? { ...request, message: held(request.message) } : request);
    await freezer.pass();
    return answer.stream ? { ...answer, message: held(answer.message) } : answer;
  };
}
