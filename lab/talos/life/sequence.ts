import type { Machine } from '../machine.ts';
import {
  PhaseEvent_Action as PhaseAction,
  PhaseEventSchema,
  SequenceEvent_Action as SequenceAction,
  SequenceEventSchema,
  TaskEvent_Action as TaskAction,
  TaskEventSchema,
} from '../api/generated/machine/machine_pb.ts';

export interface Task {
  readonly name: string;
  readonly work?: () => Promise<void>;
}

export interface Phase {
  readonly name: string;
  readonly tasks: readonly Task[];
}

/**
 * Carries out what the machine does in steps, each of which its events announce, on behalf of the actor who asked for it.
 * Rejects with the first task that fails; the steps after it are not begun.
 */
export async function runSequence(
  machine: Machine,
  sequence: string,
  phases: readonly Phase[],
  actorId: string,
): Promise<void> {
  const { events } = machine;
  const announce = (action: SequenceAction, error?: string): void =>
    events.emit(
      SequenceEventSchema,
      { sequence, action, ...(error === undefined ? {} : { error: { message: error } }) },
      actorId,
    );
  announce(SequenceAction.START);
  machine.log(`${sequence} sequence: ${phases.length} phase(s)`);
  try {
    for (const [index, phase] of phases.entries()) {
      machine.log(`phase ${phase.name} (${index + 1}/${phases.length}): ${phase.tasks.length} tasks(s)`);
      events.emit(PhaseEventSchema, { phase: phase.name, action: PhaseAction.START }, actorId);
      for (const task of phase.tasks) {
        events.emit(TaskEventSchema, { task: task.name, action: TaskAction.START }, actorId);
        await task.work?.();
        events.emit(TaskEventSchema, { task: task.name, action: TaskAction.STOP }, actorId);
      }
      events.emit(PhaseEventSchema, { phase: phase.name, action: PhaseAction.STOP }, actorId);
    }
  } catch (error) {
    announce(SequenceAction.STOP, error instanceof Error ? error.message : String(error));
    throw error;
  }
  machine.log(`${sequence} sequence: done`);
  announce(SequenceAction.STOP);
}
