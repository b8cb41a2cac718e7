import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../../../src/base/clock.ts';
import { Failure } from '../../../../src/base/failure.ts';
import { pick } from '../../../../src/base/random.ts';
import type { EtcdPart, EtcdSpec, RunningPart } from '../../types.ts';
import { createFreezer } from '../../freezer.ts';
import { Cluster, type ClusterPorts } from './cluster.ts';
import { votersOf, type MemberRecord, type MemberRun } from './membership.ts';
import { loadCluster, saveCluster, type SavedCluster } from './saved.ts';
import { Peers } from './peers.ts';
import { CLIENT_PORT, PEER_PORT, serveMember } from './server.ts';

const refused = (spec: EtcdSpec, why: string): Failure =>
  new Failure({
    code: 'etcd-start-refused',
    what: `built-in etcd member ${spec.name} did not start`,
    why,
    state: 'its cluster is as it was',
    next: 'start it with the member list that `etcdctl member list` shows, or remove and add the member first',
  });

interface SavedEtcd {
  readonly clusters: readonly SavedCluster[];
  /** Whose data each data directory is. */
  readonly kept: readonly { readonly dir: string; readonly token: string; readonly member: bigint }[];
}

interface Membership {
  readonly cluster: Cluster;
  readonly member: MemberRecord;
}

/** What a data directory of an earlier start says, whatever the flags say now. */
function reenter({ cluster, member }: Membership, spec: EtcdSpec): Membership {
  if (!cluster.members.has(member.id)) throw refused(spec, 'the member has been permanently removed from the cluster');
  if (member.run !== undefined) throw refused(spec, 'it is running already');
  return { cluster, member };
}

/** The cluster and the member a start without data is for, from the flags. */
function enter(clusters: Map<string, Cluster>, spec: EtcdSpec, ports: ClusterPorts): Membership {
  const own = spec.initialCluster.filter(({ name }) => name === spec.name).map(({ peerURL }) => peerURL);
  if (own.length === 0)
    throw refused(spec, `couldn't find local name "${spec.name}" in the initial cluster configuration`);
  const find = (cluster: Cluster): MemberRecord | undefined =>
    [...cluster.members.values()].find((member) => own.every((url) => member.peerURLs.includes(url)));
  const known = clusters.get(spec.initialClusterToken);
  const member = known === undefined ? undefined : find(known);
  if (known !== undefined && member?.run !== undefined) throw refused(spec, 'it is running already');
  if (spec.initialClusterState === 'existing') {
    if (known === undefined || !known.anyUp())
      throw refused(spec, 'cannot fetch cluster info from peer urls: no member is up');
    if (member === undefined || known.members.size !== spec.initialCluster.length)
      throw refused(spec, 'error validating peerURLs: member count is unequal');
    if (member.name !== '') throw refused(spec, `member ${member.id.toString(16)} has already been bootstrapped`);
    return { cluster: known, member };
  }
  if (known !== undefined && (member === undefined || member.name !== '') && known.anyUp())
    throw refused(
      spec,
      member === undefined ? 'cluster ID mismatch' : `member ${member.id.toString(16)} has already been bootstrapped`,
    );
  if (known !== undefined && member !== undefined && member.name === '') return { cluster: known, member };
  // Nobody is left of an earlier cluster of this name: it is gone, and this is another one.
  const fresh = new Cluster(ports, spec.initialClusterToken, peersOf(spec));
  clusters.set(spec.initialClusterToken, fresh);
  const first = find(fresh);
  if (first === undefined) throw refused(spec, 'its peer URLs are not those of one member');
  return { cluster: fresh, member: first };
}

/** Peer URLs per member; a name may stand more than once. */
function peersOf(spec: EtcdSpec): string[][] {
  const names = [...new Set(spec.initialCluster.map(({ name }) => name))];
  return names.map((wanted) => spec.initialCluster.filter(({ name }) => name === wanted).map(({ peerURL }) => peerURL));
}

/**
 * An etcd inside this process: members of one `initialClusterToken` share one cluster, which lives as long as this part.
 * It answers its clients as etcd does; what it does not do stands at `Cluster`. What stands for the data of a data directory
 * is kept for a start with `restart`; without it the member must be new to the cluster, as for etcd with an empty directory.
 */
