import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { unsupported, type Listener } from './listener.ts';

/** With the smallest queue (a backlog of 1) the kernel takes two connections nobody accepts and drops every further SYN. */
const FILLERS = 2;

/** An address whose SYNs are swallowed, until `end`. */
export interface Silence {
  /** The process that keeps the sockets. */
  readonly pid: number;
  /** The sockets are closed: whatever listens beside them now answers alone. */
  end(): Promise<void>;
}

/**
 * Turns listening sockets into a hole: a child inherits them, their queues are shrunk and filled, and they are closed
 * here. All of it happens between two turns of the event loop, so no client is accepted or refused in between, and one
 * whose connection still waits in a queue is simply never answered.
 *
 * The child is `cat` on a pipe: it never accepts, costs next to nothing, and ends by itself when the lab's process does.
 */
export async function silence(address: string, listeners: readonly Listener[]): Promise<Silence> {
  const keeper = spawn('cat', [], { stdio: ['pipe', 'ignore', 'ignore', ...listeners.map((l) => l.fd)], env: {} });
  if (keeper.pid === undefined) throw unsupported((await once(keeper, 'error'))[0]);
  const fillers: Socket[] = [];
  for (const listener of listeners) {
    listener.shrink();
    for (let n = 0; n < FILLERS; n += 1) fillers.push(filler(address, listener.port));
  }
  // Node calls connect(2) in the next tick, still before it looks for new connections.
  await new Promise((resolve) => process.nextTick(resolve));
  awaitFull(
    address,
    listeners.map((l) => l.port),
  );
  for (const listener of listeners) listener.close();
  keeper.unref();
  return { pid: keeper.pid, end: () => end(keeper, fillers) };
}

async function end(keeper: ChildProcess, fillers: readonly Socket[]): Promise<void> {
  if (keeper.exitCode === null && keeper.signalCode === null) {
    const exited = once(keeper, 'exit');
    keeper.ref();
    keeper.kill('SIGKILL');
    await exited;
  }
  for (const socket of fillers) socket.destroy();
}

function filler(address: string, port: number): Socket {
  const socket = connect({ host: address, port });
  socket.on('error', () => {});
  socket.unref();
  return socket;
}

/** The kernel may still be busy with the handshakes: waits, without giving the event loop a turn, until all queues are full. */
function awaitFull(address: string, ports: readonly number[]): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 200; tries += 1) {
    const waiting = queueLengths(address, listeningSockets());
    if (ports.every((port) => (waiting.get(port) ?? 0) >= FILLERS)) return;
    Atomics.wait(pause, 0, 0, 1);
  }
  throw unsupported(`the queues of ${address} did not fill within 200 ms`);
}

/**
 * The head of /proc/net/tcp. The kernel prints listening sockets first and each only when it is read; the rest, which may
 * be tens of thousands of connections in TIME_WAIT, is left unread.
 */
function listeningSockets(): string {
  const file = openSync('/proc/net/tcp', 'r');
  const chunk = Buffer.alloc(16_384);
  let table = '';
  try {
    for (;;) {
      const length = readSync(file, chunk);
      table += chunk.toString('latin1', 0, length);
      if (length === 0 || /^ *\d+: \S+ \S+ (?!0A )\S\S .*\n/m.test(chunk.toString('latin1', 0, length))) return table;
    }
  } finally {
    closeSync(file);
  }
}

/** Connections that wait to be accepted, per listening port of an address, from the text of /proc/net/tcp. */
export function queueLengths(address: string, table: string): Map<number, number> {
  // The kernel prints the address as one number of the machine's byte order; every Linux that Node runs on is little-endian.
  const octets = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  const wanted = octets.toReversed().join('').toUpperCase();
  const lengths = new Map<number, number>();
  for (const line of table.split('\n')) {
    const [, local, , state, queues] = line.trim().split(/\s+/);
    if (state !== '0A' || local === undefined || queues === undefined) continue;
    const [ip, port] = local.split(':');
    if (ip !== wanted || port === undefined) continue;
    lengths.set(Number.parseInt(port, 16), Number.parseInt(queues.split(':')[1] ?? '0', 16));
  }
  return lengths;
}
