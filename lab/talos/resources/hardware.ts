import { createHash } from 'node:crypto';
import { HARDWARE } from '../api/observed/hardware.ts';
import type { Machine } from '../machine.ts';
import type { Resource } from './resource.ts';

const MIB = 1024 * 1024;

/** Board, processors, memory, disk and volumes. */
export function hardwareResources(machine: Machine): Resource[] {
  const { facts } = machine;
  const hardware = (type: string, id: string, spec: unknown): Resource => ({
    namespace: 'hardware',
    type: `${type}.hardware.talos.dev`,
    id,
    owner: 'hardware.SystemInfoController',
    spec,
  });
  const block = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'runtime',
    type: `${type}.block.talos.dev`,
    id,
    owner: `block.${owner}`,
    spec,
  });
  return [
    hardware('SystemInformations', 'systeminformation', {
      manufacturer: 'Hetzner',
      productName: 'vServer',
      version: '20171111',
      serialnumber: String(facts.serverId),
      uuid: uuidOf(String(facts.serverId)),
      wakeUpType: 'Power Switch',
    }),
    hardware('Processors', 'CPU-0', {
      socket: 'CPU 0',
      manufacturer: 'QEMU',
      productName: HARDWARE.cpuModel,
      maxSpeedMhz: HARDWARE.cpuMHz,
      bootSpeedMhz: HARDWARE.cpuMHz,
      status: 65,
      coreCount: HARDWARE.cpus,
      coreEnabled: HARDWARE.cpus,
      threadCount: HARDWARE.cpus,
    }),
    hardware('MemoryModules', 'DIMM-0', {
      sizeMiB: HARDWARE.memoryKiB / 1024,
      deviceLocator: 'DIMM 0',
      manufacturer: 'QEMU',
    }),
    block('Disks', 'sda', 'DisksController', {
      dev_path: '/dev/sda',
      size: HARDWARE.diskBytes,
      pretty_size: pretty(HARDWARE.diskBytes),
      io_size: 512,
      sector_size: 512,
      readonly: false,
      cdrom: false,
      model: 'QEMU HARDDISK',
      serial: 'drive-scsi0-0-0-0',
      modalias: 'scsi:t-0x00',
      bus_path: '/pci0000:00/0000:00:02.5/0000:06:00.0/virtio3/host0/target0:0:0/0:0:0:0',
      sub_system: '/sys/class/block',
      transport: 'virtio',
      rotational: true,
    }),
    block('SystemDisks', 'system-disk', 'SystemDiskController', { diskID: 'sda', devPath: '/dev/sda' }),
    ...volumes(machine).map(([id, spec]) => block('VolumeStatuses', id, 'VolumeManagerController', spec)),
  ];
}

/** Partitions of the system disk. STATE and EPHEMERAL wait for a config. */
function volumes(machine: Machine): readonly [string, Readonly<Record<string, unknown>>][] {
  const sizeOf = (on: string): number => HARDWARE.mounts.find((mount) => mount.on === on)?.size ?? 0;
  const partitions: readonly [string, number, number, string, string, boolean][] = [
    ['EFI', 1, 100 * MIB, 'vfat', '', false],
    ['META', 4, MIB, '', '', false],
    ['STATE', 5, sizeOf('/system/state'), 'xfs', '/system/state', true],
    ['EPHEMERAL', 6, sizeOf('/var'), 'xfs', '/var', true],
  ];
  return partitions.map(([id, index, size, filesystem, targetPath, configured]) => {
    if (configured && machine.active === undefined) return [id, { phase: 'waiting', type: 'partition' }];
    return [
      id,
      {
        phase: 'ready',
        type: 'partition',
        location: `/dev/sda${index}`,
        partitionIndex: index,
        parentLocation: '/dev/sda',
        uuid: uuidOf(`${machine.nodeId}/${id}`),
        partitionUUID: uuidOf(`${machine.nodeId}/${id}/partition`),
        size,
        prettySize: pretty(size),
        ...(filesystem === '' ? {} : { filesystem }),
        mountSpec:
          targetPath === ''
            ? {}
            : { targetPath, selinuxLabel: selinux(id), ...(id === 'EPHEMERAL' ? { projectQuotaSupport: false } : {}) },
      },
    ];
  });
}

const selinux = (id: string): string =>
  id === 'EPHEMERAL' ? 'system_u:object_r:ephemeral_t:s0' : 'system_u:object_r:system_state_t:s0';

/** The same for the same name, and no two alike. */
export function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Sizes as Talos shows them: powers of ten, two digits. */
export function pretty(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
}