export function builtInEtcd(ports: ClusterPorts): EtcdPart {
  const clusters = new Map<string, Cluster>();
  const kept = new Map<string, Membership>();
  return {
    backing: 'built-in',
    start: async (spec) => {
      const data = spec.restart ? kept.get(spec.dataDir) : undefined;
      const { cluster, member } = data === undefined ? enter(clusters, spec, ports) : reenter(data, spec);
      kept.set(spec.dataDir, { cluster, member });
      return await startMember(cluster, member, spec, ports.clock);
    },
    save: (): SavedEtcd => ({
      clusters: [...clusters].map(([token, cluster]) => saveCluster(token, cluster)),
      kept: [...kept].flatMap(([dir, { cluster, member }]) =>
        cluster.members.get(member.id) === member && clusters.get(cluster.token) === cluster
          ? [{ dir, token: cluster.token, member: member.id }]
          : [],
      ),
    }),
    load(saved, folder) {
      // Of this very program: whoever hands it over has looked at its version.
      const state = saved as SavedEtcd;
      for (const each of state.clusters) clusters.set(each.token, loadCluster(ports, each));
      for (const { dir, token, member: id } of state.kept) {
        const cluster = clusters.get(token);
        const member = cluster?.members.get(id);
        if (cluster !== undefined && member !== undefined) kept.set(folder(dir), { cluster, member });
      }
    },
  };
}

async function startMember(cluster: Cluster, member: MemberRecord, spec: EtcdSpec, clock: Clock): Promise<RunningPart> {
  const { promise: exited, resolve: exit } = Promise.withResolvers<void>();
  let log: Promise<void> = mkdir(path.dirname(spec.log), { recursive: true }).then(() => {});
  // A log that cannot be written must not end the member.
  const say = (text: string): void => {
    const line = `${clock.wall().toISOString()} built-in etcd ${spec.name}: ${text}\n`;
    log = log.then(() => appendFile(spec.log, line)).catch(() => {});
  };
  const freezer = createFreezer();
  let ending: Promise<void> | undefined;
  const end = (how: 'stop' | 'kill', why: string): Promise<void> => {
    ending ??= (async () => {
      say(why);
      cluster.down(member, run);
      const ended = server[how]();
      freezer.thaw();
      await ended;
      await log;
      exit();
    })();
    return ending;
  };
  const run: MemberRun = {
    name: spec.name,
    clientURLs: [`https://${spec.advertise}:${CLIENT_PORT}`],
    upSince: clock.now(),
    removed: () => void end('stop', 'the member has been permanently removed from the cluster'),
  };
  const peers = (): Peers =>
    new Peers({ clock, localAddress: spec.listen, tls: spec.peer, changed: () => cluster.linksChanged() });
  const server = await serveMember({ cluster, member, run, clock }, spec, freezer);
  cluster.up(member, run, peers());
  say(`member ${member.id.toString(16)} listens on ${spec.listen}:${CLIENT_PORT} and ${PEER_PORT}`);
  return {
    backing: 'built-in',
    pid: undefined,
    exited,
    stop: async () => {
      // A leader that is asked to go hands over first, so that nobody waits for an election.
      const heirs = votersOf(cluster.members.values()).filter(
        (other) => other !== member && other.run !== undefined && cluster.linked(member, other),
      );
      if (ending === undefined && cluster.decides && cluster.leaderFor(member) === member.id && heirs.length > 0)
        cluster.moveTo(pick(cluster.random, heirs));
      await end('stop', 'stopped');
    },
    kill: async () => await end('kill', 'killed'),
    // To the others it is as good as gone: it sends no heartbeats and casts no vote.
    freeze: () => {
      if (ending !== undefined || freezer.frozen) return;
      freezer.freeze();
      cluster.down(member, run);
    },
    thaw: () => {
      if (ending !== undefined || !freezer.frozen) return;
      freezer.thaw();
      if (cluster.members.has(member.id)) cluster.up(member, run, peers());
    },
  };
}
