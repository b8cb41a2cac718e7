import { textOf } from '../../../src/base/failure.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import {
  type Begin,
  controlPlaneOf,
  controlPlanes,
  done,
  impossible,
  machineOf,
  type NodeHands,
  onEachPart,
  type Patient,
  patientOf,
  stutter,
} from './hands.ts';

/** etcd refuses changes of members for some seconds after another, and while a member is away. */
const CHANGE_MS = 20_000;

export const etcdStopped: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const start = await stopEtcd(patient);
  return { note: `etcd of ${patient.name} is stopped`, undo: start };
};

/** All members are stopped but as many as are no quorum. */
export const etcdQuorumLost: Begin = async (fault, hands) => {
  const running = controlPlanes(hands).filter(({ node }) => node.inside.uptime?.controlPlane?.etcd.part !== undefined);
  const stays = fault.parameters['node'];
  const many = running.length - Math.floor(running.length / 2);
  const order = [
    ...running.filter(({ name }) => name !== stays).toReversed(),
    ...running.filter(({ name }) => name === stays),
  ];
  const away = order.slice(0, many);
  // Only one of them has to go in order: the others find no quorum to hand over to.
  const starts = await Promise.all(away.map(stopEtcd));
  return {
    note: `etcd is stopped on ${away.map(({ name }) => name).join(', ')}: ${running.length - many} of ${running.length} run`,
    undo: async () => {
      const left = await Promise.all(starts.map((start) => start()));
      return left.find((text) => text !== undefined);
    },
  };
};

/** Stops it for good, and gives back how it is started again. */
async function stopEtcd(patient: Patient): Promise<() => Promise<string | undefined>> {
  const { etcd } = controlPlaneOf(patient);
  const { uptime } = patient.node.inside;
  await etcd.stop();
  machineOf(patient).service('etcd', 'Finished', undefined, 'Service finished successfully');
  return async () => {
    if (patient.node.inside.uptime !== uptime || uptime === undefined || uptime.inside.signal.aborted)
      return `${patient.name} was rebooted or deleted since`;
    if (etcd.part === undefined) await etcd.start({ kind: 'restart', first: { kind: 'join' } }, uptime.inside.signal);
    return undefined;
  };
}

export const etcdHung: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  onEachPart(
    patient,
    (plane) => plane.etcd.part,
    (part) => part.freeze(),
    fault.signal,
  );
  return {
    note: `etcd of ${patient.name} is stopped as by SIGSTOP`,
    undo: async () => {
      patient.node.inside.uptime?.controlPlane?.etcd.part?.thaw();
      return undefined;
    },
  };
};

export const etcdSlowDisk: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  const ms = Number(fault.parameters['delay']);
  stutter(patient, (plane) => plane.etcd.part, ms, { clock: hands.clock, signal: fault.signal });
  return { note: `etcd of ${patient.name} waits ${ms} ms for its disk, again and again`, undo: done };
};

export const etcdAlarm: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  controlPlaneOf(patient);
  const member = memberOf(patient);
  const alarm = fault.parameters['alarm'] === 'CORRUPT' ? 'CORRUPT' : 'NOSPACE';
  const through = (state: 'raised' | 'cleared') =>
    withEtcd([patient, ...controlPlanes(hands)], hands, (client) => client.setAlarm(member, alarm, state));
  await through('raised');
  return {
    note: `etcd of ${patient.name} has raised ${alarm}`,
    undo: async () => {
      await through('cleared');
      return undefined;
    },
  };
};

/** A member that never comes up: no process is at its address, so it stays a learner, and no other can join. */
export const etcdLearner: Begin = async (_fault, hands) => {
  const [first] = controlPlanes(hands);
  if (first === undefined) throw impossible('this world has no control plane', 'Start one.');
  // A port of a machine of the lab on which nothing listens.
  const peerURL = `https://${machineOf(first).facts.privateIPv4}:2384`;
  const added = await withEtcd(controlPlanes(hands), hands, (client) => client.memberAdd([peerURL], true));
  const { id } = added.member;
  return {
    note: `member ${hex(id)} is a learner that never starts`,
    undo: async () => {
      await withEtcd(controlPlanes(hands), hands, async (client) => {
        if ((await client.members()).some((member) => member.id === id)) await client.memberRemove(id);
      });
      return undefined;
    },
  };
};

export const etcdMemberRemoved: Begin = async (fault, hands) => {
  const patient = patientOf(fault, hands);
  const { etcd } = controlPlaneOf(patient);
  const { uptime } = patient.node.inside;
  const member = memberOf(patient);
  const others = controlPlanes(hands).filter((other) => other.name !== patient.name);
  if (others.length === 0) throw impossible('the last member cannot be removed', 'Start more control planes.');
  await withEtcd(others, hands, (client) => client.memberRemove(member));
  return {
    note: `member ${hex(member)} of ${patient.name} was removed`,
    undo: async () => {
      if (uptime === undefined || patient.node.inside.uptime !== uptime) return `${patient.name} has gone since`;
      await etcd.rejoin(uptime.inside.signal);
      return `${patient.name} joined again, as member ${hex(machineOf(patient).etcdMemberId ?? 0n)}`;
    },
  };
};

export const hex = (id: bigint): string => id.toString(16).padStart(16, '0');

export function memberOf(patient: Patient): bigint {
  const { etcdMemberId } = machineOf(patient);
  if (etcdMemberId === undefined) throw impossible(`${patient.name} is no member of etcd yet`, 'Wait until it is.');
  return etcdMemberId;
}

/** Does something through the first member that lets it, asked again for a while: etcd is choosy about when. */
export async function withEtcd<T>(
  patients: readonly Patient[],
  { clock }: NodeHands,
  work: (client: EtcdClient) => Promise<T>,
): Promise<T> {
  const deadline = clock.now() + CHANGE_MS;
  let last = 'no member runs';
  for (;;) {
    for (const patient of patients) {
      const etcd = patient.node.inside.uptime?.controlPlane?.etcd;
      if (etcd?.part === undefined) continue;
      const client = etcd.localClient();
      try {
        return await work(client);
      } catch (error) {
        last = textOf(error);
      } finally {
        client.close();
      }
    }
    if (clock.now() >= deadline)
      throw impossible(`etcd refuses it: ${last}`, 'Look at its members, then set it again.');
    await clock.sleep(200);
  }
}
