import type { ConnectError } from '@connectrpc/connect';
import type { Clock } from '../../../../src/base/clock.ts';
import { pick, type Random } from '../../../../src/base/random.ts';
import { DEFAULT_ETCD_KNOBS, type EtcdKnobs } from '../../types.ts';
import type { AlarmMember } from '../generated/etcd/rpc_pb.ts';
import { refuse } from './errors.ts';
import { Leases } from './leases.ts';
import { idOf, quorumOf, votersOf, type MemberRecord, type MemberRun, type View } from './membership.ts';
import { Store } from './store.ts';

export interface ClusterPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly etcd?: EtcdKnobs;
}

export type KeptCounters = { readonly [counter in 'id' | 'term' | 'index']: bigint };

/** Times of etcd with its defaults (heartbeat 100 ms, election 1000 ms), milliseconds. */
export const TIMES = {
  /** A follower that has not heard of its leader for one to two of these stands for election. */
  electionMs: 1000,
  /** After this a request is given up: 5 s and two elections. */
  requestMs: 7000,
  /** How often leases are looked at. */
  leaseCheckMs: 500,
  /** Without a leader for this long, streams that asked for one are ended. */
  leaderlessStreamMs: 3000,
  /** From a learner's start until it is "in sync with leader" in a small cluster. A guess, near what etcd 3.4 shows. */
  learnerInSyncMs: 700,
  /** A removed member's server ends this much later. */
  removedEndsMs: 1000,
} as const;

/**
 * A whole etcd cluster in one object, which its members' servers share: what raft makes true by replication is true here
 * because there is one copy. So there is no log on a disk and no replication: data lives as long as this object, a member
 * that was down misses nothing, members cannot be cut from each other (only be up or down), and a request that was on its
 * way to a leader that went away is lost even where raft might have carried it over.
 * What clients can see is kept: a leader among the voters that are up, nothing decided without a quorum, an election that
 * takes one to two seconds after a leader is gone, requests that wait and then fail with etcd's texts.
 */
export class Cluster {
  readonly id: bigint;
  readonly token: string;
  readonly store = new Store();
  readonly leases = new Leases();
  readonly members = new Map<bigint, MemberRecord>();
  readonly alarms: AlarmMember[] = [];
  readonly #ports: ClusterPorts;
  readonly #waiters = new Set<() => void>();
  #term: bigint;
  #index: bigint;
  #leader: bigint = 0n;
  /** The run of the member that was elected: a leader that has restarted is leader no more. */
  #leaderRun: MemberRun | undefined;
  #elections = 0;
  #electedAt = Number.NEGATIVE_INFINITY;
  #leaderlessSince: number;
  #pending: AbortController | undefined;
  #leaseWatch: AbortController | undefined;

  /** `kept`: one that was kept, to go on with; its members are added by whoever kept them. */
  constructor(ports: ClusterPorts, token: string, peerURLs: readonly (readonly string[])[], kept?: KeptCounters) {
    this.#ports = ports;
    this.token = token;
    for (const urls of peerURLs) this.addRecord(idOf(urls.toSorted().join(''), token), urls, false);
    const ids = [...this.members.keys()].toSorted((a, b) => (a < b ? -1 : 1));
    this.id = kept?.id ?? idOf(...ids.map((id) => Buffer.from(id.toString(16).padStart(16, '0'), 'hex')));
    this.#term = kept?.term ?? 1n;
    this.#index = kept?.index ?? 4n;
    this.#leaderlessSince = ports.clock.now();
  }

  get term(): bigint {
    return this.#term;
  }

  get index(): bigint {
    return this.#index;
  }

  /** What members believe: for a while after it is gone the old leader still is one. 0 = none. */
  get leader(): bigint {
    return this.#leader;
  }

  get now(): number {
    return this.#ports.clock.now();
  }

  get random(): Random {
    return this.#ports.random;
  }

  addRecord(id: bigint, peerURLs: readonly string[], isLearner: boolean): MemberRecord {
    const record: MemberRecord = { id, name: '', peerURLs, clientURLs: [], isLearner, run: undefined };
    this.members.set(id, record);
    return record;
  }

