import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { EtcdMemberAlarm_AlarmType, type MachineService } from './generated/machine/machine_pb.ts';
import { textOf } from '../../../src/base/failure.ts';
import { retry, type RetryPolicy } from '../../../src/base/retry.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import type { Machine } from '../machine.ts';
import type { MachineControl } from './control.ts';

type EtcdCalls = Pick<
  ServiceImpl<typeof MachineService>,
  | 'etcdMemberList'
  | 'etcdStatus'
  | 'etcdAlarmList'
  | 'etcdForfeitLeadership'
  | 'etcdRemoveMemberByID'
  | 'etcdLeaveCluster'
  | 'etcdSnapshot'
  | 'etcdAlarmDisarm'
  | 'etcdDefragment'
  | 'etcdDowngradeValidate'
  | 'etcdDowngradeEnable'
  | 'etcdDowngradeCancel'
>;

/** etcd's own client repeats a read whose connection broke or whose member was away for a moment; so does Talos with it. */
const READS: RetryPolicy = {
  attempts: 3,
  baseMs: 50,
  capMs: 200,
  retryable: (error) => error instanceof ConnectError && (error.code === Code.Unavailable || isBroken(error)),
};

/** A connection that closed in the middle of a call has no gRPC status of its own. */
const isBroken = (error: ConnectError): boolean =>
  error.code === Code.Unknown && /premature close/i.test(error.rawMessage);

/** UNIMPLEMENTED, in Talos' words, on a worker. */
export function requireControlPlane(machine: Machine, what: string): void {
  if (machine.role !== 'control-plane') {
    throw new ConnectError(`${what} is only available on control plane nodes`, Code.Unimplemented);
  }
}

export function etcdCalls(machine: Machine, control: MachineControl): EtcdCalls {
  const withClient = async <T>(what: string, work: (client: EtcdClient) => Promise<T>): Promise<T> => {
    requireControlPlane(machine, what);
    const etcd = control.etcd();
    if (etcd?.part === undefined) throw new ConnectError('etcd is not running', Code.Unavailable);
    const client = etcd.localClient();
    try {
      return await work(client);
    } finally {
      client.close();
    }
  };
  const reading = <T>(what: string, work: (client: EtcdClient) => Promise<T>): Promise<T> =>
    retry(machine.ports, READS, () => withClient(what, work));

  return {
    etcdMemberList: (request) =>
      reading('etcd members', async (client) => {
        const members = await client.members({ linearizable: !request.queryLocal });
        return {
          messages: [
            {
              members: members.map((member) => ({
                id: member.id,
                hostname: member.name,
                peerUrls: [...member.peerURLs],
                clientUrls: [...member.clientURLs],
                isLearner: member.isLearner,
              })),
            },
          ],
        };
      }),
    etcdStatus: (_request) =>
      reading('etcd status', async (client) => {
        const status = await client.status();
        return {
          messages: [
            {
              memberStatus: {
                protocolVersion: status.version,
                storageVersion: status.version.split('.').slice(0, 2).join('.'),
                memberId: status.memberId,
                dbSize: status.dbSize,
                dbSizeInUse: status.dbSizeInUse,
                leader: status.leader,
                raftIndex: status.raftIndex,
                raftTerm: status.raftTerm,
                raftAppliedIndex: status.raftAppliedIndex,
                errors: [...status.errors],
                isLearner: status.isLearner,
              },
            },
          ],
        };
      }),
    etcdAlarmList: (_request) =>
      reading('etcd alarm list', async (client) => {
        const alarms = await client.alarms();
        const memberAlarms = alarms.map(({ memberId, alarm }) => ({
          memberId,
          alarm: EtcdMemberAlarm_AlarmType[alarm],
        }));
        return { messages: [{ memberAlarms }] };
      }),
    etcdForfeitLeadership: (_request) =>
      withClient('etcd forfeit leadership', async (client) => {
        const members = await client.members();
        if (members.length === 1) {
          const why = 'failed to forfeit leadership: cannot forfeit leadership, only one member';
          throw new ConnectError(why, Code.Unknown);
        }
        const status = await client.status();
        if (status.leader !== status.memberId) return { messages: [{}] };
        const others = members.filter(({ id, name, isLearner }) => id !== status.memberId && !isLearner && name !== '');
        const next = others[0];
        if (next === undefined) {
          throw new ConnectError('failed to forfeit leadership: etcdserver: unhealthy cluster', Code.Unknown);
        }
        await client.moveLeader(next.id);
        return { messages: [{ member: next.name }] };
      }),
    etcdRemoveMemberByID: (request) =>
      withClient('etcd remove member', async (client) => {
        await client.memberRemove(request.memberId).catch((error: unknown) => {
          if (error instanceof ConnectError && error.code === Code.NotFound) throw error;
          throw new ConnectError(`failed to remove member: ${textOf(error)}`, Code.Unknown);
        });
        machine.log(`etcd: member removed {"member": "${request.memberId.toString(16)}"}`);
        return { messages: [{}] };
      }),
    etcdAlarmDisarm: (_request) =>
      withClient('etcd alarm disarm', async (client) => {
        const disarmed = await client.disarm();
        const memberAlarms = disarmed.map(({ memberId, alarm }) => ({
          memberId,
          alarm: EtcdMemberAlarm_AlarmType[alarm],
        }));
        return { messages: [{ memberAlarms }] };
      }),
    etcdDefragment: (_request) =>
      withClient('etcd defragment', async (client) => {
        await client.defragment();
        return { messages: [{}] };
      }),
    etcdDowngradeValidate: ({ version }) =>
      reading('etcd downgrade validate', async (client) => ({
        messages: [{ clusterDowngrade: { clusterVersion: await downgradeFrom(client, version) } }],
      })),
    etcdDowngradeEnable: ({ version }) =>
      reading('etcd downgrade enable', async (client) => {
        await downgradeFrom(client, version);
        throw new ConnectError('etcd keeps its version in this lab', Code.Unimplemented);
      }),
    etcdDowngradeCancel: (_request) =>
      withClient('etcd downgrade cancel', async () => {
        const why = 'failed to query etcd status: etcdserver: no inflight downgrade job';
        throw new ConnectError(why, Code.Unknown);
      }),
    async etcdLeaveCluster(_request) {
      requireControlPlane(machine, 'etcd leave');
      await control.etcd()?.leave();
      return { messages: [{}] };
    },
    async *etcdSnapshot(_request, context) {
      requireControlPlane(machine, 'etcd snapshot');
      const etcd = control.etcd();
      if (etcd?.part === undefined) throw new ConnectError('etcd is not running', Code.Unavailable);
      const client = etcd.localClient();
      try {
        for await (const bytes of client.snapshot(context.signal)) yield { bytes };
      } finally {
        client.close();
      }
    },
  };
}

/** The cluster's version, where etcd would let it go down to this one: by one minor, no more and no less. */
async function downgradeFrom(client: EtcdClient, target: string): Promise<string> {
  const [major = '', minor = ''] = (await client.status()).version.split('.');
  const [wantedMajor, wantedMinor = '', ...rest] = target.split('.');
  if (!/^\d+$/.test(wantedMinor) || rest.length > 1) {
    throw new ConnectError(`invalid version format: ${target}`, Code.InvalidArgument);
  }
  if (wantedMajor !== major || Number(wantedMinor) !== Number(minor) - 1) {
    const why = 'failed to query etcd status: etcdserver: invalid downgrade target version';
    throw new ConnectError(why, Code.Unknown);
  }
  return `${major}.${minor}`;
}
