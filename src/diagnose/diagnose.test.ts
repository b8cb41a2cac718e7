import { describe, expect, it } from 'vitest';
import { unknown } from '../model/fact.ts';
import {
  controlPlane,
  fact,
  finished,
  floatingIP,
  IP,
  kubeconfigOf,
  loadedConfig,
  MEMBERS,
  nodeConfig,
  observation,
  OLD,
  pinned,
  WANTED,
  worker,
} from '../model/observation.testing.ts';
import type { Observation } from '../model/observation.ts';
import { diagnose } from './diagnose.ts';

const loaded = loadedConfig();
const ids = (o: Observation): string[] => diagnose(o, loaded).findings.map((f) => f.id);

describe('verify', () => {
  it('calls a finished cluster sound and names no cause', () => {
    const verification = diagnose(finished(), loaded);
    expect(verification.findings).toEqual([]);
    expect(verification).toMatchObject({ verdict: 'sound', cause: null, unknowns: [] });
  });

  it('names the endpoint on a node as the root of everything before the change', () => {
    const verification = diagnose(pinned(), loaded);
    expect(verification).toMatchObject({ verdict: 'broken', cause: 'endpoint-is-a-node' });
    const byId = new Map(verification.findings.map((f) => [f.id, f]));
    expect(byId.get('vip-missing')?.causedBy).toBe('endpoint-is-a-node');
    expect(byId.get('san-missing')?.causedBy).toBe('endpoint-is-a-node');
    expect(byId.get('endpoint-unreachable')?.causedBy).toBe('address-unassigned');
    expect(byId.get('issuer-not-pinned')?.level).toBe('warning');
  });

  it('still names it when that node is dead', () => {
    const silent = unknown('no answer', 'test');
    const dead = controlPlane(1, {
      talosVersion: silent,
      config: silent,
      links: silent,
      certificate: silent,
      apiReady: silent,
    });
    const verification = diagnose(observation([dead, controlPlane(2), controlPlane(3), worker(1)]), loaded);
    expect(verification.cause).toBe('endpoint-is-a-node');
    expect(verification.findings.map((f) => f.id)).toContain('node-unreachable');
    expect(verification.unknowns).toContainEqual({ subject: 'cp-1', what: 'everything on it', why: 'no answer' });
  });

  it('tells a name that leads to a node although a probe through it answers', () => {
    const o = (addresses: readonly string[]): Observation =>
      finished({ endpointName: { name: 'api.example.com', addresses: fact(addresses) } });
    expect(ids(o([IP]))).toEqual([]);
    expect(ids(o(['203.0.113.1']))).toEqual(['endpoint-name-elsewhere']);
    expect(ids(o([IP, '203.0.113.1']))).toEqual(['endpoint-name-elsewhere']);
    const silent = finished({ endpointName: { name: 'api.example.com', addresses: unknown('ENOTFOUND', 'dns') } });
    expect(diagnose(silent, loaded)).toMatchObject({ verdict: 'unknown' });
  });

  it('tells a kubelet that took the address for its own', () => {
    const nodes = (address: string) =>
      fact([{ name: 'cp-2', ready: true, addresses: [{ type: 'InternalIP', address }] }]);
    expect(ids(finished({ kubernetesNodes: nodes('10.0.0.2') }))).toEqual([]);
    expect(ids(finished({ kubernetesNodes: nodes(IP) }))).toEqual(['address-is-node-ip']);
  });

  it('tells a black hole: routed to one node, claimed by another', () => {
    const base = finished();
    const o = { ...base, cloud: { ...base.cloud, floatingIPs: fact([floatingIP(101)]) } };
    const verification = diagnose({ ...o, endpoint: pinned().endpoint }, loaded);
    expect(verification.cause).toBe('claimed-elsewhere');
    expect(verification.findings.find((f) => f.id === 'endpoint-unreachable')?.causedBy).toBe('claimed-elsewhere');
  });

  it('tells an address that is routed but on no link', () => {
    const base = finished();
    const nodes = base.nodes.map((node) => ({ ...node, links: fact([]) }));
    expect(diagnose({ ...base, nodes }, loaded).cause).toBe('assigned-but-unclaimed');
  });

  it('tells two claims, a stranger that holds the address, and a worker that does', () => {
    const base = finished();
    const twice = base.nodes.map((node) => ({ ...node, links: fact([{ link: 'eth0', address: `${IP}/32` }]) }));
    expect(ids({ ...base, nodes: twice })).toContain('address-claimed-twice');
    const held = (holder: number) => ({ ...base, cloud: { ...base.cloud, floatingIPs: fact([floatingIP(holder)]) } });
    expect(ids(held(999))).toContain('address-foreign');
    expect(ids(held(201))).toContain('address-on-worker');
  });

  it('tells a missing and an ambiguous address', () => {
    const base = pinned();
    const withIPs = (list: ReturnType<typeof floatingIP>[]) => ({
      ...base,
      cloud: { ...base.cloud, floatingIPs: fact(list) },
    });
    expect(ids(withIPs([]))).toContain('address-missing');
    const byName = loadedConfig(
      'apiVersion: fairlead/v1alpha1\nkind: Cluster\nname: prod\nmode: talos-vip\naddress: {adopt: {name: prod-api}}\nhetzner: {token: env:A}\ntalosVip: {token: env:B}\ntalos: {config: env:C}\nkubernetes: {kubeconfig: env:D}\n',
    );
    const two = withIPs([floatingIP(null), { ...floatingIP(null), id: 8 }]);
    expect(diagnose(two, byName).findings.map((f) => f.id)).toContain('address-ambiguous');
  });

  it('tells different issuers, different endpoints and a pending config', () => {
    const base = finished();
    const other = nodeConfig({
      endpoint: OLD,
      vips: [{ ip: IP, form: 'document', provider: 'hcloud' }],
      issuers: ['https://x:6443'],
    });
    const nodes = base.nodes.map((node) =>
      node.name === 'cp-3' ? { ...node, config: fact(other), persistentSha256: fact('else') } : node,
    );
    const found = ids({ ...base, nodes });
    expect(found).toContain('issuer-differs-between-nodes');
    expect(found).toContain('endpoint-differs-between-nodes');
    expect(found).toContain('config-pending');
  });

  it('tells etcd trouble', () => {
    const withEtcd = (change: object) => {
      const base = finished();
      return {
        ...base,
        nodes: base.nodes.map((node) =>
          node.etcd === undefined ? node : { ...node, etcd: { ...node.etcd, ...change } },
        ),
      };
    };
    expect(ids(withEtcd({ members: fact(MEMBERS.slice(1)) }))).toContain('voters-not-three-or-more-odd');
    expect(ids(withEtcd({ members: fact(MEMBERS.map((m, i) => ({ ...m, isLearner: i === 0 }))) }))).toContain(
      'etcd-learner',
    );
    expect(
      ids(withEtcd({ alarms: fact([{ memberId: 17n, alarm: 'NOSPACE' }]) })).filter((id) => id === 'etcd-alarm'),
    ).toHaveLength(1);
  });

  it('tells a stale kubeconfig and a talosconfig that goes through the endpoint', () => {
    const consumers = {
      kubeconfigs: [
        { file: '/k1', context: undefined, content: fact(kubeconfigOf(OLD)) },
        { file: '/k2', context: undefined, content: fact(kubeconfigOf(WANTED)) },
      ],
      talosconfigs: [
        {
          file: '/t',
          context: undefined,
          content: fact({
            sha256: 'x',
            text: loaded.hetznerToken,
            contexts: ['prod'],
            entry: { context: 'prod', endpoints: [IP], nodes: ['203.0.113.1'] },
          }),
        },
      ],
      repository: undefined,
    };
    const { findings } = diagnose({ ...finished(), consumers }, loaded);
    expect(findings.filter((f) => f.id === 'kubeconfig-stale').map((f) => f.subject)).toEqual(['/k1']);
    expect(findings.find((f) => f.id === 'talosconfig-names-endpoint')?.subject).toBe('/t');
  });

  it('says unknown, not sound, when nothing is wrong but something could not be read', () => {
    const base = finished();
    const cloud = { ...base.cloud, token: unknown('no answer', 'test') };
    expect(diagnose({ ...base, cloud }, loaded)).toMatchObject({ verdict: 'unknown', cause: null });
  });
});
