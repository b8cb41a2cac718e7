import { randomUUID } from 'node:crypto';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { textOf } from '../../../src/base/failure.ts';
import { installRelease, releaseOf } from '../life/releases.ts';
import type { Machine } from '../machine.ts';
import type { MachineControl } from './control.ts';
import { requireControlPlane } from './etcd-calls.ts';
import { RebootRequest_Mode, ResetRequest_WipeMode, type MachineService } from './generated/machine/machine_pb.ts';

type Calls = Pick<
  ServiceImpl<typeof MachineService>,
  'bootstrap' | 'etcdRecover' | 'reboot' | 'reset' | 'rollback' | 'shutdown' | 'upgrade'
>;

const PARTITIONS = ['EFI', 'BIOS', 'BOOT', 'META', 'STATE', 'EPHEMERAL'];

/** What the machine is told to do with itself. The answer comes first, then it is done. */
export function lifeCalls(machine: Machine, control: MachineControl): Calls {
  return {
    async bootstrap(request) {
      machine.log('bootstrap request received');
      const etcd = control.etcd();
      if (machine.active === undefined) {
        throw new ConnectError('bootstrap is not available yet', Code.FailedPrecondition);
      }
      requireControlPlane(machine, 'bootstrap');
      if (request.recoverEtcd) {
        throw new ConnectError('recovery of etcd from a snapshot is not built in this lab', Code.Unimplemented);
      }
      if (etcd === undefined) throw new ConnectError('bootstrap is not available yet', Code.FailedPrecondition);
      await etcd.bootstrap();
      return { messages: [{}] };
    },
    etcdRecover() {
      requireControlPlane(machine, 'etcd recover');
      throw new ConnectError('recovery of etcd from a snapshot is not built in this lab', Code.Unimplemented);
    },
    reboot(request) {
      const actorId = randomUUID();
      machine.log(`reboot via API received. actor id: ${actorId}`);
      control.live({ kind: 'reboot', force: request.mode === RebootRequest_Mode.FORCE, actorId });
      return { messages: [{ actorId }] };
    },
    shutdown(request) {
      const actorId = randomUUID();
      machine.log(`shutdown via API received. actor id: ${actorId}`);
      control.live({ kind: 'shutdown', force: request.force, actorId });
      return { messages: [{ actorId }] };
    },
    reset({ graceful, reboot, mode, systemPartitionsToWipe, userDisksToWipe }) {
      const actorId = randomUUID();
      machine.log(`reset request received. actorID: ${actorId}`);
      const fail = (text: string): never => {
        throw new ConnectError(text, Code.Unknown);
      };
      if (userDisksToWipe.length > 0) {
        if (mode === ResetRequest_WipeMode.SYSTEM_DISK) {
          fail("reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter");
        }
        const [disk = ''] = userDisksToWipe;
        const why = disk === '/dev/sda' ? 'is the system disk' : "wasn't found";
        fail(`reset user disk failed: device ${disk} ${why}`);
      }
      if (systemPartitionsToWipe.length > 0 && mode === ResetRequest_WipeMode.USER_DISKS) {
        fail("reset failed: invalid input, wipe mode USER_DISKS doesn't support SystemPartitionsToWipe parameter");
      }
      for (const { label } of systemPartitionsToWipe) {
        if (PARTITIONS.includes(label)) continue;
        const absent = `resource VolumeStatuses.block.talos.dev(runtime/${label}@undefined) doesn't exist`;
        fail(`failed to get volume status with label ${JSON.stringify(label)}: ${absent}`);
      }
      const labels = systemPartitionsToWipe.filter(({ wipe }) => wipe).map(({ label }) => label);
      const partitions = mode === ResetRequest_WipeMode.USER_DISKS ? [] : labels.length === 0 ? undefined : labels;
      control.live({ kind: 'reset', graceful, reboot, partitions, actorId });
      return { messages: [{ actorId }] };
    },
    async upgrade({ image, stage, force, preserve }) {
      const actorId = randomUUID();
      machine.log(`upgrade request received: staged ${stage}, force ${force}`);
      const version = releaseFrom(image, (why) => `error validating installer image ${JSON.stringify(image)}: ${why}`);
      if (machine.active !== undefined && machine.role === 'control-plane' && !force && !preserve) {
        await checkEtcd(control);
      }
      control.live({ kind: 'upgrade', version, staged: stage, actorId });
      return { messages: [{ ack: 'Upgrade request received', actorId }] };
    },
    async rollback() {
      machine.log('rollback via API received');
      const { previous } = machine.releases;
      if (previous === undefined) throw new ConnectError('there is no other release on the disk', Code.Unknown);
      await installRelease(machine, previous);
      control.live({ kind: 'reboot', force: false, actorId: '' });
      return { messages: [{}] };
    },
  };
}

/** The release of an installer image, or the call's error. */
export function releaseFrom(image: string, words: (why: string) => string) {
  try {
    return releaseOf(image);
  } catch (error) {
    throw new ConnectError(words(textOf(error)), Code.Unknown);
  }
}

/** Talos upgrades a control plane only where etcd can do without it for a while. */
async function checkEtcd(control: MachineControl): Promise<void> {
  const etcd = control.etcd();
  if (etcd?.part === undefined)
    throw new ConnectError('failed to create etcd client: etcd is not running', Code.Unknown);
  const client = etcd.localClient();
  const refuse = (why: string): never => {
    throw new ConnectError(`error validating etcd for upgrade: ${why}`, Code.Unknown);
  };
  try {
    const members = await client.members({ linearizable: true });
    if (members.length === 2) {
      refuse(`etcd member count(${members.length}) is insufficient to maintain quorum if upgrade commences`);
    }
    for (const { id, name } of members) {
      const hex = id.toString(16).padStart(16, '0');
      if (name === '') refuse(`etcd member ${hex} is not started, all members must be running to perform an upgrade`);
    }
  } finally {
    client.close();
  }
}
