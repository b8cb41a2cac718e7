import { textOf } from '../../../src/base/failure.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import type { EtcdSpec } from '../../kubernetes/types.ts';
import type { Machine } from '../machine.ts';
import type { Peer } from '../types.ts';

export interface JoinPorts {
  readonly machine: Machine;
  /** A client of the member at an address, through the network. */
  readonly clientOf: (address: string) => EtcdClient;
  readonly peerURL: string;
}

export interface Joined {
  readonly id: bigint;
  /** `--initial-cluster`: all members as the cluster knows them, this one under its own name. */
  readonly members: EtcdSpec['initialCluster'];
}

/** As Talos: asks a control plane that is up to add this one as a learner, and asks again while etcd refuses. */
export async function joinCluster(ports: JoinPorts, signal: AbortSignal): Promise<Joined> {
  const { machine, peerURL } = ports;
  const name = machine.facts.hostname;
  for (let n = 0; ; n += 1) {
    const joined = await throughPeer(ports, n, async (client, peer) => {
      const known = await client.members({ linearizable: true });
      // One of this name that is still listed is taken for this one, as Talos does: a dead namesake has to be removed first.
      const own = known.find((member) => member.name === name || member.peerURLs.includes(peerURL));
      if (own !== undefined) return { id: own.id, members: known };
      const added = await client.memberAdd([peerURL], true);
      machine.log(`etcd: added as learner {"member": "${added.member.id.toString(16)}", "via": "${peer.name}"}`);
      return { id: added.member.id, members: added.members };
    }).catch((error: unknown) => {
      machine.log(`retrying error: error adding member: ${textOf(error)}`);
      return undefined;
    });
    if (joined !== undefined) {
      const members = joined.members.flatMap((member) =>
        member.peerURLs.map((url) => ({
          name: member.id === joined.id ? name : member.name || member.id.toString(16),
          peerURL: url,
        })),
      );
      return { id: joined.id, members };
    }
    await machine.ports.clock.sleep(machine.times.joinRetryMs, signal);
  }
}

/** Asks the other control planes in turn, until the learner has caught up: it does not promote itself. */
export async function promoteMember(ports: JoinPorts, id: bigint, signal: AbortSignal): Promise<void> {
  const { machine } = ports;
  for (let n = 0; ; n += 1) {
    const done = await throughPeer(ports, n, async (client) => {
      await client.memberPromote(id);
      machine.log(`etcd: successfully promoted etcd member {"member": "${id.toString(16)}"}`);
      return true;
    }).catch((error: unknown) => {
      const text = textOf(error);
      if (/not a learner|not found/.test(text)) return true;
      machine.log(`retrying error: error promoting member: ${text}`);
      return undefined;
    });
    if (done === true) return;
    await machine.ports.clock.sleep(machine.times.promoteRetryMs, signal);
  }
}

/** One attempt with the n-th control plane of those that are up; undefined when there is none. */
async function throughPeer<T>(
  { machine, clientOf }: JoinPorts,
  n: number,
  work: (client: EtcdClient, peer: Peer) => Promise<T>,
): Promise<T | undefined> {
  const planes = machine.ports.peers().filter((candidate) => candidate.role === 'control-plane');
  const peer = planes[n % Math.max(1, planes.length)];
  if (peer === undefined) return undefined;
  const client = clientOf(peer.privateIPv4);
  try {
    return await work(client, peer);
  } finally {
    client.close();
  }
}
