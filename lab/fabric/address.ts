import type { Socket } from 'node:net';
import { createConnections } from './connections.ts';
import { listen, type Listener } from './listener.ts';
import { HOST_PORTS, type AddressState, type PortState } from './ports.ts';
import { silence, type Silence } from './silence.ts';

/** One address as clients see it. */
export interface HeldAddress {
  /** Brings the address into the wanted state; resolves when it is in force. Calls must not overlap. */
  apply(wanted: AddressState, connections: 'keep' | 'reset'): Promise<void>;
  close(): Promise<void>;
}

export function holdAddress(address: string): HeldAddress {
  const connections = createConnections();
  const listeners = new Map<number, Listener>();
  let state: AddressState = { kind: 'alive', ports: new Map() };
  let hole: Silence | undefined;

  const accept = (port: number, socket: Socket): void => {
    const now: PortState | undefined = state.kind === 'alive' ? state.ports.get(port) : undefined;
    if (now?.kind === 'forward') connections.forward(socket, now.hidden, port);
    else connections.hold(socket);
  };
  const ensure = async (ports: Iterable<number>): Promise<void> => {
    for (const port of ports)
      if (!listeners.has(port)) listeners.set(port, await listen(address, port, (socket) => accept(port, socket)));
  };

  const fallSilent = async (): Promise<void> => {
    if (hole !== undefined) return;
    connections.freeze();
    await ensure(HOST_PORTS);
    hole = await silence(address, [...listeners.values()]);
    listeners.clear();
  };
  const come = async (ports: ReadonlyMap<number, PortState>): Promise<void> => {
    for (const [port, listener] of listeners) {
      if (ports.has(port)) continue;
      listener.close();
      listeners.delete(port);
    }
    await ensure(ports.keys());
    const ended = hole;
    hole = undefined;
    await ended?.end();
    if ([...ports.values()].some((port) => port.kind === 'hang')) connections.freeze();
    else connections.forget();
  };

  return {
    async apply(wanted, fate) {
      if (fate === 'reset') connections.reset();
      state = wanted;
      await (wanted.kind === 'silent' ? fallSilent() : come(wanted.ports));
    },
    async close() {
      for (const listener of listeners.values()) listener.close();
      listeners.clear();
      connections.reset();
      await hole?.end();
      hole = undefined;
    },
  };
}
