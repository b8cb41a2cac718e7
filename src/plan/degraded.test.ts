import { describe, expect, it } from 'vitest';
import { Redacted } from '../base/redacted.ts';
import { unknown } from '../model/fact.ts';
import {
  controlPlane,
  fact,
  floatingIP,
  loadedConfig,
  observation,
  OLD,
  server,
  worker,
} from '../model/observation.testing.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';
import { changesOf } from '../model/plan.ts';
import { readNodeConfig } from '../observe/node-config.ts';
import { degraded } from './degraded.ts';
import { gateChecks, isOpen } from './gates.ts';
import { degradedPlanner } from './planner.ts';
import { makePlan } from './plan.ts';

const silence = unknown('no answer within 3000 ms', 'test');
const dead = (node: NodeObservation): NodeObservation => ({
  ...node,
  talosVersion: silence,
  config: silence,
  persistentSha256: silence,
  links: silence,
  stage: silence,
  services: silence,
  etcd: { members: silence, status: silence, alarms: silence },
  certificate: silence,
  apiReady: silence,
});
const living = (node: NodeObservation, type: 'controlplane' | 'worker' = 'controlplane'): NodeObservation => {
  const config = readNodeConfig(
    new Redacted(
      `version: v1alpha1\nmachine:\n    type: ${type}\ncluster:\n    clusterName: prod\n    controlPlane:\n        endpoint: ${OLD}\n`,
    ),
  );
  return { ...node, config: fact(config), persistentSha256: fact(config.sha256) };
};
const world = (third: NodeObservation, parts: Partial<Observation> = {}): Observation =>
  observation([living(controlPlane(1)), living(controlPlane(2)), third, living(worker(1), 'worker')], parts);
const view = (o: Observation, earlier?: Observation): Observation => degradedPlanner.view?.(o, earlier) ?? o;
const loaded = loadedConfig();

describe('one of three control planes dead', () => {
  const down = world(dead(controlPlane(3)));

  it('is refused by default, and the refusal says what --allow-degraded would do', () => {
    const { refusals } = makePlan(down, loaded);
    expect(refusals.map((r) => r.code)).toEqual(['node-unknown']);
    expect(refusals[0]?.next).toMatch(
      /--allow-degraded: cp-1 and cp-2 are changed, one API server at a time and nothing of etcd.*cp-3 is left/,
    );
  });

  it('is left out where that was allowed: the others are changed, the dead one is named', () => {
    const plan = degradedPlanner.plan(view(down), loaded);
    expect(plan.refusals).toEqual([]);
    const ids = changesOf(plan).map((change) => change.id);
    expect(ids.filter((id) => id.startsWith('node/cp-1/'))).toHaveLength(3);
    expect(ids.filter((id) => id.startsWith('node/cp-3/'))).toEqual([]);
    expect(plan.warnings.join('\n')).toMatch(/Degraded: .*cp-3 is left as it is/);
    expect(isOpen(gateChecks(view(down), 'cp-1'))).toBe(true);
  });

  it('may hold the address: Talos takes it over', () => {
    const cloud = { ...down.cloud, floatingIPs: fact([floatingIP(103)]) };
    expect(degradedPlanner.plan(view({ ...down, cloud }), loaded).refusals).toEqual([]);
  });

  it('and gone for good is named with the exact member removal, which is never done', () => {
    const gone = world({ ...dead(controlPlane(3)), server: undefined });
    const { refusals } = makePlan(gone, loaded);
    expect(refusals.map((r) => r.code)).toEqual(['node-gone']);
    const removal = 'talosctl -n 203.0.113.1 -e 203.0.113.1 etcd remove-member 33, then kubectl delete node cp-3';
    expect(refusals[0]?.next).toContain(removal);
    expect(degradedPlanner.plan(view(gone), loaded).warnings.join('\n')).toContain(removal);
  });

  it('is not dead while its API server answers: it would refuse tokens', () => {
    const half = world({ ...dead(controlPlane(3)), certificate: controlPlane(3).certificate });
    expect(degraded(half).kind).toBe('whole');
    expect(degradedPlanner.plan(view(half), loaded).refusals.map((r) => r.code)).toEqual(['node-unknown']);
  });

  it('is left out only where it was dead from the beginning', () => {
    const before = world(living(controlPlane(3)));
    expect(view(down, before).nodes).toHaveLength(4);
    expect(view(down, view(down)).nodes).toHaveLength(3);
  });

  it('closes the gate when a survivor is not ready', () => {
    const failing = fact({ kind: 'answered' as const, status: 500, body: '', ms: 1 });
    const two = { ...living(controlPlane(2)), apiReady: failing };
    const o = observation([living(controlPlane(1)), two, dead(controlPlane(3)), living(worker(1), 'worker')]);
    expect(degradedPlanner.plan(view(o), loaded).refusals.map((r) => r.code)).toEqual(['gate-closed-for-now']);
  });
});

describe('without quorum', () => {
  it('nothing is left out, and the refusal says why', () => {
    const o = observation([living(controlPlane(1)), dead(controlPlane(2)), dead(controlPlane(3))]);
    expect(degraded(o)).toMatchObject({ kind: 'impossible' });
    const { refusals } = degradedPlanner.plan(view(o), loaded);
    expect(refusals.map((r) => r.code)).toEqual(['node-unknown', 'node-unknown']);
    expect(refusals[0]?.next).toMatch(/would not help: 1 of 3 voters of etcd are healthy, 2 are the quorum/);
  });
});

describe('a control plane made anew under its old name', () => {
  it('whose old member is still in etcd is named with the removal that lets it join', () => {
    const stopped = unknown('etcd is not running', 'test');
    const fresh: NodeObservation = {
      ...living(controlPlane(3)),
      // Discovery still remembers the earlier machine.
      ownAddresses: ['203.0.113.33', '10.0.0.33', '10.0.0.3'],
      server: server(133, 'cp-3', '203.0.113.33', '10.0.0.33'),
      links: fact([
        { link: 'eth0', address: '203.0.113.33/32' },
        { link: 'eth1', address: '10.0.0.33/32' },
      ]),
      etcd: { members: stopped, status: stopped, alarms: stopped },
    };
    const { refusals } = makePlan(world(fresh), loaded);
    expect(refusals.map((r) => r.code)).toEqual(['member-left-behind']);
    expect(refusals[0]?.next).toContain(
      'talosctl -n 203.0.113.1 -e 203.0.113.1 etcd remove-member 33; fairlead removes no member',
    );
  });
});
