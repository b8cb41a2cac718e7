import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { EtcdMemberAlarm_AlarmType, type MachineService } from './generated/machine/machine_pb.ts';
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
        const status = await client.status();
        if (status.leader !== status.memberId) return { messages: [{}] };
        const others = (await client.members()).filter(
          (member) => member.id !== status.memberId && !member.isLearner && member.name !== '',
        );
        const next = others[0];
        if (next === undefined) {
          throw new ConnectError('cannot forfeit leadership, only one member', Code.FailedPrecondition);
        }
        await client.moveLeader(next.id);
        return { messages: [{ member: next.name }] };
      }),
    etcdRemoveMemberByID: (request) =>
      withClient('etcd remove member', async (client) => {
        await client.memberRemove(request.memberId);
        machine.log(`etcd: member removed {"member": "${request.memberId.toString(16)}"}`);
        return { messages: [{}] };
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
