import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import type { Machine } from '../machine.ts';
import { DependencyEdgeType, type InspectService } from './generated/inspect/inspect_pb.ts';
import { Disk_DiskType, type StorageService } from './generated/storage/storage_pb.ts';
import type { TimeService } from './generated/time/time_pb.ts';
import { HARDWARE } from './observed/hardware.ts';

const DEFAULT_SERVER = 'time.cloudflare.com';

/** The machine's clock beside that of a time server, which is the lab's own clock under any name. */
export function timeCalls(machine: Machine): ServiceImpl<typeof TimeService> {
  const own = (): Date => machine.ports.clock.wall();
  const others = (): Date => new Date(own().getTime() - (machine.ailments.clockSkewMs ?? 0));
  const answer = (server: string) => ({
    messages: [
      {
        server,
        localtime: timestampFromDate(own()),
        remotetime: timestampFromDate(others()),
      },
    ],
  });
  return {
    time: () => answer(DEFAULT_SERVER),
    timeCheck: ({ server }) => answer(server),
  };
}

export function storageCalls(): ServiceImpl<typeof StorageService> {
  return {
    disks: () => ({
      messages: [
        {
          disks: [
            {
              size: BigInt(HARDWARE.diskBytes),
              model: 'QEMU HARDDISK',
              deviceName: '/dev/sda',
              type: Disk_DiskType.SSD,
              busPath: '/pci0000:00/0000:00:02.5/0000:06:00.0/virtio5/host0/target0:0:0/0:0:0:0',
              systemDisk: true,
              subsystem: '/sys/class/block',
            },
          ],
        },
      ],
    }),
    blockDeviceWipe({ devices }) {
      for (const { device } of devices) {
        if (device === 'sda' || device.startsWith('sda')) {
          throw new ConnectError(`blockdevice ${JSON.stringify(device)} is in use by disk`, Code.FailedPrecondition);
        }
        // A second disk is a volume of the cloud, whose bytes the lab does not keep: there is nothing to wipe.
        if (!/^sd[b-z]$/.test(device)) {
          throw new ConnectError(`blockdevice ${JSON.stringify(device)} not found`, Code.NotFound);
        }
      }
      return { messages: [{}] };
    },
  };
}

/** A few of the edges that the lab's node really has. */
const EDGES: readonly (readonly [controller: string, input: string, output: string])[] = [
  ['network.NodeAddressController', 'AddressStatuses.net.talos.dev', 'NodeAddresses.net.talos.dev'],
  ['network.OperatorVIPConfigController', 'MachineConfigs.config.talos.dev', 'OperatorSpecs.net.talos.dev'],
  ['secrets.APICertSANsController', 'NodeAddresses.net.talos.dev', 'CertSANs.secrets.talos.dev'],
  ['secrets.KubernetesCertSANsController', 'NodeAddresses.net.talos.dev', 'CertSANs.secrets.talos.dev'],
];

export function inspectCalls(): ServiceImpl<typeof InspectService> {
  return {
    controllerRuntimeDependencies: () => ({
      messages: [
        {
          edges: EDGES.flatMap(([controllerName, input, output]) => [
            { controllerName, edgeType: DependencyEdgeType.OUTPUT_SHARED, resourceType: output },
            { controllerName, edgeType: DependencyEdgeType.INPUT_WEAK, resourceType: input },
          ]),
        },
      ],
    }),
  };
}
