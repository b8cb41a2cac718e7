import { fc, it as property } from '@fast-check/vitest';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { baseConfig } from '../../provisioner/base-config.ts';
import { createSecrets } from '../../provisioner/secrets.ts';
import { DEFAULT_KUBERNETES, type Secrets } from '../../provisioner/types.ts';
import type { TalosVersion } from '../types.ts';
import { compareIps, contains, formatIp, isLoopback, parseIp, parseSubnet } from './ip.ts';
import { readConfig } from './read.ts';
import type { Derived, NodeFacts } from './types.ts';

let secrets: Secrets;
beforeAll(async () => {
  secrets = await createSecrets({ clock: systemClock });
});

/** A machine of the lab: eth0 public, eth1 private. */
const facts: NodeFacts = {
  hostname: 'cp-1',
  links: [
    { name: 'lo' },
    {
      name: 'eth0',
      busPath: '0000:01:00.0',
      driver: 'virtio_net',
      hardwareAddr: '96:00:00:00:00:01',
      altNames: ['enp1s0'],
    },
    {
      name: 'eth1',
      busPath: '0000:07:00.0',
      driver: 'virtio_net',
      hardwareAddr: '96:00:00:00:00:02',
      alias: 'private0',
    },
  ],
  addresses: [
    { address: '127.0.0.1/8', link: 'lo' },
    { address: '127.65.9.11/32', link: 'eth0' },
    { address: '127.65.1.11/32', link: 'eth1' },
  ],
  externalAddresses: ['127.65.9.11/32'],
  earlierAddresses: [],
};

const base = (talosVersion: TalosVersion = 'v1.13.9', role: 'control-plane' | 'worker' = 'control-plane'): string =>
  baseConfig(
    secrets,
    {
      name: 'prod',
      endpoint: 'https://127.65.9.11:6443',
      talosVersion,
      kubernetesVersion: DEFAULT_KUBERNETES[talosVersion],
    },
    role,
  );

function accepted(text: string, version: TalosVersion = 'v1.13.9', given = facts): Derived {
  const verdict = readConfig(text, version, given);
  if (verdict.kind === 'refused') expect.fail(verdict.message);
  return verdict.derived;
}

function refused(text: string, version: TalosVersion = 'v1.13.9'): string {
  const verdict = readConfig(text, version, facts);
  if (verdict.kind === 'accepted') expect.fail('accepted');
  return verdict.message;
}

const VIP = 'apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 127.65.8.20\nlink: eth0\napiToken: t\n';
const withLegacyVip = (text: string, entry: string): string =>
  text.replace(
    '    install:\n',
    `    network:\n        interfaces:\n            - ${entry}\n              dhcp: true\n              vip: {ip: 127.65.8.20, hcloud: {apiToken: t}}\n    install:\n`,
  );

describe('a lab machine', () => {
  it('has its addresses of 127.64.0.0/10 in certificates, kubelet and etcd, and no other loopback address', () => {
    const derived = accepted(base());
    expect(derived.kubernetesApiCertificate.ipAddresses).toEqual([
      '10.96.0.1',
      '127.0.0.1',
      '127.65.1.11',
      '127.65.9.11',
    ]);
    expect(derived.talosApiCertificate).toEqual({
      dnsNames: ['cp-1'],
      ipAddresses: ['127.0.0.1', '127.65.1.11', '127.65.9.11'],
    });
    expect(derived.kubeletNodeIPs).toEqual(['127.65.1.11']);
    expect(derived.etcdAdvertised).toEqual(['127.65.1.11']);
    expect(derived.pki.clusterCA.key).toContain('BEGIN EC PRIVATE KEY');
    expect(derived.pki.machineCA.key).toContain('BEGIN ED25519 PRIVATE KEY');
  });

  it.each(Object.keys(DEFAULT_KUBERNETES) as TalosVersion[])(
    'loses the old host from its certificate when the endpoint moves (%s)',
    (version) => {
      const moved = accepted(
        base(version)
          .replaceAll('https://127.65.9.11:6443', 'https://api.example.net:6443')
          .replace(/ +certSANs:\n +- 127\.65\.9\.11\n/, ''),
        version,
        {
          ...facts,
          addresses: [{ address: '127.65.1.11/32', link: 'eth1' }],
          externalAddresses: [],
        },
      );
      expect(moved.kubernetesApiCertificate.ipAddresses).not.toContain('127.65.9.11');
      expect(moved.kubernetesApiCertificate.dnsNames).toContain('api.example.net');
      expect(moved.issuers).toEqual(['https://api.example.net:6443']);
      expect(moved.endpoint).toBe('https://api.example.net:6443');
    },
  );

  it('on 1.14 keeps its issuer when only the endpoint moves', () => {
    const text = base('v1.14.0-rc.1').replace(
      'endpoint: https://127.65.9.11:6443',
      'endpoint: https://api.example.net:6443',
    );
    expect(accepted(text, 'v1.14.0-rc.1')).toMatchObject({
      endpoint: 'https://api.example.net:6443',
      issuers: ['https://127.65.9.11:6443'],
    });
  });
});

