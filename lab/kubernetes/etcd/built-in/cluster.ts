import type { ConnectError } from '@connectrpc/connect';
import type { Clock } from '../../../../src/base/clock.ts';
import { pick, type Random } from '../../../../src/base/random.ts';
import { DEFAULT_ETCD_KNOBS, type EtcdKnobs } from '../../types.ts';
import type { AlarmMember } from '../generated/etcd/rpc_pb.ts';
import { refuse } from './errors.ts';
import { Leases } from './leases.ts';
import { idOf, votersOf, type MemberRecord, type MemberRun, type View } from './membership.ts';
import { MemberNetwork } from './network.ts';
import { DETECTED_AFTER_MS, type Peers } from './peers.ts';
import { Store } from './store.ts';
import { TIMES } from './times.ts';

export interface ClusterPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly etcd?: EtcdKnobs;
}

export type KeptCounters = { readonly [counter in 'id' | 'term' | 'index']: bigint };

/**
 * A whole etcd cluster in one object, which its members' servers share: what raft makes true by replication is true here
 * because there is one copy. So there is no log on a disk and no replication: data lives as long as this object, a member
 * that was down misses nothing, and a request that was on its way to a leader that went away is lost even where raft might
 * have carried it over. Members do speak to each other over the network, though: nothing is decided before a quorum has
 * been heard through it, and a member that is cut off keeps the state it had (for up to a second it still sees what the
 * others decide).
 * What clients can see is kept: a leader among the voters that reach a quorum, nothing decided without one, a leader that
 * is cut off steps down, an election that takes one to two seconds after a leader is gone, requests that wait and then fail
 * with etcd's texts.
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
  readonly #leaderlessSince = new Map<bigint, number>();
  /** Of members out of touch with a leader that decides: the revision up to which they know the store. */
  readonly #behind = new Map<bigint, bigint>();
  readonly #network = new MemberNetwork(this.members);
  readonly #caughtUp = new Set<(member: MemberRecord, revision: bigint) => void>();
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
  }

  get term(): bigint {
    return this.#term;
  }

  get index(): bigint {
    return this.#index;
  }

  /** Who leads, as a member believes: for a while after it is gone the old leader still does. 0 = none. */
  leaderFor(member: MemberRecord): bigint {
    const leader = this.members.get(this.#leader);
    if (leader === undefined || leader.run === undefined || member.run === undefined) return this.#leader;
    return this.linked(member, leader) ? this.#leader : 0n;
  }

  /** Whether two members that are up hear each other. */
  linked(one: MemberRecord, other: MemberRecord): boolean {
    return this.#network.linked(one, other);
  }

  /** The newest revision a member knows: the store's, or the one it had when it was cut off. */
  revisionFor(member: MemberRecord): bigint {
    return this.#behind.get(member.id) ?? this.store.revision;
  }

  isBehind(member: MemberRecord): boolean {
    return this.#behind.has(member.id);
  }

  /** Called with the revision up to which a member knew the store, when it learns of the rest. Returns how to end it. */
  onCaughtUp(listener: (member: MemberRecord, revision: bigint) => void): () => void {
    this.#caughtUp.add(listener);
    return () => this.#caughtUp.delete(listener);
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
    const linked = (member: MemberRecord): boolean => this.linked(viewer, member);
    return { members: [...this.members.values()], viewer, now: this.now, healthMs: memberHealthMs, linked };
  }

  anyUp(): boolean {
    return [...this.members.values()].some((member) => member.run !== undefined);
  }

  /** `peers`: its way to the others; without one it hears everybody. */
  up(member: MemberRecord, run: MemberRun, peers?: Peers): void {
    member.run = run;
    this.#network.join(run, peers);
    this.reconsider();
    this.#watchLeases();
  }

  /** Ends a run; a later run of the same member is not touched by the late news of an earlier one. */
  down(member: MemberRecord, run: MemberRun): void {
    this.#network.leave(run);
    if (member.run !== run) return;
    member.run = undefined;
    this.reconsider();
    if (!this.anyUp()) {
      this.#leaseWatch?.abort();
      this.#pending?.abort();
      this.#pending = undefined;
    }
  }

  /** A leader that is up, and a quorum that hears it. */
  get decides(): boolean {
    const leader = this.members.get(this.#leader);
    return (
      leader?.run !== undefined &&
      leader.run === this.#leaderRun &&
      !leader.isLearner &&
      this.#network.reachesQuorum(leader)
    );
  }

  /** The cluster decides, and this member hears who leads it. */
  #serves(member: MemberRecord): boolean {
    const leader = this.members.get(this.#leader);
    return leader !== undefined && this.decides && this.linked(member, leader);
  }

  /** A look that finds something only once the network has been asked whether the leader still leads. */
  #acknowledging<T>(asked: MemberRecord, quorum: boolean, look: () => T): () => T | undefined {
    let asking: MemberRun | undefined;
    let heard: MemberRun | undefined;
    return () => {
      const leading = this.#leaderRun;
      if (heard !== undefined && heard === leading) return look();
      if (asking === leading) return undefined;
      asking = leading;
      const leader = this.members.get(this.#leader);
      const answered = leader === undefined ? undefined : this.#network.ask(asked, leader, quorum);
      if (answered === undefined) return look();
      void answered.then(() => {
        heard = leading;
        this.#poke();
      });
      return undefined;
    };
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
    const decided = this.#acknowledging(asked, true, () => {
      this.#index += 1n;
      return { value: change() };
    });
    const { value } = await this.#until(
      signal,
      () => {
        sentTo ??= this.#leaderRun;
        // It was on its way to a leader that is leader no more: nobody will answer.
        lost ||= sentTo !== this.#leaderRun;
        return lost || !this.#serves(asked) ? undefined : decided();
      },
      () => this.#late(asked, start),
      timeoutMs,
    );
    return value;
  }

  /** Runs a linearizable read: it waits for a leader, and fails when that is another one than it began with. */
  async read<T>(asked: MemberRecord, signal: AbortSignal, look: () => T): Promise<T> {
    const elections = this.#elections;
    const found = this.#acknowledging(asked, true, () => ({ value: look() }));
    const { value } = await this.#until(
      signal,
      () => {
        if (!this.#serves(asked)) return undefined;
        if (this.#elections !== elections) throw refuse('leaderChanged');
        return found();
      },
      () => refuse('timedOut'),
    );
    return value;
  }

  /** Waits for the leader to answer something only it knows (leases' times, a learner's progress). */
  async askLeader<T>(asked: MemberRecord, signal: AbortSignal, look: () => T): Promise<T> {
    const found = this.#acknowledging(asked, false, () => ({ value: look() }));
    const { value } = await this.#until(
      signal,
      () => (this.#serves(asked) ? found() : undefined),
      () => refuse('timedOut'),
    );
    return value;
  }

  /** Resolves when a member has known of no leader for so long that its streams which need one are ended; rejects when aborted. */
  async leaderless(member: MemberRecord, signal: AbortSignal): Promise<void> {
    for (;;) {
      const since = this.#leaderlessSince.get(member.id);
      const left = since === undefined ? Infinity : since + TIMES.leaderlessStreamMs - this.now;
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
  reconsider(alreadyWaitedMs = 0): void {
    this.#network.introduce();
    if (this.decides) {
      this.#pending?.abort();
      this.#pending = undefined;
    } else if (this.#pending === undefined && (this.#leader !== 0n || this.#standing().length > 0)) {
      // The first election of a new cluster is over before anybody looks.
      if (this.#elections === 0) this.#elect();
      else this.#electLater(alreadyWaitedMs);
    }
    this.#poke();
  }

  /** A link was cut or is whole again. */
  linksChanged(): void {
    this.reconsider(DETECTED_AFTER_MS);
  }

  #electLater(alreadyWaitedMs: number): void {
    const pending = new AbortController();
    this.#pending = pending;
    // Each voter waits for its own time; the first to lose patience stands and wins.
    const standing = this.#standing();
    const waits = [this.random.next(), ...standing.slice(1).map(() => this.random.next())];
    const wait = Math.max(0, TIMES.electionMs * (1 + Math.min(...waits)) - alreadyWaitedMs);
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
    const standing = this.#standing();
    if (standing.length > 0) {
      const { member, run } = pick(this.random, standing);
      this.#lead(member, run);
      return;
    }
    this.#leader = 0n;
    this.#leaderRun = undefined;
  }

  /** Who would win an election: voters that are up and reach a quorum. */
  #standing(): { readonly member: MemberRecord; readonly run: MemberRun }[] {
    return votersOf(this.members.values()).flatMap((member) =>
      member.run === undefined || !this.#network.reachesQuorum(member) ? [] : [{ member, run: member.run }],
    );
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

  /** Notes who knows of a leader, and who learns of what the cluster decides. */
  #notice(): void {
    for (const member of this.members.values()) {
      if (this.leaderFor(member) !== 0n) this.#leaderlessSince.delete(member.id);
      else if (!this.#leaderlessSince.has(member.id)) this.#leaderlessSince.set(member.id, this.now);
      const known = this.#behind.get(member.id);
      const serves = this.#serves(member);
      if (!serves && known === undefined) this.#behind.set(member.id, this.store.revision);
      if (!serves || known === undefined) continue;
      this.#behind.delete(member.id);
      for (const listener of this.#caughtUp) listener(member, known);
    }
  }

  /** Only the new leader itself knows when it was elected, and suspects its predecessor. */
  #late(asked: MemberRecord, start: number): ConnectError {
    const lostWithLeader =
      asked.id === this.#leader && start < this.#electedAt && start > this.#electedAt - 2 * TIMES.electionMs;
    return refuse(lostWithLeader ? 'timedOutLeaderFailed' : 'timedOut');
  }

  /** Members that are up make themselves known as soon as the cluster decides; then whoever waits looks again. */
  #poke(): void {
    this.#notice();
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
