import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TalosVersion } from '../types.ts';
import { checkConfig, readConfig } from './read.ts';
import type { Derived, NodeFacts } from './types.ts';
import { minorOf } from './settings.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'];
const folder = path.join(goldens ?? '', 'talos');
const casesOf = (name: string): string[] =>
  goldens === undefined ? ['-'] : readdirSync(path.join(folder, name, 'cases')).toSorted();
const read = (...parts: string[]): string => readFileSync(path.join(folder, ...parts), 'utf8');

interface NodeJson {
  hostname: string;
  domainname: string;
  links: { name: string; linkState: boolean; busPath?: string; driver?: string }[];
  addresses: { link: string; address: string; scope: string }[];
  externalAddresses: string[];
  earlierAddresses: string[];
}

interface Golden {
  validation: { error: string | null };
  kubernetesApiCertificate: Derived['kubernetesApiCertificate'] | null;
  talosApiCertificate: Derived['talosApiCertificate'];
  kubelet: { nodeIP: string[] | null } | null;
  etcd: { spec: { advertisedAddresses: string[] } | null; config: { advertiseExcludeSubnets: string[] } } | null;
  kubeAPIServerCommand: string[] | null;
  kubePrism: { listen: string | null };
  adminKubeconfig: { text: string; clientCertificate: { validSeconds: number } } | null;
  controllerMessages: { msg: string; address?: string; error?: string }[];
}

function factsOf(json: NodeJson): NodeFacts {
  return {
    hostname: json.hostname,
    domain: json.domainname,
    links: json.links.map(({ linkState, ...link }) => ({ ...link, up: linkState })),
    addresses: json.addresses,
    externalAddresses: json.externalAddresses,
    earlierAddresses: json.earlierAddresses,
  };
}

const versions = [
  ['1.13', 'v1.13.9'],
  ['1.14', 'v1.14.0-rc.1'],
] as const;

describe.skipIf(goldens === undefined)('what a node derives (FAIRLEAD_GOLDENS must name the goldens)', () => {
  let compared = 0;
  it.each(casesOf('derived'))('%s', (id) => {
    const files = readdirSync(path.join(folder, 'derived/cases', id));
    const config = read('derived/cases', id, 'config.yaml');
    const facts = factsOf(JSON.parse(read('derived/cases', id, 'node.json')) as NodeJson);
    for (const [short, version] of versions) {
      if (!files.includes(`derived-${short}.json`)) continue;
      compared += 1;
      const golden = JSON.parse(read('derived/cases', id, `derived-${short}.json`)) as Golden;
      const verdict = readConfig(config, version, facts);
      if (verdict.kind === 'refused') expect.fail(verdict.message);
      const { derived } = verdict;
      const none = { dnsNames: [], ipAddresses: [] };
      expect(derived.kubernetesApiCertificate, version).toEqual(golden.kubernetesApiCertificate ?? none);
      expect(derived.talosApiCertificate, version).toEqual(golden.talosApiCertificate);
      expect(derived.kubeAPIServerArgs, version).toEqual(golden.kubeAPIServerCommand?.slice(1) ?? []);
      expect(derived.kubeletNodeIPs, version).toEqual(golden.kubelet?.nodeIP ?? []);
      expect(derived.etcdAdvertised, version).toEqual(golden.etcd?.spec?.advertisedAddresses ?? []);
      expect(derived.kubePrism === undefined ? null : `127.0.0.1:${derived.kubePrism.port}`, version).toBe(
        golden.kubePrism.listen,
      );
      // The goldens' nodes had no metadata service, so that no operator came to be; what they leave out of etcd's addresses are the VIPs.
      const vips = (golden.etcd?.config.advertiseExcludeSubnets ?? []).toSorted();
      expect([...new Set(derived.vips.map(({ ip }) => ip))].toSorted(), version).toEqual(vips);
      const kubeconfig = golden.adminKubeconfig;
      if (kubeconfig !== null) {
        expect(/server: (.*)/.exec(kubeconfig.text)?.[1], version).toBe(derived.endpoint);
        expect(/current-context: admin@(.*)/.exec(kubeconfig.text)?.[1], version).toBe(derived.clusterName);
        // Ten seconds: the certificate is dated back.
        expect(kubeconfig.clientCertificate.validSeconds - 10, version).toBe(derived.adminKubeconfigLifetimeMs / 1000);
      }
      for (const { msg, address } of golden.controllerMessages.filter(({ msg }) => msg.includes('node IP'))) {
        expect(derived.warnings, version).toContain(address === undefined ? msg : `${msg}: ${address}`);
      }
      expect(derived.warnings.length, `${version} ${derived.warnings.join()}`).toBe(golden.controllerMessages.length);
    }
  });
  it('was compared in every case, for both versions', () => {
    expect(compared).toBeGreaterThan(100);
  });
});

interface Verdicts {
  description: string;
  verdicts: { talosctl: TalosVersion; args: string[]; exit: number; stderr: string }[];
}

describe.skipIf(goldens === undefined)('what is accepted (FAIRLEAD_GOLDENS must name the goldens)', () => {
  it.each(casesOf('validate'))('%s', (id) => {
    const config = read('validate/cases', id, 'config.yaml');
    const { description, verdicts } = JSON.parse(read('validate/cases', id, 'verdict.json')) as Verdicts;
    // A node of this platform runs in mode cloud.
    for (const { talosctl, exit, stderr } of verdicts.filter(({ args }) => args[4] === 'cloud')) {
      const verdict = checkConfig(config, minorOf(talosctl));
      const message = 'refusal' in verdict ? verdict.refusal : '';
      expect(message === '' ? 0 : 1, `${talosctl} ${description}: ${message}`).toBe(exit);
      // Talos prints warnings to the same stream; a mistake in the YAML itself is told in the words of another library.
      const words = stderr.replace(/^WARNING:.*\n/, '').trimEnd();
      if (!words.startsWith('decode error')) expect(message, `${talosctl} ${description}`).toBe(words);
    }
  });
});
