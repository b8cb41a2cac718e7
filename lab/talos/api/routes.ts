import type { ConnectRouter } from '@connectrpc/connect';
import { State } from '../../../src/generated/cosi/state_pb.ts';
import type { Machine } from '../machine.ts';
import type { ResourceStore } from '../resources/store.ts';
import type { MachineControl } from './control.ts';
import { ClusterService } from './generated/cluster/cluster_pb.ts';
import { InspectService } from './generated/inspect/inspect_pb.ts';
import { ImageService } from './generated/machine/image_pb.ts';
import { LifecycleService } from './generated/machine/lifecycle_pb.ts';
import { MachineService } from './generated/machine/machine_pb.ts';
import { StorageService } from './generated/storage/storage_pb.ts';
import { TimeService } from './generated/time/time_pb.ts';
import { healthCalls } from './health/calls.ts';
import { createImageStore, imageCalls, lifecycleCalls } from './image-calls.ts';
import { machineCalls } from './machine-service.ts';
import { inspectCalls, storageCalls, timeCalls } from './small-services.ts';
import { stateCalls } from './state-service.ts';

/** The services of the Talos API, as far as the machine's release has them. */
export function talosRoutes(machine: Machine, control: MachineControl, store: ResourceStore) {
  const images = createImageStore(machine, control);
  return (router: ConnectRouter): void => {
    router
      .service(MachineService, machineCalls(machine, control, images))
      .service(State, stateCalls(store, machine.ports.clock))
      .service(ClusterService, healthCalls(machine))
      .service(InspectService, inspectCalls())
      .service(StorageService, storageCalls())
      .service(TimeService, timeCalls(machine));
    if (/^v1\.1[12]\./.test(machine.ports.version)) return;
    router.service(ImageService, imageCalls(images)).service(LifecycleService, lifecycleCalls(machine));
  };
}