describe('a pinned issuer', () => {
  const pinned = (version: TalosVersion, issuer: string): string =>
    base(version).replace(
      /( +)apiServer:\n/,
      (line, indent: string) =>
        `${line}${indent}    extraArgs:\n${indent}        service-account-issuer: ${issuer}\n${indent}        api-audiences: https://old:6443,https://new:6443\n`,
    );

  it('is a list from 1.13 on, the first of which signs', () => {
    const derived = accepted(pinned('v1.13.9', '[https://new:6443, https://old:6443]'));
    expect(derived.issuers).toEqual(['https://new:6443', 'https://old:6443']);
    expect(derived.apiAudiences).toEqual(['https://old:6443', 'https://new:6443']);
    expect(derived.kubeAPIServerArgs.filter((arg) => arg.includes('issuer'))).toEqual([
      '--service-account-issuer=https://new:6443',
      '--service-account-issuer=https://old:6443',
    ]);
  });

  it('is a text before, and a list is refused', () => {
    expect(accepted(pinned('v1.12.11', 'https://old:6443'), 'v1.12.11').issuers).toEqual(['https://old:6443']);
    expect(refused(pinned('v1.12.11', '[https://old:6443]'), 'v1.12.11')).toMatch(
      /cannot unmarshal !!seq into string$/,
    );
  });

  it('that is empty takes the flag away', () => {
    expect(accepted(pinned('v1.13.9', '[]')).issuers).toEqual([]);
  });
});

describe('a virtual IP', () => {
  it.each([
    ['interface: eth0', ['eth0']],
    ['interface: enp1s0', ['eth0']],
    ['deviceSelector: {busPath: "0000:01:00.0"}', ['eth0']],
    ['deviceSelector: {busPath: "0000:07*", driver: virtio_net}', ['eth1']],
    ['deviceSelector: {hardwareAddr: "96:00:00:00:00:0[12]"}', ['eth0', 'eth1']],
    ['deviceSelector: {physical: true}', ['eth0', 'eth1']],
  ])('of the legacy form goes to the links that it selects: %s', (entry, links) => {
    const derived = accepted(withLegacyVip(base(), entry));
    expect(derived.vips).toEqual(
      links.map((link) => ({ link, ip: '127.65.8.20', kind: 'hcloud', apiToken: 't', form: 'legacy' })),
    );
  });

  it.each([
    ['interface: eth9', 'no link is called eth9: its virtual IP has no effect'],
    ['deviceSelector: {busPath: "0000:09:00.0"}', 'failed to select an interface for a device'],
  ])('for a link that is not there has no operator, and a warning: %s', (entry, warning) => {
    const derived = accepted(withLegacyVip(base(), entry));
    expect(derived.vips).toEqual([]);
    expect(derived.warnings).toContain(warning);
  });

  it.each([
    ['eth0', 'eth0'],
    ['enp1s0', 'eth0'],
    ['private0', 'eth1'],
    ['uplink', 'eth0'],
    ['net1', 'eth1'],
  ])('of the document form finds its link by name, alias or alternative name: %s', (link, expected) => {
    const aliases = [
      'apiVersion: v1alpha1\nkind: LinkAliasConfig\nname: uplink\nselector:\n  match: link.driver == "virtio_net" && glob("0000:01*", link.bus_path)\n',
      `apiVersion: v1alpha1\nkind: LinkAliasConfig\nname: net%d\nselector:\n  match: mac(link.permanent_addr).startsWith('96:')\n`,
    ];
    const derived = accepted([base(), VIP.replace('link: eth0', `link: ${link}`), ...aliases].join('---\n'));
    expect(derived.vips).toEqual([
      { link: expected, ip: '127.65.8.20', kind: 'hcloud', apiToken: 't', form: 'document' },
    ]);
  });

  it('of the document form has no operator where its alias matches two links', () => {
    const alias =
      'apiVersion: v1alpha1\nkind: LinkAliasConfig\nname: uplink\nselector:\n  match: link.driver == "virtio_net"\n';
    const derived = accepted([base(), VIP.replace('link: eth0', 'link: uplink'), alias].join('---\n'));
    expect(derived.vips).toEqual([]);
    expect(derived.warnings).toContain('no link is called uplink: the virtual IP 127.65.8.20 has no effect');
  });

  it('is never the node address of its holder', () => {
    const holder = { ...facts, addresses: [...facts.addresses, { address: '127.65.0.1/32', link: 'eth0' }] };
    expect(accepted(base(), 'v1.13.9', holder).etcdAdvertised).toEqual(['127.65.0.1']);
    const vip = VIP.replace('127.65.8.20', '127.65.0.1');
    expect(accepted(`${base()}---\n${vip}`, 'v1.13.9', holder)).toMatchObject({
      etcdAdvertised: ['127.65.1.11'],
      kubeletNodeIPs: ['127.65.1.11'],
    });
  });

  it('is refused on a worker in the legacy form only', () => {
    expect(refused(withLegacyVip(base('v1.13.9', 'worker'), 'interface: eth0'))).toContain(
      'virtual (shared) IP is not allowed on non-controlplane nodes',
    );
    expect(accepted(`${base('v1.13.9', 'worker')}---\n${VIP}`).vips).toHaveLength(1);
  });

  it('as a document is unknown to 1.11', () => {
    expect(refused(`${base('v1.11.6')}---\n${VIP}`, 'v1.11.6')).toBe('"HCloudVIPConfig" "v1alpha1": not registered');
  });
});

