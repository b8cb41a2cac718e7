import { describe, expect, it } from 'vitest';
import { MachineConfigError } from './error.ts';
import { audiencesOf, issuersOf, parseMachineConfig, pinnedIssuer, refuseRedacted } from './read.ts';

const LEGACY = `version: v1alpha1
machine:
  type: controlplane
  certSANs: [talos.example.net]
  network:
    interfaces:
      - interface: eth0
        dhcp: true
        vip:
          ip: 198.51.100.20
          hcloud: {apiToken: t}
        vlans:
          - vlanId: 4000
            vip: {ip: 10.10.0.100}
      - deviceSelector: {busPath: "0000:07:*"}
        vip: {ip: 10.0.1.100, equinixMetal: {apiToken: t}}
  features:
    kubePrism: {enabled: true, port: 7446}
cluster:
  clusterName: prod
  controlPlane:
    endpoint: https://203.0.113.10:6443/
    localAPIServerPort: 6444
  apiServer:
    image: registry.k8s.io/kube-apiserver:v1.36.3@sha256:abc
    certSANs:
      - 203.0.113.10
`;

const DOCUMENTS = `version: v1alpha1
machine: {type: controlplane}
cluster: {token: t}
---
apiVersion: v1alpha1
kind: KubeClusterConfig
clusterName: prod
endpoint: https://203.0.113.10:6443
---
apiVersion: v1alpha1
kind: KubeServiceAccountConfig
issuer: {issuerURL: "https://old.example.net:6443"}
accepted: {issuers: ["https://older.example.net:6443"]}
---
apiVersion: v1alpha1
kind: KubeAPIServerConfig
image: registry.k8s.io/kube-apiserver:v1.37.0-rc.0
certExtraSANs: [198.51.100.20]
---
apiVersion: v1alpha1
kind: KubePrismConfig
port: 7445
---
apiVersion: v1alpha1
kind: LinkAliasConfig
name: public0
selector: {match: 'link.bus_path == "0000:01:00.0"'}
---
apiVersion: v1alpha1
kind: HCloudVIPConfig
name: 198.51.100.20
link: public0
apiToken: t
---
apiVersion: v1alpha1
kind: Layer2VIPConfig
name: 10.0.1.100
link: eth1
`;

