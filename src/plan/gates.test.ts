import { describe, expect, it } from 'vitest';
import { unknown } from '../model/fact.ts';
import { controlPlane, fact, MEMBERS, observation, pinned, worker } from '../model/observation.testing.ts';
import type { NodeObservation } from '../model/observation.ts';
import { gateChecks, isOpen } from './gates.ts';

const closed = (nodes: readonly NodeObservation[], target: string | undefined = 'cp-1'): string[] =>
  gateChecks(observation(nodes), target)
    .filter((check) => check.verdict !== 'open')
    .map((check) => `${check.name}: ${check.verdict}`);

const plane = (n: number, parts: Partial<NodeObservation> = {}) => controlPlane(n, parts);
const rest = [plane(2), plane(3), worker(1)];

describe('the gates before a control plane is disturbed', () => {
  it('are open on a healthy cluster', () => {
    expect(isOpen(gateChecks(pinned(), 'cp-1'))).toBe(true);
    expect(isOpen(gateChecks(pinned(), undefined))).toBe(true);
  });

  it('ask the others to be ready, not the one that is to be changed', () => {
    const down = fact({ kind: 'answered' as const, status: 500, body: '', ms: 1 });
    expect(closed([plane(1, { apiReady: down }), ...rest])).toEqual([]);
    expect(closed([plane(1), plane(2, { apiReady: down }), plane(3), worker(1)])).toEqual([
      'every other API server ready on its own address: closed',
    ]);
  });

  it('are closed, not open, where a fact is unknown', () => {
    const silent = unknown('no answer', 'test');
    const list = closed([plane(1), plane(2, { stage: silent }), plane(3), worker(1)]);
    expect(list).toEqual([
      'every other control plane runs and is ready: unknown',
      'no upgrade, reset or reboot under way: unknown',
    ]);
  });

  it('close for two voters, a learner, an alarm, no leader, differing lists and a lagging member', () => {
    const etcd = (n: number, change: object) => {
      const base = controlPlane(n).etcd;
      if (base === undefined) throw new Error('a control plane has etcd');
      return plane(n, { etcd: { ...base, ...change } });
    };
    const all = (change: object) => [etcd(1, change), etcd(2, change), etcd(3, change), worker(1)];
    expect(closed(all({ members: fact(MEMBERS.slice(0, 2)) }))).toContain(
      'three or more voters, an odd number: closed',
    );
    const learner = MEMBERS.map((member, i) => ({ ...member, isLearner: i === 2 }));
    expect(closed(all({ members: fact(learner) }))).toContain('no learner: closed');
    expect(closed(all({ alarms: fact([{ memberId: 17n, alarm: 'NOSPACE' }]) }))).toContain(
      'no etcd alarm and no etcd error: closed',
    );
    expect(closed([etcd(1, { members: fact(MEMBERS.toReversed().slice(1)) }), ...rest])).toContain(
      'equal member lists: closed',
    );
    const status = (raftAppliedIndex: bigint, leader = 17n) =>
      fact({
        memberId: 17n,
        leader,
        raftTerm: 4n,
        raftIndex: raftAppliedIndex,
        raftAppliedIndex,
        dbSize: 1n,
        isLearner: false,
        errors: [],
      });
    expect(closed([etcd(1, { status: status(10n) }), ...rest])).toContain('no member lags behind: closed');
    expect(closed(all({ status: status(1000n, 0n) }))).toContain('one leader, known to all: closed');
  });

  it('close for a staged config, a member at a foreign address and one host name twice', () => {
    expect(closed([plane(1, { persistentSha256: fact('other') }), ...rest])).toContain(
      'no staged or tried config pending: closed',
    );
    expect(closed([plane(1, { ownAddresses: ['203.0.113.1'] }), ...rest])).toContain(
      'every member at an own address of its node: closed',
    );
    expect(closed([plane(1), plane(2), plane(3), plane(3)])).toContain('every host name once: closed');
  });

  it('close for two machines of one name, which Talos lists as one node', () => {
    const both = plane(3, { ownAddresses: ['203.0.113.3', '10.0.0.3', '203.0.113.4'] });
    const twin = { ...controlPlane(4), name: 'twin' };
    const nodes = [plane(1), plane(2), both, worker(1)];
    const seen = observation(nodes, {
      cloud: { ...pinned().cloud, servers: fact([both, twin].flatMap((n) => n.server ?? [])) },
    });
    const check = gateChecks(seen, 'cp-1').find(({ name }) => name === 'every host name once');
    expect(check).toMatchObject({
      verdict: 'closed',
      evidence: 'cp-3: it has the addresses of the servers cp-3 and cp-4',
    });
    const [first, second] = MEMBERS;
    if (first === undefined || second === undefined) throw new Error('there are three members');
    const base = controlPlane(1).etcd;
    if (base === undefined) throw new Error('a control plane has etcd');
    const etcd = { ...base, members: fact([...MEMBERS, { ...second, id: 99n }]) };
    expect(closed([plane(1, { etcd }), ...rest])).toContain('every host name once: closed');
  });

  it('close for an untrusted certificate and one that ends within a day', () => {
    const certificate = (trusted: boolean, notAfter: string) => fact({ serial: '1', names: [], notAfter, trusted });
    const name = 'certificates trusted and valid: closed';
    expect(
      closed([plane(1), plane(2, { certificate: certificate(false, '2027-01-01T00:00:00Z') }), plane(3)]),
    ).toContain(name);
    expect(
      closed([plane(1), plane(2, { certificate: certificate(true, '2026-11-25T00:00:00Z') }), plane(3)]),
    ).toContain(name);
  });
});
