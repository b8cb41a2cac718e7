import type { DescService } from '@bufbuild/protobuf';
import { State } from '../../../src/generated/cosi/state_pb.ts';
import { ClusterService } from './generated/cluster/cluster_pb.ts';
import { InspectService } from './generated/inspect/inspect_pb.ts';
import { DebugService } from './generated/machine/debug_pb.ts';
import { ImageService } from './generated/machine/image_pb.ts';
import { LifecycleService } from './generated/machine/lifecycle_pb.ts';
import { MachineService } from './generated/machine/machine_pb.ts';
import { StorageService } from './generated/storage/storage_pb.ts';
import { TimeService } from './generated/time/time_pb.ts';

/** All services of the Talos API. */
const SERVICES: readonly DescService[] = [
  MachineService,
  State,
  ClusterService,
  InspectService,
  StorageService,
  TimeService,
  ImageService,
  LifecycleService,
  DebugService,
];

const STREAMING = new Set(
  SERVICES.flatMap((service) =>
    service.methods
      .filter((method) => method.methodKind !== 'unary')
      .map((method) => `/${service.typeName}/${method.name}`),
  ),
);

/** Whether a call, named by its path, is answered by a stream. */
export const isStreaming = (path: string): boolean => STREAMING.has(path);