  view(viewer: MemberRecord): View {
    const { memberHealthMs } = this.#ports.etcd ?? DEFAULT_ETCD_KNOBS;
    return { members: [...this.members.values()], viewer, now: this.now, healthMs: memberHealthMs };
  }

  anyUp(): boolean {
    return [...this.members.values()].some((member) => member.run !== undefined);
  }

  up(member: MemberRecord, run: MemberRun): void {
    member.run = run;
    this.reconsider();
    this.#watchLeases();
  }

  /** Ends a run; a later run of the same member is not touched by the late news of an earlier one. */
  down(member: MemberRecord, run: MemberRun): void {
    if (member.run !== run) return;
    member.run = undefined;
    this.reconsider();
    if (!this.anyUp()) {
      this.#leaseWatch?.abort();
      this.#pending?.abort();
      this.#pending = undefined;
    }
  }

  /** A leader that is up, and a quorum that follows it. */
  get decides(): boolean {
    const leader = this.members.get(this.#leader);
    return leader?.run !== undefined && leader.run === this.#leaderRun && !leader.isLearner && this.#hasQuorum();
  }

  /**
   * Runs a change that `asked` was asked for through the cluster: now, when there is a leader, or never ("request timed out").
   * Changes of members have no time-out of etcd's own (`timeoutMs` Infinity): they hang until the caller's deadline.
   */
  async propose<T>(
    asked: MemberRecord,
    signal: AbortSignal,
    change: () => T,
    timeoutMs: number = TIMES.requestMs,
  ): Promise<T> {
    const start = this.now;
    let sentTo = this.#leaderRun;
    let lost = false;
    const { value } = await this.#until(
      signal,
      () => {
        sentTo ??= this.#leaderRun;
        // It was on its way to a leader that is leader no more: nobody will answer.
        lost ||= sentTo !== this.#leaderRun;
        if (lost || !this.decides) return undefined;
        this.#index += 1n;
        return { value: change() };
      },
      () => this.#late(asked, start),
      timeoutMs,
    );
    return value;
  }

  /** Runs a linearizable read: it waits for a leader, and fails when that is another one than it began with. */
  async read<T>(signal: AbortSignal, look: () => T): Promise<T> {
    const elections = this.#elections;
    const { value } = await this.#until(
      signal,
      () => {
        if (!this.decides) return undefined;
        if (this.#elections !== elections) throw refuse('leaderChanged');
        return { value: look() };
      },
      () => refuse('timedOut'),
    );
    return value;
  }

