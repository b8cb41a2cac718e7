import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';

export interface MachineEvent {
  readonly id: string;
  readonly actorId: string;
  /** `talos/runtime/machine.<Name>`; empty in the greeting. */
  readonly typeUrl: string;
  readonly value: Uint8Array;
  readonly at: Date;
}

export interface EventQuery {
  /** So many of the past first; below zero: all that are kept. */
  readonly tailEvents: number;
  /** Those after this one. */
  readonly tailId: string;
  readonly tailSeconds: number;
  /** Only those of this actor. */
  readonly actorId: string;
}

/** The last events of the machine, and those to come. Memory: a reboot clears it. */
export interface EventLog {
  emit<Desc extends DescMessage>(schema: Desc, event: MessageInitShape<Desc>, actorId?: string): void;
  /** An event without content, which tells that the stream stands. */
  greeting(actorId: string): MachineEvent;
  /** The last event of a kind that is kept. */
  latest(schema: DescMessage): MachineEvent | undefined;
  watch(query: EventQuery, signal: AbortSignal): AsyncIterable<MachineEvent>;
  clear(): void;
}

const KEPT = 1_000;

export function createEventLog(clock: Clock, random: Random): EventLog {
  let kept: MachineEvent[] = [];
  let count = 0;
  const listeners = new Set<(event: MachineEvent) => void>();
  const seed = Array.from({ length: 8 }, () => DIGITS[Math.floor(random.next() * 32)] ?? '0').join('');

  /** Sorts as it was made: 20 characters as Talos' ids have. */
  const newId = (at: Date): string => {
    count += 1;
    return base32(Math.floor(at.getTime() / 1000), 7) + seed + base32(count, 5);
  };

  const past = (query: EventQuery): readonly MachineEvent[] => {
    const { tailEvents, tailId, tailSeconds } = query;
    if (tailId !== '') return kept.filter((event) => event.id > tailId);
    if (tailSeconds > 0) {
      const since = clock.wall().getTime() - tailSeconds * 1000;
      return kept.filter((event) => event.at.getTime() >= since);
    }
    return tailEvents < 0 ? kept : kept.slice(Math.max(0, kept.length - tailEvents));
  };

  return {
    emit(schema, event, actorId = '') {
      const at = clock.wall();
      const full: MachineEvent = {
        id: newId(at),
        actorId,
        // Talos packs its events under a prefix of its own.
        typeUrl: `talos/runtime/${schema.typeName}`,
        value: toBinary(schema, create(schema, event)),
        at,
      };
      kept.push(full);
      if (kept.length > KEPT) kept.shift();
      for (const listener of listeners) listener(full);
    },
    greeting(actorId) {
      const at = clock.wall();
      return { id: newId(at), actorId, typeUrl: '', value: new Uint8Array(), at };
    },
    latest: (schema) => kept.findLast((event) => event.typeUrl.endsWith(`/${schema.typeName}`)),
    async *watch(query, signal) {
      const wanted = (event: MachineEvent): boolean => query.actorId === '' || event.actorId === query.actorId;
      const queue = past(query).filter(wanted);
      let wake: () => void = () => {};
      const listener = (event: MachineEvent): void => {
        if (!wanted(event)) return;
        queue.push(event);
        wake();
      };
      listeners.add(listener);
      const stop = (): void => wake();
      signal.addEventListener('abort', stop);
      try {
        while (!signal.aborted) {
          const event = queue.shift();
          if (event !== undefined) yield event;
          else {
            await new Promise<void>((resolve) => {
              wake = resolve;
              if (signal.aborted || queue.length > 0) resolve();
            });
          }
        }
      } finally {
        listeners.delete(listener);
        signal.removeEventListener('abort', stop);
      }
    },
    clear() {
      kept = [];
    },
  };
}

const DIGITS = '0123456789abcdefghijklmnopqrstuv';

const base32 = (value: number, width: number): string => value.toString(32).padStart(width, '0').slice(-width);
