import { createHash } from 'node:crypto';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { ContainerDriver } from '../generated/common/common_pb.ts';
import { ConnectRecord_State, NetstatRequest_Filter, type MachineService } from '../generated/machine/machine_pb.ts';
import type { Machine } from '../../machine.ts';
import type { MachineControl } from '../control.ts';
import { HARDWARE } from './hardware.ts';
import { programsOf, type Program } from './programs.ts';

type Calls = Pick<
  ServiceImpl<typeof MachineService>,
  | 'containers'
  | 'cPUFreqStats'
  | 'cPUInfo'
  | 'diskStats'
  | 'hostname'
  | 'loadAvg'
  | 'memory'
  | 'mounts'
  | 'netstat'
  | 'networkDeviceStats'
  | 'packetCapture'
  | 'processes'
  | 'restart'
  | 'stats'
  | 'systemStat'
>;

/** What the node says of itself. Shapes are Talos'; sizes and counters are the lab's constants, or grow with uptime. */
export function observedCalls(machine: Machine, control: MachineControl): Calls {
  const { facts, ports } = machine;
  const upSeconds = (): number => Math.max(0, (ports.clock.wall().getTime() - machine.bootTime.getTime()) / 1000);
  const programs = (): readonly Program[] => programsOf(machine, control);
  const inNamespace = (namespace: string, driver: ContainerDriver): readonly Program[] => {
    if (namespace === '') throw new ConnectError("namespace can't be empty", Code.InvalidArgument);
    if (driver === ContainerDriver.CRI && namespace !== 'k8s.io') {
      throw new ConnectError('CRI inspector is supported only for K8s namespace', Code.Unknown);
    }
    return programs().filter((program) => program.namespace === namespace);
  };
  return {
    hostname: () => ({ messages: [{ hostname: facts.hostname }] }),
    memory: () => {
      const used = programs().reduce((sum, program) => sum + program.memoryBytes, 0);
      const total = HARDWARE.memoryKiB;
      const free = total - HARDWARE.cachedKiB - Math.round(used / 1024);
      const meminfo = {
        memtotal: BigInt(total),
        memfree: BigInt(free),
        memavailable: BigInt(free + HARDWARE.cachedKiB),
        buffers: BigInt(4_096),
        cached: BigInt(HARDWARE.cachedKiB),
      };
      return { messages: [{ meminfo }] };
    },
    mounts: () => ({
      messages: [
        {
          stats: HARDWARE.mounts.map(({ filesystem, size, available, on }) => ({
            filesystem,
            size: BigInt(size),
            available: BigInt(available),
            mountedOn: on,
          })),
        },
      ],
    }),
    loadAvg: () => ({ messages: [{ load1: 0.2, load5: 0.15, load15: 0.1 }] }),
    systemStat: () => {
      const seconds = upSeconds();
      const each = { user: seconds * 0.05, system: seconds * 0.03, idle: seconds * 0.92 };
      const all = Object.fromEntries(Object.entries(each).map(([name, value]) => [name, value * HARDWARE.cpus]));
      const grown = (perSecond: number): bigint => BigInt(Math.round(seconds * perSecond));
      return {
        messages: [
          {
            bootTime: BigInt(Math.floor(machine.bootTime.getTime() / 1000)),
            cpuTotal: all,
            cpu: Array.from({ length: HARDWARE.cpus }, () => each),
            irqTotal: grown(800),
            contextSwitches: grown(1_500),
            processCreated: grown(2),
            processRunning: 1n,
            softIrqTotal: grown(400),
            softIrq: { timer: grown(200), netRx: grown(100), sched: grown(100) },
          },
        ],
      };
    },
    cPUInfo: () => ({
      messages: [
        {
          cpuInfo: Array.from({ length: HARDWARE.cpus }, (_, n) => ({
            processor: n,
            vendorId: 'GenuineIntel',
            modelName: HARDWARE.cpuModel,
            cpuMhz: HARDWARE.cpuMHz,
            physicalId: '0',
            coreId: String(n),
            cpuCores: HARDWARE.cpus,
            siblings: HARDWARE.cpus,
          })),
        },
      ],
    }),
    // A virtual machine has no say in its clock rate.
    cPUFreqStats: () => ({ messages: [{}] }),
    diskStats: () => {
      const grown = (perSecond: number): bigint => BigInt(Math.round(upSeconds() * perSecond));
      const disk = {
        name: 'sda',
        readCompleted: grown(2),
        readSectors: grown(64),
        writeCompleted: grown(20),
        writeSectors: grown(400),
      };
      return { messages: [{ total: { ...disk, name: '' }, devices: [disk] }] };
    },
    networkDeviceStats: () => {
      const grown = (perSecond: number): bigint => BigInt(Math.round(upSeconds() * perSecond));
      const count = BigInt(facts.links.length);
      const traffic = { rxBytes: grown(9_000), rxPackets: grown(30), txBytes: grown(7_000), txPackets: grown(28) };
      const total = Object.fromEntries(Object.entries(traffic).map(([name, value]) => [name, value * count]));
      const devices = facts.links.map((link) => ({ name: link.name, ...traffic }));
      return { messages: [{ total, devices: [{ name: 'lo' }, ...devices] }] };
    },
    processes: () => ({
      messages: [
        {
          processes: programs().map((program) => ({
            pid: program.pid,
            ppid: program.ppid,
            state: 'S',
            threads: program.threads,
            cpuTime: upSeconds() * 0.01,
            virtualMemory: BigInt(program.memoryBytes * 12),
            residentMemory: BigInt(program.memoryBytes),
            command: program.name,
            executable: program.executable,
            args: program.args,
          })),
        },
      ],
    }),
    netstat: (request) => {
      const { filter, l4proto, feature } = request;
      // Connections are the kernel's of the host, not the node's: those that listen are shown.
      const shown = filter !== NetstatRequest_Filter.CONNECTED && (l4proto === undefined || l4proto.tcp);
      return {
        messages: [
          {
            connectrecord: shown
              ? programs().flatMap((program) =>
                  program.ports.map((port) => ({
                    l4proto: 'tcp',
                    localip: '0.0.0.0',
                    localport: port,
                    remoteip: '0.0.0.0',
                    state: ConnectRecord_State.LISTEN,
                    inode: BigInt(program.pid * 10 + 1),
                    ...(feature?.pid === true ? { process: { pid: program.pid, name: program.name } } : {}),
                  })),
                )
              : [],
          },
        ],
      };
    },
    containers: ({ namespace, driver }) => ({
      messages: [{ containers: inNamespace(namespace, driver).flatMap((program) => containersOf(namespace, program)) }],
    }),
    stats: ({ namespace, driver }) => ({
      messages: [
        {
          stats: inNamespace(namespace, driver).map((program) => ({
            namespace,
            id: displayOf(program),
            podId: program.pod ?? program.name,
            name: program.name,
            memoryUsage: BigInt(program.memoryBytes),
            cpuUsage: BigInt(Math.round(upSeconds() * 1e7)),
          })),
        },
      ],
    }),
    async restart({ namespace, driver, id }) {
      const container = inNamespace(namespace, driver).find(
        (program) => displayOf(program) === id || program.pod === id,
      );
      if (container === undefined) throw new ConnectError(`container "${id}" not found`, Code.Unknown);
      if (container.pod !== undefined) await control.restartPod(container.name);
      else if (container.name === 'etcd') await control.restartEtcd();
      else if (container.name === 'kubelet') await control.restartKubelet();
      else throw new ConnectError(`container "${id}" is not restarted in this lab`, Code.Unimplemented);
      return { messages: [{}] };
    },
    // Packets of a lab cross sockets, not links: the capture begins, and stays empty.
    async *packetCapture({ interface: link }) {
      if (link !== 'lo' && !facts.links.some((candidate) => candidate.name === link)) {
        throw new ConnectError(`failed to create afpacket handle: no such interface: ${link}`, Code.Unknown);
      }
      yield { bytes: pcapHeader() };
    },
  };
}

/** What a capture file begins with: little endian, microseconds, Ethernet. */
function pcapHeader(): Uint8Array {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20);
  return Uint8Array.from(header);
}

/** As talosctl shows a container: its name, or pod, container and the beginning of its id. */
const displayOf = (program: Program): string =>
  program.pod === undefined ? program.name : `${program.pod}:${program.name}:${idOf(program).slice(0, 12)}`;

const idOf = (program: Program): string => createHash('sha256').update(`${program.name} ${program.pid}`).digest('hex');

function containersOf(namespace: string, program: Program) {
  const base = { namespace, image: program.image, pid: program.pid, internalId: idOf(program) };
  if (program.pod === undefined) {
    return [{ ...base, id: program.name, podId: program.name, name: program.name, status: 'RUNNING' }];
  }
  const pause = { ...base, image: 'registry.k8s.io/pause:3.10', pid: program.pid - 1 };
  return [
    { ...pause, id: program.pod, podId: program.pod, name: program.pod, status: 'SANDBOX_READY' },
    { ...base, id: displayOf(program), podId: program.pod, name: program.name, status: 'CONTAINER_RUNNING' },
  ];
}
