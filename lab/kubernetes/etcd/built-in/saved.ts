import { create } from '@bufbuild/protobuf';
import { AlarmMemberSchema, type AlarmType } from '../generated/etcd/rpc_pb.ts';
import { Cluster, type ClusterPorts, type KeptCounters } from './cluster.ts';
import type { SavedLease } from './leases.ts';
import type { MemberRecord } from './membership.ts';
import type { Version } from './store.ts';

/** A cluster as it can be kept: what a real one has on the disks of its members. */
export interface SavedCluster extends KeptCounters {
  readonly token: string;
  readonly members: readonly Omit<MemberRecord, 'run'>[];
  readonly revision: bigint;
  readonly compacted: bigint;
  readonly versions: readonly Version[];
  readonly leases: readonly SavedLease[];
  readonly alarms: readonly { readonly memberID: bigint; readonly alarm: AlarmType }[];
}

export const saveCluster = (token: string, cluster: Cluster): SavedCluster => ({
  token,
  id: cluster.id,
  term: cluster.term,
  index: cluster.index,
  members: [...cluster.members.values()].map(({ run: _run, ...member }) => member),
  revision: cluster.store.revision,
  compacted: cluster.store.compacted,
  versions: cluster.store.versions(),
  leases: cluster.leases.save(),
  alarms: cluster.alarms.map(({ memberID, alarm }) => ({ memberID, alarm })),
});

/** The cluster with none of its members up: they elect a leader once enough of them are. */
export function loadCluster(ports: ClusterPorts, saved: SavedCluster): Cluster {
  const cluster = new Cluster(ports, saved.token, [], saved);
  for (const member of saved.members) cluster.members.set(member.id, { ...member, run: undefined });
  cluster.store.load(saved);
  cluster.leases.load(saved.leases, cluster.now);
  cluster.alarms.push(...saved.alarms.map((alarm) => create(AlarmMemberSchema, alarm)));
  return cluster;
}
