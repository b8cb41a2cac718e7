import { describe, expect, it } from 'vitest';
import type { Outage } from '../probe/outages.ts';
import { causeOf, timedSteps, type TimedStep } from './outage-causes.ts';

const PLANES = ['cp-1', 'cp-2', 'cp-3'];
const outage = (target: string, from: number, to: number, parts: Partial<Outage> = {}): Outage => ({
  target,
  path: 'readNewConnection',
  from,
  to,
  failures: [{ error: 'refused', count: 3 }],
  longest: true,
  ...parts,
});
const step = (change: string, from: number, to: number): TimedStep => ({ change, from, to });
const restart = step('node/cp-2/endpoint', 10_000, 20_000);
const cause = (one: Outage, others: readonly Outage[] = [], steps: readonly TimedStep[] = [restart]) =>
  causeOf(one, [one, ...others], steps, PLANES);

describe('the cause of an outage', () => {
  it('of a control plane is the restart of its own API server, and of no other', () => {
    expect(cause(outage('cp-2', 12_000, 14_000))).toEqual({ kind: 'api-server-restart', node: 'cp-2' });
    expect(cause(outage('cp-1', 12_000, 14_000))).toEqual({ kind: 'unknown' });
    expect(cause(outage('cp-2', 40_000, 41_000))).toEqual({ kind: 'unknown' });
  });

  it('of an endpoint is the restart of the API server behind it, which fails itself at that time', () => {
    const through = outage('old-endpoint', 12_000, 14_000);
    expect(cause(through, [outage('cp-2', 12_100, 14_100)])).toEqual({ kind: 'api-server-restart', node: 'cp-2' });
    expect(cause(through)).toEqual({ kind: 'unknown' });
  });

  it('of the endpoint is that the address moved, while a VIP was changed', () => {
    const steps = [step('node/cp-3/vip-out', 30_000, 31_000)];
    expect(cause(outage('endpoint', 30_200, 30_900), [], steps)).toEqual({ kind: 'address-moved' });
    expect(cause(outage('cp-3', 30_200, 30_900), [], steps)).toEqual({ kind: 'unknown' });
    expect(cause(outage('endpoint', 30_200, 30_900), [], [step('address/assign/7/9', 30_000, 31_000)])).toEqual({
      kind: 'address-moved',
    });
  });

  it('is that etcd had no leader where every API server failed at once, whatever was restarted', () => {
    const all = PLANES.map((name) => outage(name, 12_000, 13_500));
    expect(cause(outage('endpoint', 12_050, 13_600), all)).toEqual({ kind: 'no-etcd-leader' });
    expect(cause(outage('endpoint', 12_050, 13_600), all.slice(0, 2))).not.toEqual({ kind: 'no-etcd-leader' });
  });

  it('is on this side where tokens failed everywhere too: they need no etcd', () => {
    const all = PLANES.map((name) => outage(name, 12_000, 13_500));
    const tokens = PLANES.map((name) => outage(name, 12_000, 13_500, { path: 'token' }));
    expect(cause(outage('endpoint', 12_050, 13_600), [...all, ...tokens])).toEqual({ kind: 'everything-at-once' });
  });

  it('is none where nothing failed', () => {
    expect(cause(outage('cp-2', 12_000, 14_000, { failures: [] }))).toEqual({ kind: 'none' });
  });
});

describe('the times of steps', () => {
  it('are counted back from their ends; a step of an older record without a change tells nothing', () => {
    const at = '1970-01-01T00:00:30.000Z';
    const base = { at, phase: 2, what: 'x', ms: 4_000, evidence: [] };
    expect(timedSteps([{ ...base, change: 'node/cp-1/vip' }, base], 1_000)).toEqual([
      { from: 25_000, to: 29_000, change: 'node/cp-1/vip' },
    ]);
  });
});
