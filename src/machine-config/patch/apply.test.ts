import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { applyPatches } from './apply.ts';

const BASE = `version: v1alpha1 # a comment
machine:
  type: controlplane
  token: t
  certSANs: [a]
  network:
    interfaces:
      - interface: eth0
        dhcp: true
        vip: {ip: 198.51.100.20, hcloud: {apiToken: x}}
cluster:
  controlPlane: {endpoint: "https://203.0.113.10:6443/path"}
  network: {dnsDomain: cluster.local, podSubnets: [10.244.0.0/16], serviceSubnets: [10.96.0.0/12]}
  apiServer:
    extraArgs: {v: "2"}
`;
const VIP = 'apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 198.51.100.20\n';

const patched = (text: string, patch: string, version = 'v1.13.9'): Record<string, unknown> =>
  parse(applyPatches(text, [{ name: 'p.yaml', text: patch }], version)) as Record<string, unknown>;
const count = (text: string): number => [parseAllDocuments(text)].flat().length;

describe('a strategic merge patch', () => {
  it('appends lists, replaces those that are marked so, and sets values', () => {
    expect(
      patched(BASE, 'machine: {certSANs: [a, b]}\ncluster: {network: {podSubnets: [10.1.0.0/16]}, clusterName: prod}'),
    ).toMatchObject({
      machine: { certSANs: ['a', 'a', 'b'] },
      cluster: { clusterName: 'prod', network: { podSubnets: ['10.1.0.0/16'], serviceSubnets: ['10.96.0.0/12'] } },
    });
  });

  it('merges interfaces by name, VLANs by id', () => {
    const vlan = (body: string): string =>
      `machine: {network: {interfaces: [{interface: eth0, vlans: [{vlanId: 7, ${body}}]}]}}`;
    const text = applyPatches(
      BASE,
      [vlan('mtu: 1400'), vlan('dhcp: true')].map((body, at) => ({ name: `${at}`, text: body })),
      'v1.13.9',
    );
    expect(parse(text)).toMatchObject({
      machine: {
        network: { interfaces: [{ interface: 'eth0', dhcp: true, vlans: [{ vlanId: 7, mtu: 1400, dhcp: true }] }] },
      },
    });
  });

  it('merges an endpoint part by part, so that an old path stays', () => {
    expect(patched(BASE, 'cluster: {controlPlane: {endpoint: "https://api.example.net:6443"}}')).toMatchObject({
      cluster: { controlPlane: { endpoint: 'https://api.example.net:6443/path' } },
    });
  });

  it('takes empty values for nothing said', () => {
    expect(patched(BASE, 'machine: {token: "", certSANs: null}\ncluster: {controlPlane: {endpoint: ""}}')).toEqual(
      patched(BASE, 'machine: {type: controlplane}'),
    );
  });

  it('takes lists of arguments from Talos 1.13 on', () => {
    const patch = 'cluster: {apiServer: {extraArgs: {api-audiences: [a, b]}}}';
    expect(patched(BASE, patch)).toMatchObject({
      cluster: { apiServer: { extraArgs: { v: '2', 'api-audiences': ['a', 'b'] } } },
    });
    expect(() => patched(BASE, patch, 'v1.12.11')).toThrow(/expected text, found a list/);
  });

  it.each([
    ['an unknown key', 'machine: {certSAN: [a]}', /p\.yaml: 1:11: unknown key "certSAN"/],
    ['a wrong type', 'machine: {certSANs: a}', /expected a list/],
    [
      'a kind of a later release',
      'apiVersion: v1alpha1\nkind: KubeClusterConfig\nendpoint: https://x',
      /not registered/,
    ],
    [
      'a key inside a list item to delete',
      'machine: {network: {interfaces: [{interface: eth0, vip: {$patch: delete}}]}}',
      /cannot delete an inner key/,
    ],
    [
      'something absent to delete',
      'machine: {network: {interfaces: [{interface: eth9, $patch: delete}]}}',
      /lookup failed/,
    ],
    ['two documents of one name', `${VIP}---\n${VIP}`, /duplicate document/],
    ['documents that exclude each other', `${VIP}---\n${VIP.replace('HCloud', 'Layer2')}`, /conflicting documents/],
  ])('with %s is refused', (_, patch, message) => {
    expect(() => patched(BASE, patch)).toThrow(message);
  });

  it('deletes keys, items and documents', () => {
    expect(
      patched(
        BASE,
        'machine: {certSANs: {$patch: delete}, network: {interfaces: [{interface: eth0, $patch: delete}]}}',
      ),
    ).toMatchObject({ machine: { certSANs: [] } });
    const two = `${BASE}---\n${VIP}link: eth0\napiToken: x\n`;
    expect(count(applyPatches(two, [{ name: 'p', text: `${VIP}$patch: delete\n` }], 'v1.13.9'))).toBe(1);
  });

  it('that deletes an absent document is skipped from Talos 1.14 on; before, talosctl crashes and we refuse', () => {
    const patch = [{ name: 'p', text: `${VIP}$patch: delete\n` }];
    expect(count(applyPatches(BASE, patch, 'v1.14.0-rc.1'))).toBe(1);
    expect(() => applyPatches(BASE, patch, 'v1.13.9')).toThrow(/crashes here/);
  });
});

describe('a JSON patch', () => {
  it('adds, and replaces what is not there', () => {
    expect(
      patched(
        BASE,
        '- {op: add, path: /machine/certSANs/-, value: b}\n- {op: replace, path: /cluster/nothing, value: 1}',
      ),
    ).toMatchObject({
      machine: { certSANs: ['a', 'b'] },
      cluster: { nothing: 1 },
    });
  });

  it.each([
    ['whose test fails', BASE, '[{"op":"test","path":"/machine/type","value":"worker"}]', /test failed/],
    ['with an unknown operation', BASE, '[{"op":"merge","path":"/machine/type"}]', /Unexpected kind: merge/],
    ['that removes what is not there', BASE, '[{"op":"remove","path":"/machine/none"}]', /nonexistent key/],
    [
      'on several documents',
      `${BASE}---\n${VIP}`,
      '[{"op":"remove","path":"/machine/token"}]',
      /not supported for multi-document/,
    ],
    ['that is empty, on several documents', `${BASE}---\n${VIP}`, '\n', /not supported for multi-document/],
  ])('%s is refused', (_, base, patch, message) => {
    expect(() => patched(base, patch)).toThrow(message);
  });
});
