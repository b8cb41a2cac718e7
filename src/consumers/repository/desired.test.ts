import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type RepositoryFile, repositoryChanges } from './desired.ts';
import { variableNames } from './read.ts';
import { wantedRepository } from './wanted.ts';

const OLD = 'https://203.0.113.1:6443';
const NEW = 'https://198.51.100.20:6443';
const wanted = wantedRepository({
  endpoint: NEW,
  names: ['198.51.100.20', '203.0.113.1'],
  issuer: OLD,
  ip: '198.51.100.20',
  variable: 'TOKEN',
  link: { name: 'eth0', dhcp: true },
  talosVersion: 'v1.13.9',
  model: `machine: {type: controlplane}\ncluster: {controlPlane: {endpoint: "${OLD}"}}\n`,
});

const file = (scope: RepositoryFile['scope'], name: string, text: string): RepositoryFile => ({
  scope,
  file: `/repo/talos/${scope}/${name}`,
  text,
});
const changes = (files: readonly RepositoryFile[]) => repositoryChanges('/repo', files, wanted);
const written = (files: readonly RepositoryFile[]) =>
  changes(files).flatMap((c) => (c.kind === 'write' ? [[c.file.slice('/repo/talos/'.length), c.after] as const] : []));
const conflicts = (files: readonly RepositoryFile[]) =>
  changes(files).flatMap((c) => (c.kind === 'conflict' ? [c.why] : []));

describe('what a folder of patches lacks', () => {
  it('is one file a purpose where there is nothing, and nothing once they are written', () => {
    const all = written([]);
    expect(all.map(([name]) => name)).toEqual([
      'cluster/set-endpoint.yaml',
      'control-planes/list-api-server-names.yaml',
      'control-planes/pin-token-issuer.yaml',
      'control-planes/hold-endpoint-address.yaml',
    ]);
    const there = changes([]).flatMap((c) =>
      c.kind === 'write' ? [{ scope: c.scope, file: c.file, text: c.after }] : [],
    );
    expect(changes(there)).toEqual([]);
  });

  it('sets an endpoint right where it stands and touches no other byte', () => {
    const text = `# ours\ncluster:\n  controlPlane:\n    endpoint: "${OLD}" # pinned\n  other: [1,   2]\n`;
    const all = written([file('cluster', 'use-endpoint.yaml', text)]);
    expect(all[0]).toEqual(['cluster/use-endpoint.yaml', text.replace(`"${OLD}"`, NEW)]);
    expect(all.map(([name]) => name)).not.toContain('cluster/set-endpoint.yaml');
  });

  it('does not list a name twice', () => {
    const one = written([file('control-planes', 'a.yaml', 'cluster: {apiServer: {certSANs: [203.0.113.1]}}\n')]);
    const names = one.find(([name]) => name.endsWith('names.yaml'))?.[1] ?? '';
    expect(parse(names)).toEqual({ cluster: { apiServer: { certSANs: ['198.51.100.20'] } } });
    const both = file('cluster', 'a.yaml', 'cluster: {apiServer: {certSANs: [203.0.113.1, 198.51.100.20]}}\n');
    expect(written([both]).map(([name]) => name)).not.toContain('control-planes/list-api-server-names.yaml');
  });

  it('leaves a VIP and a pin that are there already', () => {
    const vip = file(
      'control-planes',
      'v.yaml',
      'apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 198.51.100.20\nlink: eth0\napiToken: ${T}\n',
    );
    const pin = file(
      'control-planes',
      'p.yaml',
      `cluster: {apiServer: {extraArgs: {service-account-issuer: "${OLD}", api-audiences: "${OLD},${NEW}"}}}\n`,
    );
    expect(written([vip, pin]).map(([name]) => name)).toEqual([
      'cluster/set-endpoint.yaml',
      'control-planes/list-api-server-names.yaml',
    ]);
  });

  it('is a conflict where a file contradicts, gives workers a VIP, holds a token in clear, or is no YAML', () => {
    const vip = (scope: RepositoryFile['scope'], ip: string, token: string) =>
      file(
        scope,
        'v.yaml',
        `machine: {network: {interfaces: [{interface: eth0, vip: {ip: ${ip}, hcloud: {apiToken: "${token}"}}}]}}\n`,
      );
    expect(conflicts([vip('cluster', '198.51.100.20', '${T}')])).toEqual([expect.stringContaining('workers')]);
    expect(conflicts([vip('control-planes', '198.51.100.9', '${T}')])).toEqual([
      expect.stringContaining('198.51.100.9'),
    ]);
    const clear = conflicts([vip('control-planes', '198.51.100.20', 'very-secret')]);
    expect(clear).toEqual([expect.stringContaining('in clear')]);
    expect(clear.join()).not.toContain('very-secret');
    expect(conflicts([file('workers', 'x.yaml', 'a: [\n')])).toEqual([expect.stringContaining('not readable')]);
  });
});

describe('the names that env sets', () => {
  it('are those with a value', () => {
    expect(variableNames('A=1\nexport B="x y"\n# C=1\nD=\nE=""\n  F = 1\n')).toEqual(['A', 'B']);
  });
});