  /** Waits for the leader to answer something only it knows (leases' times, a learner's progress). */
  async askLeader<T>(signal: AbortSignal, look: () => T): Promise<T> {
    const { value } = await this.#until(
      signal,
      () => (this.decides ? { value: look() } : undefined),
      () => refuse('timedOut'),
    );
    return value;
  }

  /** Resolves when there has been no leader for so long that streams which need one are ended; rejects when aborted. */
  async leaderless(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = this.#leader === 0n ? this.#leaderlessSince + TIMES.leaderlessStreamMs - this.now : Infinity;
      if (left <= 0) return;
      await this.#ports.clock.sleep(Math.min(left, TIMES.electionMs), signal);
    }
  }

  /** Hands leadership to another voter that is up. */
  moveTo(member: MemberRecord): void {
    if (member.run === undefined || member.id === this.#leader) return;
    this.#lead(member, member.run);
  }

  removeKeysOfLease(id: bigint): void {
    const keys = this.leases.remove(id);
    this.store.write((writer) => keys.map((key) => writer.delete({ start: key })));
  }

  /** A lease was granted: from now on somebody must look after it. */
  leaseGranted(): void {
    this.#watchLeases();
  }

  /** To be called after every change of who is up or a member. */
  reconsider(): void {
    if (this.decides) {
      this.#pending?.abort();
      this.#pending = undefined;
    } else if (this.#pending === undefined && (this.#leader !== 0n || this.#hasQuorum())) {
      // The first election of a new cluster is over before anybody looks.
      if (this.#elections === 0) this.#elect();
      else this.#electLater();
    }
    this.#poke();
  }

  #electLater(): void {
    const pending = new AbortController();
    this.#pending = pending;
    // Each voter waits for its own time; the first to lose patience stands and wins.
    const standing = votersOf(this.members.values()).filter((member) => member.run !== undefined);
    const waits = [this.random.next(), ...standing.slice(1).map(() => this.random.next())];
    const wait = TIMES.electionMs * (1 + Math.min(...waits));
    this.#ports.clock.sleep(wait, pending.signal).then(
      () => {
        this.#pending = undefined;
        if (!this.decides) this.#elect();
        this.#poke();
      },
      () => {},
    );
  }

  #elect(): void {
    const standing = votersOf(this.members.values()).flatMap((member) =>
      member.run === undefined ? [] : [{ member, run: member.run }],
    );
    if (this.#hasQuorum()) {
      const { member, run } = pick(this.random, standing);
      this.#lead(member, run);
      return;
    }
    if (this.#leader !== 0n) this.#leaderlessSince = this.now;
    this.#leader = 0n;
    this.#leaderRun = undefined;
  }

  #lead(member: MemberRecord, run: MemberRun): void {
    this.#leader = member.id;
    this.#leaderRun = run;
    this.#term += 1n;
    this.#index += 1n;
    this.#elections += 1;
    this.#electedAt = this.now;
    this.leases.rearm(this.now, TIMES.electionMs);
    this.#poke();
  }

  #hasQuorum(): boolean {
    const voters = votersOf(this.members.values());
    return voters.filter((member) => member.run !== undefined).length >= quorumOf(voters.length);
  }

  /** Only the new leader itself knows when it was elected, and suspects its predecessor. */
  #late(asked: MemberRecord, start: number): ConnectError {
    const lostWithLeader =
      asked.id === this.#leader && start < this.#electedAt && start > this.#electedAt - 2 * TIMES.electionMs;
    return refuse(lostWithLeader ? 'timedOutLeaderFailed' : 'timedOut');
  }

  /** Members that are up make themselves known as soon as the cluster decides; then whoever waits looks again. */
  #poke(): void {
    if (this.decides) {
      for (const member of this.members.values()) {
        if (member.run === undefined) continue;
        member.name = member.run.name;
        member.clientURLs = member.run.clientURLs;
      }
    }
    const looking = Array.from(this.#waiters);
    for (const look of looking) look();
  }

  async #until<T>(
    signal: AbortSignal,
    look: () => T | undefined,
    late: () => ConnectError,
    timeoutMs: number = TIMES.requestMs,
  ): Promise<T> {
    signal.throwIfAborted();
    const first = look();
    if (first !== undefined) return first;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const over = new AbortController();
    const again = (): void => {
      // A change may itself call for another look at everything: whoever looks is out of the queue meanwhile.
      if (!this.#waiters.delete(again)) return;
      try {
        const found = look();
        if (found === undefined) this.#waiters.add(again);
        else resolve(found);
      } catch (error) {
        reject(error);
      }
    };
    this.#waiters.add(again);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: over.signal });
    if (timeoutMs !== Infinity) {
      this.#ports.clock.sleep(timeoutMs, over.signal).then(
        () => reject(late()),
        () => {},
      );
    }
    try {
      return await promise;
    } finally {
      this.#waiters.delete(again);
      over.abort();
    }
  }

  #watchLeases(): void {
    if (this.leases.size === 0 || (this.#leaseWatch !== undefined && !this.#leaseWatch.signal.aborted)) return;
    const watch = new AbortController();
    this.#leaseWatch = watch;
    const turn = async (): Promise<void> => {
      while (this.leases.size > 0) {
        await this.#ports.clock.sleep(TIMES.leaseCheckMs, watch.signal);
        // Ending a lease is a decision of the cluster: without one, leases outlive their time.
        if (!this.decides) continue;
        for (const id of this.leases.expired(this.now)) {
          this.#index += 1n;
          this.removeKeysOfLease(id);
        }
      }
      watch.abort();
    };
    turn().catch(() => {});
  }
}
