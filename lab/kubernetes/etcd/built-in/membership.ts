import { createHash } from 'node:crypto';
import { refuse, type Refusal } from './errors.ts';

/** One run of a member's process. */
export interface MemberRun {
  readonly name: string;
  readonly clientURLs: readonly string[];
  /** In the clock's milliseconds. */
  readonly upSince: number;
  /** The member was removed from the cluster: its server ends. */
  readonly removed: () => void;
}

export interface MemberRecord {
  readonly id: bigint;
  /** Empty until it has started once: a member makes itself known through the cluster. */
  name: string;
  peerURLs: readonly string[];
  clientURLs: readonly string[];
  isLearner: boolean;
  run: MemberRun | undefined;
}

const MAX_LEARNERS = 1;

/** The first eight bytes of a SHA-1, as etcd makes its member and cluster ids. */
export function idOf(...parts: readonly (string | Uint8Array)[]): bigint {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return hash.digest().readBigUInt64BE();
}

export const quorumOf = (voters: number): number => Math.floor(voters / 2) + 1;

export const votersOf = (members: Iterable<MemberRecord>): MemberRecord[] =>
  [...members].filter((member) => !member.isLearner);

/** What a member knows of the others' health. */
export interface View {
  readonly members: readonly MemberRecord[];
  readonly viewer: MemberRecord;
  readonly now: number;
  /** Whether the viewer hears a member that is up; absent = it hears all. */
  readonly linked?: (member: MemberRecord) => boolean;
  /** How long members must have been connected before the cluster lets itself be changed. */
  readonly healthMs: number;
}

/** Since when the viewer has been connected to a member; undefined when it is not. */
function activeSince(view: View, member: MemberRecord): number | undefined {
  if (member.run === undefined || view.viewer.run === undefined || view.linked?.(member) === false) return undefined;
  return Math.max(member.run.upSince, view.viewer.run.upSince);
}

const connectedLong = (view: View, member: MemberRecord): boolean => {
  if (member === view.viewer) return true;
  const since = activeSince(view, member);
  return since !== undefined && view.now - since >= view.healthMs;
};

const enoughStarted = (started: number, future: number): boolean => started >= quorumOf(future);

/** Why a member may not be added now. Every voter must have been connected for the health interval. */
export function refusesAdd(view: View, peerURLs: readonly string[], learner: boolean): Refusal | undefined {
  const voters = votersOf(view.members);
  const started = voters.filter((member) => member.name !== '').length;
  // From one member to two is always allowed, though two started ones would be the quorum.
  if (!learner && !(started === 1 && voters.length === 1) && !enoughStarted(started, voters.length + 1))
    return 'notEnoughStarted';
  if (!voters.every((member) => connectedLong(view, member))) return 'unhealthy';
  if (view.members.some((member) => member.peerURLs.some((url) => peerURLs.includes(url)))) return 'peerUrlExists';
  if (learner && view.members.filter((member) => member.isLearner).length >= MAX_LEARNERS) return 'tooManyLearners';
  return undefined;
}

/** Why a member may not be removed now: those that stay must be able to decide. */
export function refusesRemove(view: View, target: MemberRecord): Refusal | undefined {
  if (target.isLearner) return undefined;
  const voters = votersOf(view.members);
  const staying = voters.filter((member) => member !== target);
  if (!enoughStarted(staying.filter((member) => member.name !== '').length, staying.length)) return 'notEnoughStarted';
  // One that is down is no part of the quorum at work.
  if (target !== view.viewer && activeSince(view, target) === undefined) return undefined;
  const connected = voters.filter((member) => connectedLong(view, member)).length;
  if (connected - 1 < 1 + Math.floor((voters.length - 1) / 2)) return 'unhealthy';
  return undefined;
}

/** Why a member may not be promoted now. `inSyncAfterMs`: how long a learner takes to have what the leader has. */
export function refusesPromote(view: View, target: MemberRecord, inSyncAfterMs: number): Refusal | undefined {
  if (!target.isLearner) return 'notALearner';
  const since = target.run?.upSince;
  if (since === undefined || target.name === '' || view.now - since < inSyncAfterMs) return 'learnerNotReady';
  const voters = votersOf(view.members);
  const started = voters.filter((member) => member.name !== '').length;
  return enoughStarted(started + 1, voters.length + 1) ? undefined : 'notEnoughStarted';
}

export function checkPeerURLs(urls: readonly string[]): void {
  const good = (url: string): boolean =>
    URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && new URL(url).port !== '';
  if (urls.length === 0 || !urls.every(good)) throw refuse('badPeerUrls');
}
