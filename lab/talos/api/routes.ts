import type { ConnectRouter } from '@connectrpc/connect';
import { State } from '../../../src/generated/cosi/state_pb.ts';
import type { Machine } from '../machine.ts';
import type { ResourceStore } from '../resources/store.ts';
import type { MachineControl } from './control.ts';
import { MachineService } from './generated/machine/machine_pb.ts';
import { machineCalls } from './machine-service.ts';
import { stateCalls } from './state-service.ts';

/** The services of the Talos API, as far as the machine's release has them. */
export const talosRoutes =
  (machine: Machine, control: MachineControl, store: ResourceStore) =>
  (router: ConnectRouter): void => {
    router
      .service(MachineService, machineCalls(machine, control))
      .service(State, stateCalls(store, machine.ports.clock));
  };
