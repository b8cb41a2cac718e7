import { mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { Failure } from '../../src/base/failure.ts';
import { systemClock } from '../../src/base/clock.ts';
import { baseConfig } from './base-config.ts';
import { readSecrets, writeProvisioner } from './folder.ts';
import { renderConfig } from './render.ts';
import { createSecrets, parseSecrets } from './secrets.ts';
import { renderTalosconfig } from './talosconfig.ts';
import { DEFAULT_KUBERNETES, type ClusterFacts, type Secrets } from './types.ts';
import { fromTalosPair } from '../pki/keys.ts';
import { readConfig } from '../talos/config/read.ts';
import { certificateFacts } from '../pki/facts.ts';

const documentsOf = (text: string): unknown[] => parseAllDocuments(text).map((document) => document.toJS() as unknown);
const cluster: ClusterFacts = {
  name: 'prod',
  endpoint: 'https://203.0.113.10:6443',
  talosVersion: 'v1.13.9',
  kubernetesVersion: 'v1.36.3',
};
let secrets: Secrets;
let dir = '';
beforeAll(async () => {
  secrets = await createSecrets({ clock: systemClock });
});
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'fairlead-provisioner-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const goldens = process.env['FAIRLEAD_GOLDENS'];
describe.skipIf(goldens === undefined)('the base config (FAIRLEAD_GOLDENS must name the goldens)', () => {
  it.each([
    ['v1.11-ip-from-1.11', 'v1.11.6', 'https://203.0.113.10:6443'],
    ['v1.12-ip-from-1.12', 'v1.12.11', 'https://203.0.113.10:6443'],
    ['v1.13-ip', 'v1.13.9', 'https://203.0.113.10:6443'],
    ['v1.13-dns', 'v1.13.9', 'https://api.example.net:6443'],
    ['v1.13-no-port', 'v1.13.9', 'https://api.example.net'],
    ['v1.13-ipv6', 'v1.13.9', 'https://[2001:db8::10]:6443'],
    ['v1.14-ip', 'v1.14.0-rc.1', 'https://203.0.113.10:6443'],
  ] as const)('is what talosctl generates: %s', async (run, talosVersion, endpoint) => {
    const gen = path.join(goldens ?? '', 'talos/gen');
    const bundle = parseSecrets(await readFile(path.join(gen, 'secrets.yaml'), 'utf8'));
    const facts = { name: 'prod', endpoint, talosVersion, kubernetesVersion: DEFAULT_KUBERNETES[talosVersion] };
    for (const [role, file] of [
      ['control-plane', 'controlplane.yaml'],
      ['worker', 'worker.yaml'],
    ] as const) {
      const expected = documentsOf(await readFile(path.join(gen, run, file), 'utf8'));
      const ours = documentsOf(baseConfig(bundle, facts, role));
      expect(ours).toEqual(expected);
      // The order of keys and documents too.
      expect(JSON.stringify(ours)).toBe(JSON.stringify(expected));
    }
  });
});

describe('the folder', () => {
  it('keeps secrets to its owner and reads back what was written', async () => {
    await writeProvisioner(dir, { secrets, cluster, env: { TOKEN: 'abc' } });
    for (const file of ['secrets.yaml', 'env']) expect((await stat(path.join(dir, file))).mode & 0o777).toBe(0o600);
    expect(await readSecrets(dir)).toEqual(secrets);
    expect(await renderConfig(dir, 'worker')).toBe(baseConfig(secrets, cluster, 'worker'));
    expect(await readFile(path.join(dir, 'env'), 'utf8')).toBe('TOKEN=abc\n');
  });

  it('refuses a patch file whose name does not say what it does', async () => {
    const written = writeProvisioner(dir, { secrets, cluster, patches: { cluster: { 'x.yaml': '' } } });
    await expect(written).rejects.toThrow('<verb>-<purpose>');
  });

  it('says which file does not parse', async () => {
    await writeProvisioner(dir, { secrets, cluster });
    await writeFile(path.join(dir, 'cluster.yaml'), 'name: prod\nendpoint: nowhere\n');
    await expect(renderConfig(dir, 'worker')).rejects.toThrow(/cluster\.yaml.*endpoint/);
  });
});

describe('patches', () => {
  it('apply to their role, cluster first, by name, with references resolved, and anew at each call', async () => {
    await writeProvisioner(dir, {
      secrets,
      cluster,
      patches: {
        cluster: {
          'set-endpoint.yaml': 'cluster:\n  controlPlane:\n    endpoint: https://198.51.100.20:6443\n',
          'add-names.yml': 'machine:\n  certSANs: [cluster.example.net]\n',
        },
        'control-planes': {
          'add-names.yaml': '# ${NOT_SET} in a comment is no reference\nmachine:\n  certSANs: ["${NAME}"]\n',
        },
        workers: { 'label-node.yaml': 'machine:\n  nodeLabels:\n    tier: worker\n' },
      },
      env: { NAME: 'cp.example.net' },
    });
    await writeFile(path.join(dir, 'talos/control-planes/README.md'), 'not a patch');
    interface Config {
      machine: { certSANs: string[]; nodeLabels?: Record<string, string> };
      cluster: { controlPlane: { endpoint: string } };
    }
    const [controlPlane] = documentsOf(await renderConfig(dir, 'control-plane')) as [Config];
    const [worker] = documentsOf(await renderConfig(dir, 'worker')) as [Config];
    expect(controlPlane.machine.certSANs).toEqual(['cluster.example.net', 'cp.example.net']);
    expect(controlPlane.cluster.controlPlane.endpoint).toBe('https://198.51.100.20:6443');
    expect(controlPlane.machine.nodeLabels).not.toHaveProperty('tier');
    expect(worker.machine.certSANs).toEqual(['cluster.example.net']);
    expect(worker.machine.nodeLabels).toEqual({ tier: 'worker' });
    await unlink(path.join(dir, 'talos/cluster/set-endpoint.yaml'));
    const [later] = documentsOf(await renderConfig(dir, 'worker')) as [Config];
    expect(later.cluster.controlPlane.endpoint).toBe(cluster.endpoint);
  });

  it('adds a document of its own', async () => {
    const vip = 'apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 198.51.100.20\nlink: eth0\napiToken: ${TOKEN}\n';
    await writeProvisioner(dir, {
      secrets,
      cluster,
      patches: { 'control-planes': { 'add-vip.yaml': vip } },
      env: { TOKEN: 't' },
    });
    expect(documentsOf(await renderConfig(dir, 'control-plane')).at(-1)).toMatchObject({
      kind: 'HCloudVIPConfig',
      apiToken: 't',
    });
  });

  it.each([
    ['machine:\n  certSANs: ["${ABSENT}"]\n', /add-names\.yaml:2:15: ABSENT is not set in .*env/],
    ['machine:\n  certSANs: ["${NAME:-x}"]\n', /add-names\.yaml:2:15: only the spelling/],
  ])('fail with the place of a reference that is not set', async (text, message) => {
    await writeProvisioner(dir, {
      secrets,
      cluster,
      patches: { cluster: { 'add-names.yaml': text } },
      env: { NAME: 'v' },
    });
    const failure = await renderConfig(dir, 'worker').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(String(failure)).toMatch(message);
  });
});

describe('a rendered config', () => {
  it.each(Object.entries(DEFAULT_KUBERNETES) as [ClusterFacts['talosVersion'], string][])(
    'is one that a %s node accepts, with and without patches',
    async (talosVersion, kubernetesVersion) => {
      const facts = { hostname: 'n', links: [], addresses: [], externalAddresses: [], earlierAddresses: [] };
      const patches = { cluster: { 'add-names.yaml': 'machine:\n  certSANs: [api.example.net]\n' } };
      for (const given of [{}, { patches }]) {
        await writeProvisioner(dir, { secrets, cluster: { ...cluster, talosVersion, kubernetesVersion }, ...given });
        for (const role of ['control-plane', 'worker'] as const) {
          const verdict = readConfig(await renderConfig(dir, role), talosVersion, facts);
          if (verdict.kind === 'refused') expect.fail(verdict.message);
          expect(verdict.derived).toMatchObject({
            role,
            endpoint: cluster.endpoint,
            clusterName: 'prod',
            kubernetesVersion,
          });
          expect(verdict.derived.pki.machineCA.crt).toContain('BEGIN CERTIFICATE');
        }
      }
    },
  );

  it('fails with the name of a patch that does not apply', async () => {
    await writeProvisioner(dir, {
      secrets,
      cluster,
      patches: { workers: { 'break-config.yaml': 'machine:\n  certSAN: [x]\n' } },
    });
    expect(await renderConfig(dir, 'control-plane')).toBe(baseConfig(secrets, cluster, 'control-plane'));
    await expect(renderConfig(dir, 'worker')).rejects.toThrow(/break-config\.yaml.*certSAN/s);
  });
});

describe('the talosconfig', () => {
  it('holds a client certificate that the machine authority issued', async () => {
    const text = await renderTalosconfig({ clock: systemClock }, secrets, { name: 'prod', endpoints: ['127.64.0.11'] });
    const { context, contexts } = parse(text) as {
      context: string;
      contexts: Record<string, { crt: string; key: string; ca: string }>;
    };
    expect(context).toBe('prod');
    const pair = fromTalosPair(contexts['prod']!);
    expect(certificateFacts(pair.cert)).toMatchObject({
      organizations: ['os:admin'],
      issuer: 'O=talos',
      usages: ['1.3.6.1.5.5.7.3.2'],
    });
    expect(Buffer.from(contexts['prod']!.key, 'base64').toString()).toContain('BEGIN ED25519 PRIVATE KEY');
    expect(contexts['prod']!.ca).toBe(secrets.certs.os.crt);
  });
});
