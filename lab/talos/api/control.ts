import type { ApplyRequest, ApplyResult } from '../apply/apply.ts';
import type { EtcdService } from '../control-plane/etcd.ts';

/** What a call of the Talos API may do to the machine. */
export interface MachineControl {
  readonly etcd: () => EtcdService | undefined;
  readonly apply: (request: ApplyRequest) => Promise<ApplyResult>;
  /** Begins after the reply. */
  readonly reboot: (how: 'orderly' | 'forced') => void;
  readonly shutdown: () => void;
  readonly restartKubelet: () => Promise<void>;
  readonly restartEtcd: () => Promise<void>;
  readonly events: EventLog;
}

export interface MachineEvent {
  readonly id: string;
  readonly actorId: string;
  readonly type: 'SequenceEvent' | 'TaskEvent' | 'MachineStatusEvent';
  readonly value: Uint8Array;
}

/** The last events of the machine, and those to come. */
export interface EventLog {
  emit(event: Omit<MachineEvent, 'id'>): void;
  recent(count: number): readonly MachineEvent[];
  follow(signal: AbortSignal): AsyncIterable<MachineEvent>;
}

const KEPT = 200;

export function createEventLog(newId: () => string): EventLog {
  const kept: MachineEvent[] = [];
  const listeners = new Set<(event: MachineEvent) => void>();
  return {
    emit(event) {
      const full = { ...event, id: newId() };
      kept.push(full);
      if (kept.length > KEPT) kept.shift();
      for (const listener of listeners) listener(full);
    },
    recent: (count) => (count < 0 ? [...kept] : kept.slice(Math.max(0, kept.length - count))),
    async *follow(signal) {
      const queue: MachineEvent[] = [];
      let wake: () => void = () => {};
      const listener = (event: MachineEvent): void => {
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
  };
}
