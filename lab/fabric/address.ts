import type { Socket } from 'node:net';
import { createConnections, type Traffic } from './connections.ts';
import { listen, type Listener } from './listener.ts';
import type { AddressState, PortState } from './ports.ts';
import { silence, type Silence } from './silence.ts';

/** One address as clients see it. */
export interface HeldAddress {
  /**
   * Brings the address into the wanted state; resolves when it is in force. Calls must not overlap.
   * `held`: the ports that swallow when it is silent; every other one refuses.
   */
  apply(wanted: AddressState, connections: 'keep' | 'reset', held: Iterable<number>): Promise<void>;
  /** The rules between parties have changed. */
  reshape(): void;
  close(): Promise<void>;
}

export function holdAddress(address: string, traffic: Traffic): HeldAddress {
  const connections = createConnections(traffic);
  const listeners = new Map<number, Listener>();
  let state: AddressState = { kind: 'alive', ports: new Map() };
  const holes: Silence[] = [];
  const swallowed = new Set<number>();

  const accept = (port: number, socket: Socket): void => {
    const now: PortState | undefined = state.kind === 'alive' ? state.ports.get(port) : undefined;
    if (now?.kind === 'forward') connections.forward(socket, now.hidden, port);
    else connections.hold(socket);
  };
  const ensure = async (ports: Iterable<number>): Promise<void> => {
    for (const port of ports)
      if (!listeners.has(port)) listeners.set(port, await listen(address, port, (socket) => accept(port, socket)));
  };

  const fallSilent = async (held: Iterable<number>): Promise<void> => {
    connections.freeze();
    await ensure([...held].filter((port) => !swallowed.has(port)));
    if (listeners.size === 0) return;
    holes.push(await silence(address, [...listeners.values()]));
    for (const port of listeners.keys()) swallowed.add(port);
    listeners.clear();
  };
  const endSilence = async (): Promise<void> => {
    const ended = holes.splice(0);
    swallowed.clear();
    await Promise.all(ended.map((hole) => hole.end()));
  };
  const come = async (ports: ReadonlyMap<number, PortState>): Promise<void> => {
    for (const [port, listener] of listeners) {
      if (ports.has(port)) continue;
      listener.close();
      listeners.delete(port);
    }
    await ensure(ports.keys());
    await endSilence();
    if ([...ports.values()].some((port) => port.kind === 'hang')) connections.freeze();
    else connections.forget();
  };

  return {
    async apply(wanted, fate, held) {
      if (fate === 'reset') connections.reset();
      state = wanted;
      await (wanted.kind === 'silent' ? fallSilent(held) : come(wanted.ports));
    },
    reshape: () => connections.reshape(),
    async close() {
      for (const listener of listeners.values()) listener.close();
      listeners.clear();
      connections.reset();
      await endSilence();
    },
  };
}