describe('reading a machine configuration', () => {
  it('finds each setting in the legacy form', () => {
    const config = parseMachineConfig(LEGACY);
    expect(config).toMatchObject({
      role: 'control-plane',
      clusterName: { value: 'prod', form: 'legacy' },
      endpoint: { value: 'https://203.0.113.10:6443/', form: 'legacy', position: { line: 22, column: 15 } },
      certSANs: { value: ['203.0.113.10'], form: 'legacy' },
      machineCertSANs: ['talos.example.net'],
      kubePrism: { value: { enabled: true, port: 7446 }, form: 'legacy' },
      apiServerPort: 6444,
      kubernetesVersion: 'v1.36.3',
    });
    expect(config.vips).toMatchObject([
      {
        ip: '198.51.100.20',
        form: 'legacy',
        provider: 'hcloud',
        link: { by: 'name', name: 'eth0' },
        vlan: undefined,
        dhcp: true,
      },
      { ip: '10.10.0.100', provider: 'layer2', link: { by: 'name', name: 'eth0' }, vlan: 4000, dhcp: undefined },
      { ip: '10.0.1.100', provider: 'equinix-metal', link: { by: 'selector', selector: { busPath: '0000:07:*' } } },
    ]);
  });

  it('finds each setting in documents', () => {
    const config = parseMachineConfig(DOCUMENTS);
    expect(config).toMatchObject({
      endpoint: { value: 'https://203.0.113.10:6443', form: 'document' },
      certSANs: { value: ['198.51.100.20'], form: 'document' },
      kubePrism: { value: { enabled: true, port: 7445 }, form: 'document' },
      apiServerPort: 6443,
      kubernetesVersion: 'v1.37.0-rc.0',
      linkAliases: ['public0'],
    });
    expect(config.documents.map(({ kind }) => kind)).toEqual([
      'v1alpha1',
      'KubeClusterConfig',
      'KubeServiceAccountConfig',
      'KubeAPIServerConfig',
      'KubePrismConfig',
      'LinkAliasConfig',
      'HCloudVIPConfig',
      'Layer2VIPConfig',
    ]);
    expect(config.documents.map(({ start, end }) => DOCUMENTS.slice(start, end)).join('')).toBe(DOCUMENTS);
    expect(config.vips.map(({ ip, provider }) => [ip, provider])).toEqual([
      ['198.51.100.20', 'hcloud'],
      ['10.0.1.100', 'layer2'],
    ]);
  });

  it('knows what signs tokens: the endpoint string, unless something says otherwise', () => {
    const legacy = parseMachineConfig(LEGACY);
    expect([issuersOf(legacy), audiencesOf(legacy), pinnedIssuer(legacy)]).toEqual([
      ['https://203.0.113.10:6443/'],
      ['https://203.0.113.10:6443/'],
      undefined,
    ]);
    const documents = parseMachineConfig(DOCUMENTS);
    expect(issuersOf(documents)).toEqual(['https://old.example.net:6443', 'https://older.example.net:6443']);
    expect([audiencesOf(documents), pinnedIssuer(documents)]).toEqual([
      ['https://old.example.net:6443'],
      'https://old.example.net:6443',
    ]);
    const args = (value: string) =>
      parseMachineConfig(`${LEGACY}    extraArgs: {service-account-issuer: ${value}, api-audiences: "a,b"}\n`);
    expect([issuersOf(args('https://x')), audiencesOf(args('https://x'))]).toEqual([['https://x'], ['a', 'b']]);
    expect([issuersOf(args('[new, old]')), pinnedIssuer(args('[new, old]'))]).toEqual([['new', 'old'], 'new']);
    expect(issuersOf(args('""'))).toEqual([]);
  });

  it.each([
    ['broken YAML', 'machine:\n  type: [a\n', 'unreadable', /^3:1: not YAML/],
    ['a tab', 'machine:\n\ttype: x\n', 'unreadable', /^2:/],
    [
      'a key that is there twice',
      'machine:\n  type: worker\n  type: controlplane\n',
      'type',
      /^3:3: the key "type" is there twice/,
    ],
    ['nothing', '# only a comment\n', 'unreadable', /no machine configuration/],
    ['two v1alpha1 documents', 'machine: {}\n---\nmachine: {}\n', 'conflict', /^3:1: there are two v1alpha1/],
    [
      'both forms of the endpoint',
      `${LEGACY}---\napiVersion: v1alpha1\nkind: KubeClusterConfig\nendpoint: https://x:6443\n`,
      'conflict',
      /KubeClusterConfig and cluster\.clusterName exclude each other/,
    ],
    [
      'both forms of the API server',
      `${LEGACY}---\napiVersion: v1alpha1\nkind: KubeAPIServerConfig\nimage: x\n`,
      'conflict',
      /KubeAPIServerConfig and cluster\.apiServer exclude/,
    ],
  ])('tells of %s with its place', (_, text, code, message) => {
    let error: unknown;
    try {
      parseMachineConfig(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(MachineConfigError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it.each(['REDACTED', '"***"', "'*****'", '<redacted>', '"******"'])(
    'refuses text of a redacted view (%s)',
    (mask) => {
      const config = parseMachineConfig(`machine:\n  type: worker\n  token: ${mask}\n`);
      expect(config.redactions).toEqual([{ line: 3, column: 10 }]);
      expect(() => refuseRedacted(config)).toThrow(/3:10/);
    },
  );
});

describe('the subnets that a node takes its addresses from', () => {
  const subnets = (text: string) => parseMachineConfig(text).subnets;

  it('are read in the legacy form, with the old word for it, and in the document form', () => {
    expect(subnets('machine:\n  type: controlplane\n')).toEqual({ etcdAdvertised: [], kubeletNodeIP: [] });
    const legacy = `machine:
  kubelet: {nodeIP: {validSubnets: [10.0.0.0/8, "!10.9.0.0/16"]}}
cluster:
  etcd: {advertisedSubnets: [10.0.0.0/8]}
`;
    expect(subnets(legacy)).toEqual({ etcdAdvertised: ['10.0.0.0/8'], kubeletNodeIP: ['10.0.0.0/8', '!10.9.0.0/16'] });
    expect(subnets('cluster:\n  etcd: {subnet: 10.0.0.0/8}\n').etcdAdvertised).toEqual(['10.0.0.0/8']);
    const document = `machine: {type: controlplane}
---
apiVersion: v1alpha1
kind: KubeNodeConfig
nodeIP: {validSubnets: [10.0.0.0/8]}
`;
    expect(subnets(document).kubeletNodeIP).toEqual(['10.0.0.0/8']);
  });
});
