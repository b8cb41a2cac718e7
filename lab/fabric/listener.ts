import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Failure, textOf } from '../../src/base/failure.ts';
import { portInUse } from './range.ts';

/** What the fabric needs of Node's handle of a listening socket: its descriptor, and listen(2) once more. */
interface ListenHandle {
  readonly fd: number;
  listen(backlog: number): number;
}

/** A listening socket of the fabric. */
export interface Listener {
  readonly port: number;
  readonly fd: number;
  /** Shrinks the queue to the smallest there is (listen(2) on a socket that listens only changes its backlog). */
  shrink(): void;
  /** Stops listening here at once; the socket lives on where it was inherited. */
  close(): void;
}

/**
 * Listens on address:port. All sockets of the fabric share their port (SO_REUSEPORT), so that a new listener can stand
 * beside one that swallows before that one ends: no moment of refusal between the two.
 */
export async function listen(address: string, port: number, accept: (socket: Socket) => void): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, accept);
  server.listen({ host: address, port, reusePort: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw portInUse(address, port);
    throw error;
  }
  const handle = handleOf(server);
  return {
    port,
    fd: handle.fd,
    shrink() {
      const code = handle.listen(1);
      if (code !== 0) throw unsupported(`listen(2) answered ${code}`);
    },
    close: () => void server.close(),
  };
}

function handleOf(server: Server): ListenHandle {
  const handle: unknown = Reflect.get(server, '_handle');
  if (isListenHandle(handle)) return handle;
  throw unsupported('this Node has no listening handle with a descriptor');
}

const isListenHandle = (value: unknown): value is ListenHandle =>
  typeof value === 'object' &&
  value !== null &&
  'fd' in value &&
  typeof value.fd === 'number' &&
  'listen' in value &&
  typeof value.listen === 'function';

export const unsupported = (why: unknown): Failure =>
  new Failure({
    code: 'lab-fabric-unsupported',
    what: 'the loopback fabric cannot silence an address',
    why: textOf(why),
    state: 'the address answers as before',
    next: 'use the Node version that package.json names, on Linux',
  });
