import { describe, expect, it } from 'vitest';
import { refusesAdd, refusesPromote, refusesRemove, type MemberRecord } from './membership.ts';

const NOW = 100_000;

/** A member that has been up for so many milliseconds; undefined = down. */
function member(n: number, upFor: number | undefined, isLearner = false): MemberRecord {
  const run =
    upFor === undefined ? undefined : { name: `m${n}`, clientURLs: [], upSince: NOW - upFor, removed: () => {} };
  return { id: BigInt(n), name: `m${n}`, peerURLs: [`https://10.0.0.${n}:2380`], clientURLs: [], isLearner, run };
}

function members(...upFor: (number | undefined)[]) {
  const all = upFor.map((ms, n) => member(n + 1, ms));
  const [viewer] = all;
  if (viewer === undefined) throw new Error('no members');
  return { members: all, viewer, now: NOW, healthMs: LONG };
}

const LONG = 5_000;
const URLS = ['https://10.0.0.9:2380'];

describe('adding a member', () => {
  it('is allowed when every voter has been connected for the health interval', () => {
    expect(refusesAdd(members(LONG, LONG, LONG), URLS, true)).toBeUndefined();
    expect(refusesAdd(members(LONG, LONG, LONG - 1), URLS, true)).toBe('unhealthy');
    expect(refusesAdd(members(LONG, LONG, undefined), URLS, true)).toBe('unhealthy');
  });

  it('is always allowed to a single member, which needs nobody', () => {
    expect(refusesAdd(members(0), URLS, true)).toBeUndefined();
    expect(refusesAdd(members(0), URLS, false)).toBeUndefined();
  });

  it('is refused when the address is taken, or another learner is there', () => {
    const view = members(LONG, LONG, LONG);
    expect(refusesAdd(view, ['https://10.0.0.2:2380'], true)).toBe('peerUrlExists');
    const learning = { ...view, members: [...view.members, member(4, LONG, true)] };
    expect(refusesAdd(learning, URLS, true)).toBe('tooManyLearners');
    expect(refusesAdd(learning, URLS, false)).toBeUndefined();
  });

  it('of a voter needs enough that have started', () => {
    const view = members(LONG, LONG);
    const [, second] = view.members;
    if (second !== undefined) second.name = '';
    expect(refusesAdd(view, URLS, false)).toBe('notEnoughStarted');
  });
});

describe('removing a member', () => {
  const remove = (n: number, ...upFor: (number | undefined)[]) => {
    const view = members(...upFor);
    const target = view.members[n];
    if (target === undefined) throw new Error('no such member');
    return refusesRemove(view, target);
  };

  it('that is down is allowed', () => {
    expect(remove(2, LONG, LONG, undefined)).toBeUndefined();
  });

  it('that is up needs a quorum of the others that has been connected for long', () => {
    expect(remove(2, LONG, LONG, LONG)).toBeUndefined();
    expect(remove(1, LONG, LONG, undefined)).toBe('unhealthy');
    expect(remove(1, LONG, LONG, 10)).toBe('unhealthy');
  });

  it('is refused where it would be the only one', () => {
    expect(remove(0, LONG)).toBe('notEnoughStarted');
  });
});

describe('promoting a learner', () => {
  it('waits until it has started and has had the time to catch up', () => {
    const view = members(LONG, LONG);
    const learner = member(3, 700, true);
    const all = { ...view, members: [...view.members, learner] };
    expect(refusesPromote(all, learner, 700)).toBeUndefined();
    expect(refusesPromote(all, learner, 701)).toBe('learnerNotReady');
    expect(refusesPromote(all, member(3, undefined, true), 0)).toBe('learnerNotReady');
    expect(refusesPromote(all, view.viewer, 0)).toBe('notALearner');
  });
});
