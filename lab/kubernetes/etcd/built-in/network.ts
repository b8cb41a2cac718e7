import { quorumOf, votersOf, type MemberRecord, type MemberRun } from './membership.ts';
import type { PeerLink, Peers } from './peers.ts';

/** Who hears whom among the members of a cluster. */
export class MemberNetwork {
  readonly #members: ReadonlyMap<bigint, MemberRecord>;
  readonly #peers = new Map<MemberRun, Peers>();

  constructor(members: ReadonlyMap<bigint, MemberRecord>) {
    this.#members = members;
  }

  /** `peers`: the way of a run of a member to the others; without one it hears everybody. */
  join(run: MemberRun, peers: Peers | undefined): void {
    if (peers !== undefined) this.#peers.set(run, peers);
  }

  leave(run: MemberRun): void {
    this.#peers.get(run)?.close();
    this.#peers.delete(run);
  }

  /** Every member that is up gets links to all others that are. */
  introduce(): void {
    const up = [...this.#members.values()].flatMap((member) =>
      member.run === undefined ? [] : [{ id: member.id, url: member.peerURLs[0] ?? '', run: member.run }],
    );
    for (const { run } of up) this.#peers.get(run)?.follow(up.filter((other) => other.run !== run));
  }

  /** Whether two members that are up hear each other. */
  linked(one: MemberRecord, other: MemberRecord): boolean {
    if (one === other) return true;
    return this.#link(one, other)?.whole !== false && this.#link(other, one)?.whole !== false;
  }

  reachesQuorum(member: MemberRecord): boolean {
    const voters = votersOf(this.#members.values());
    const reached = voters.filter((voter) => voter.run !== undefined && this.linked(member, voter));
    return reached.length >= quorumOf(voters.length);
  }

  /**
   * Resolves when the leader has been heard by the member that was asked, and, where asked for, a quorum by the leader;
   * undefined when nobody has to be.
   */
  ask(asked: MemberRecord, leader: MemberRecord, quorum: boolean): Promise<unknown> | undefined {
    const toLeader = asked === leader ? undefined : this.#link(asked, leader)?.heard();
    const voters = votersOf(this.#members.values());
    const answers = voters
      .filter((voter) => voter !== leader && voter.run !== undefined)
      .flatMap((voter) => this.#link(leader, voter)?.heard() ?? []);
    const needed = quorum ? Math.min(answers.length, quorumOf(voters.length) - 1) : 0;
    if (toLeader === undefined && needed <= 0) return undefined;
    return Promise.all([toLeader, needed > 0 ? some(answers, needed) : undefined]);
  }

  #link(from: MemberRecord, to: MemberRecord): PeerLink | undefined {
    return from.run === undefined ? undefined : this.#peers.get(from.run)?.to(to.id);
  }
}

/** Resolves when so many of them have. */
const some = (promises: readonly Promise<void>[], needed: number): Promise<void> =>
  new Promise((resolve) => {
    let left = needed;
    for (const promise of promises) {
      void promise.then(() => {
        left -= 1;
        if (left === 0) resolve();
      });
    }
  });
