import { describe, expect, it } from 'vitest';
import { unknown } from '../../model/fact.ts';
import {
  AT,
  controlPlane,
  fact,
  IP,
  loadedConfig,
  nodeConfig,
  observation,
  worker,
} from '../../model/observation.testing.ts';
import type { NodeConfig, NodeObservation, Observation } from '../../model/observation.ts';
import type { LoadedConfig } from '../../config/loaded.ts';
import { parseConfig } from '../../config/parse.ts';
import { planContext } from '../context.ts';
import { makePlan } from '../plan.ts';
import { refusalsOf } from './refusals.ts';

const loaded = loadedConfig();
const refusals = (o: Observation, config: LoadedConfig = loaded) => refusalsOf(planContext(o, config), false);
const codes = (o: Observation, config: LoadedConfig = loaded): string[] => refusals(o, config).map((r) => r.code);
const world = (second: Partial<NodeObservation> = {}, parts: Partial<Observation> = {}): Observation =>
  observation([controlPlane(1), controlPlane(2, second), controlPlane(3), worker(1)], parts);
const configured = (parts: Partial<NodeConfig>): Partial<NodeObservation> => {
  const config = nodeConfig(parts);
  return { config: fact(config), persistentSha256: fact(config.sha256) };
};
const named = (host: string): LoadedConfig => ({
  ...loaded,
  config: { ...loaded.config, endpoint: { ...loaded.config.endpoint, host } },
});

const clock = (offsetMs: number, referenceMs = 0) => ({ clock: fact({ offsetMs, referenceMs, server: 'ntp' }) });

describe('before the first write', () => {
  it('a healthy cluster is not refused', () => {
    expect(codes(world())).toEqual([]);
  });

  it('a clock that is ten minutes off is named with its offset; five minutes are borne, and silence is no refusal', () => {
    expect(refusals(world(clock(600_000)))[0]).toMatchObject({
      code: 'clock-off',
      what: 'The clock of cp-2 is 10 min ahead',
    });
    expect(refusals(world(clock(-610_000)))[0]?.what).toBe('The clock of cp-2 is 10.2 min behind');
    expect(codes(world(clock(299_000)))).toEqual([]);
    expect(codes(world({ clock: unknown('no NTP', 'test') }))).toEqual([]);
    expect(refusals(world(clock(0, 600_000)))[0]).toMatchObject({
      code: 'clock-of-this-machine-off',
      what: 'The clock of this machine is 10 min behind',
    });
  });

  it('control planes of two versions are refused, patch releases are not', () => {
    expect(codes(world({ talosVersion: fact('v1.12.11') }))).toEqual(['versions-differ']);
    expect(codes(world({ talosVersion: fact('v1.13.8') }))).toEqual([]);
  });

  it('a VIP on a worker is refused, and it is said which version accepts it', () => {
    const vips = configured({ vips: [{ ip: IP, form: 'document', provider: 'hcloud' }] });
    const o = observation([controlPlane(1), controlPlane(2), controlPlane(3), worker(1, vips)]);
    expect(codes(o)).toEqual(['vip-on-worker']);
    expect(refusals(o)[0]?.why).toMatch(/from 1\.12 on/);
  });

  it('an endpoint without port, with a path, by http, or that is no URL', () => {
    const why = (endpoint: string): string | undefined =>
      refusals(world(configured({ endpoint, issuers: ['https://203.0.113.1:6443'] }))).find(
        (r) => r.code === 'endpoint-form',
      )?.why;
    expect(why('https://203.0.113.1')).toMatch(/443/);
    expect(why('https://203.0.113.1:6443/api')).toMatch(/paths/);
    expect(why('http://203.0.113.1:6443')).toMatch(/TLS/);
    expect(why('203.0.113.1')).toMatch(/no URL/);
    expect(why('https://203.0.113.1:6443')).toBeUndefined();
    expect(why('https://203.0.113.1:6443/')).toBeUndefined();
  });

  it('a name that collides with a node, or with what the certificate uses already', () => {
    expect(codes(world(), named('cp-2'))).toContain('name-collides');
    expect(codes(world(), named('kubernetes.default.svc'))).toContain('name-collides');
    expect(codes(world(), named('203.0.113.3'))).toContain('name-collides');
    expect(codes(world({ ownAddresses: [IP] }))).toContain('name-collides');
    expect(codes(world(), named('api.example.com'))).toEqual([]);
  });

  it('a configured host that is a URL, or has a port or a path, is no host', () => {
    const text = (host: string): string =>
      `apiVersion: fairlead/v1alpha1\nkind: Cluster\nname: prod\nmode: talos-vip\nendpoint: {host: "${host}"}\naddress: {adopt: {ip: ${IP}}}\nhetzner: {token: env:A}\ntalosVip: {token: env:B}\ntalos: {config: env:C}\n`;
    for (const host of [
      'https://api.example.com',
      'http://api.example.com',
      'api.example.com:6443',
      'api.example.com/x',
    ])
      expect(() => parseConfig(text(host), 'fairlead.yaml')).toThrow(/cannot be used/);
    expect(parseConfig(text('api.example.com'), 'fairlead.yaml').endpoint.host).toBe('api.example.com');
  });

  it('a talosconfig that ends within the hour is refused, one of three days is warned of', () => {
    const ends = (ms: number): Partial<Observation> => ({
      talosCertificateEnds: new Date(Date.parse(AT) + ms).toISOString(),
    });
    expect(codes(world({}, ends(1_800_000)))).toEqual(['talosconfig-ends']);
    const soon = world({}, ends(3 * 86_400_000));
    expect(codes(soon)).toEqual([]);
    expect(makePlan(soon, loaded).warnings.join('\n')).toMatch(/talosconfig ends at 2026-11-27/);
  });

  it("an API server's certificate of three days closes the gate: it was not renewed when it should have been", () => {
    const base = controlPlane(2).certificate;
    if (base?.kind !== 'known') throw new Error('it has a certificate');
    const certificate = fact({ ...base.value, notAfter: '2026-11-27T12:00:00.000Z' });
    const gate = refusalsOf(planContext(world({ certificate }), loaded), true);
    expect(gate.map((r) => r.why).join('\n')).toMatch(/cp-2: ends at 2026-11-27/);
  });

  it('a worker that Kubernetes lists and that no longer exists is named with what takes it out', () => {
    const silent = unknown('no answer', 'test');
    const gone = worker(1, { server: undefined, talosVersion: silent, config: silent });
    const o = observation([controlPlane(1), controlPlane(2), controlPlane(3), gone]);
    expect(codes(o)).toEqual(['node-gone']);
    expect(refusals(o)[0]?.next).toMatch(/kubectl delete node worker-1/);
  });
});