describe('a config', () => {
  it.each([
    [base, /^$/],
    [() => '', /^config not found$/],
    [() => 'machine: [', /^decode error: yaml: line 1/],
    [
      () => `${base()}---\n${VIP}---\n${VIP}`,
      /^duplicate document v1alpha1\/HCloudVIPConfig\/127\.65\.8\.20 is not allowed \(line \d+\)$/,
    ],
    [
      () => base().replace('clusterName:', 'clusterNames:'),
      /unknown keys found during decoding:\ncluster:\n {4}clusterNames: prod$/,
    ],
    [() => base().replace('disk: /dev/sda', 'disk: [/dev/sda]'), /cannot construct !!seq into string$/],
    [() => base().replace('wipe: false', 'wipe: perhaps'), /cannot construct !!str `perhaps` into bool$/],
    [() => base().replace(/crt: .*/, 'crt: "???"'), /illegal base64 data at input byte 0$/],
    [() => VIP, /^the applied machine configuration doesn't contain v1alpha1 config/],
  ])('that Talos refuses is refused in its words (%#)', (make, message) => {
    const verdict = readConfig(make(), 'v1.13.9', facts);
    expect(verdict.kind === 'refused' ? verdict.message : '').toMatch(message);
  });

  it('of 1.14 may not have control plane documents on a worker', () => {
    const server = 'apiVersion: v1alpha1\nkind: KubeAPIServerConfig\nimage: registry.k8s.io/kube-apiserver:v1.37.0\n';
    expect(refused(`${base('v1.14.0-rc.1', 'worker')}---\n${server}`, 'v1.14.0-rc.1')).toContain(
      'only allowed on control plane machines: [KubeAPIServerConfig]',
    );
  });

  it('may use anchors, and its host name wins over that of the platform', () => {
    const text = base('v1.12.11')
      .replace('certSANs: []', 'certSANs: [&name api.example.net, *name]')
      .replace('auto: stable', 'hostname: node-7.example.net');
    expect(accepted(text, 'v1.12.11').talosApiCertificate.dnsNames).toEqual([
      'api.example.net',
      'node-7',
      'node-7.example.net',
    ]);
  });
});

describe('addresses', () => {
  it('loopback means all of 127/8 but what the lab gives to its machines', () => {
    expect(['127.0.0.1', '127.63.255.255', '127.128.0.0', '::1'].filter((text) => !isLoopback(text))).toEqual([]);
    expect(
      ['127.64.0.0', '127.127.255.255', '10.0.0.1', '2001:db8::1', 'cp-1'].filter((text) => isLoopback(text)),
    ).toEqual([]);
  });

  property.prop([fc.oneof(fc.ipV4(), fc.ipV6())])('read back as they were written', (text) => {
    const ip = parseIp(text);
    if (ip === undefined) throw new Error(`${text} was not read`);
    const again = parseIp(formatIp(ip));
    expect(again).toEqual(ip);
    expect(formatIp(ip)).toBe(text.includes(':') ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text);
  });

  property.prop([fc.ipV4(), fc.integer({ min: 0, max: 32 })])('lie in their own network', (text, length) => {
    const subnet = parseSubnet(`${text}/${length}`);
    if (subnet === undefined) throw new Error('not read');
    expect(contains(subnet, subnet.ip)).toBe(true);
    expect(compareIps(subnet.ip, subnet.ip)).toBe(0);
  });

  it.each([
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.256',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7:8:9',
    'fe80::1%eth0',
    '1.2.3.4/33',
    '1.2.3.4/x',
  ])('are not read from %j', (text) => {
    expect(parseSubnet(text)).toBeUndefined();
  });
});
