import {
  MachineStatusEvent_MachineStage as Stage,
  MachineStatusEventSchema,
} from '../api/generated/machine/machine_pb.ts';
import type { Machine } from '../machine.ts';
import { unmetConditions } from '../resources/runtime.ts';
import type { NodeStage } from '../types.ts';

const STAGES: Readonly<Record<NodeStage, Stage>> = {
  booting: Stage.BOOTING,
  maintenance: Stage.MAINTENANCE,
  running: Stage.RUNNING,
  rebooting: Stage.REBOOTING,
  'shutting-down': Stage.SHUTTING_DOWN,
  resetting: Stage.RESETTING,
  upgrading: Stage.UPGRADING,
  off: Stage.UNKNOWN,
  gone: Stage.UNKNOWN,
};

/** Announces the machine's stage and what keeps it from being ready, whenever that changes. Answers how to end it. */
export function announceStatus(machine: Machine): () => void {
  let last = '';
  const look = (): void => {
    const unmet = machine.active === undefined ? [] : unmetConditions(machine);
    const known = machine.active !== undefined || machine.stage === 'maintenance';
    const status = { ready: known && unmet.length === 0, unmetConditions: unmet };
    const now = JSON.stringify([machine.stage, status]);
    if (now === last) return;
    last = now;
    machine.events.emit(MachineStatusEventSchema, { stage: STAGES[machine.stage], status });
  };
  look();
  return machine.onChange(look);
}
