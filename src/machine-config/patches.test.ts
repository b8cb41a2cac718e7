import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { applyPatches } from './patch/apply.ts';
import { formsOf, type RepositoryWish, toPatches } from './patches.ts';
import { audiencesOf, issuersOf, parseMachineConfig } from './read.ts';

const OLD = 'https://203.0.113.10:6443';
const NEW = 'https://198.51.100.20:6443';
const wish: RepositoryWish = {
  endpoint: NEW,
  certSANs: ['198.51.100.20', '203.0.113.10'],
  machineCertSANs: ['talos.example.net'],
  issuer: { issuer: OLD, audiences: [NEW] },
  vip: { ip: '198.51.100.20', link: 'eth0', dhcp: true, tokenVariable: 'HCLOUD_TOKEN' },
};
const legacy = `version: v1alpha1\nmachine: {type: controlplane, token: t}\ncluster: {controlPlane: {endpoint: "${OLD}"}, clusterName: prod}\n`;
const documents = ['KubeClusterConfig', 'KubeAPIServerConfig', 'KubeServiceAccountConfig'].reduce(
  (text, kind) => `${text}---\napiVersion: v1alpha1\nkind: ${kind}\n`,
  'version: v1alpha1\nmachine: {type: controlplane, token: t}\ncluster: {token: t}\n',
);

describe('patch files for a repository', () => {
  it.each(['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1'])(
    'make a new node of %s come up as the live ones are',
    (version) => {
      const forms = formsOf(version);
      const patches = toPatches(wish, forms).map(({ folder, file, text }) => ({ name: `${folder}/${file}`, text }));
      const config = parseMachineConfig(
        applyPatches(forms.cluster === 'document' ? documents : legacy, patches, version),
      );
      expect(config.endpoint).toMatchObject({ value: NEW, form: forms.cluster });
      expect(config.certSANs).toMatchObject({ value: ['198.51.100.20', '203.0.113.10'], form: forms.cluster });
      expect(config.machineCertSANs).toEqual(['talos.example.net']);
      expect([issuersOf(config), audiencesOf(config)]).toEqual([[OLD], [OLD, NEW]]);
      expect(config.vips).toMatchObject([
        { ip: '198.51.100.20', form: forms.vip, provider: 'hcloud', link: { by: 'name', name: 'eth0' } },
      ]);
      if (forms.vip === 'legacy') expect(config.vips).toMatchObject([{ dhcp: true }]);
    },
  );

  it('carry the token as a reference, a comment on top, and a verb in their name', () => {
    for (const { folder, file, text } of toPatches(wish, formsOf('v1.13.9'))) {
      expect(text).toMatch(/^# [A-Z]/);
      expect(file).toMatch(/^[a-z]+-[a-z-]+\.yaml$/);
      expect(folder === 'cluster' || folder === 'control-planes').toBe(true);
    }
    const vip = toPatches(wish, formsOf('v1.13.9')).find(({ file }) => file.startsWith('hold-'));
    expect(parse(vip?.text ?? '')).toMatchObject({ apiToken: '${HCLOUD_TOKEN}' });
  });

  it('are left out where they would say nothing', () => {
    expect(toPatches({ endpoint: NEW, certSANs: [] }, formsOf('v1.13.9')).map(({ file }) => file)).toEqual([
      'set-endpoint.yaml',
    ]);
  });

  it('refuse what is no name of a variable', () => {
    expect(() => toPatches({ ...wish, vip: { ...wish.vip!, tokenVariable: 'a-token' } }, formsOf('v1.13.9'))).toThrow(
      /no name of a variable/,
    );
  });
});
