import { describe, expect, it } from 'vitest';
import { checkConfig } from './read.ts';

/** The smallest control plane that every version accepts, with more in its sections and after it. */
const config = (more: { machine?: string; cluster?: string; documents?: string }): string =>
  `machine:
  type: controlplane
  ca: {crt: QQ==, key: QQ==}
${more.machine ?? ''}
cluster:
  controlPlane: {endpoint: "https://192.0.2.1:6443"}
  secretboxEncryptionSecret: x
${more.cluster ?? ''}
${(more.documents ?? '').replaceAll(/^(?=\w+Config\b)/gm, '---\napiVersion: v1alpha1\nkind: ')}`;

const refusal = (text: string, minor: number): string => {
  const verdict = checkConfig(text, minor);
  return 'refusal' in verdict ? verdict.refusal : '';
};

/** Each was put before Talos' own code of these versions. */
describe('a config is refused in the words of Talos', () => {
  it('for its links', () => {
    const links = (entry: string): string => refusal(config({ machine: `  network: {interfaces: [${entry}]}` }), 13);
    expect(links('{interface: eth0}')).toBe('');
    expect(links('{interface: b, bond: {interfaces: [a], mode: balance-xor, lacpRate: fast}}')).toContain(
      'bond.lacpRate is only available in 802.3ad mode',
    );
    expect(links('{interface: b, bond: {mode: nonsense}}')).toContain('invalid bond type nonsense');
    expect(links('{interface: e, routes: [{network: 10.0.0.1, gateway: x}]}')).toContain(
      '[networking.os.device.route[0].network] "10.0.0.1": invalid network address\n\t* [networking.os.device.route[0].gateway] "x": invalid network address',
    );
    expect(links('{interface: a, dhcp: true}, {interface: b, bond: {interfaces: [a]}}')).toContain(
      '[networking.os.device] "a": bonded/bridged interface shouldn\'t have any addressing methods configured',
    );
    expect(links('{interface: w, wireguard: {privateKey: QQ==}}')).toContain(
      'private key is invalid: wrong key "QQ==" length: 1',
    );
    expect(links('{interface: e, vlans: [{vlanId: 5, cidr: nope}]}')).toContain(
      '[networking.os.device.vlan.CIDR] e.5: failed to parse IP address "nope"',
    );
  });

  it('for its cluster section', () => {
    const cluster = (text: string, minor = 13): string => refusal(config({ cluster: `  ${text}` }), minor);
    expect(cluster('network: {dnsDomain: "-a"}')).toContain('"-a" is not a valid DNS name');
    expect(cluster('network: {cni: {name: other}}')).toContain(
      'cni name should be one of ["flannel", "custom", "none"]',
    );
    expect(cluster('etcd: {}')).toContain('key/cert combination should not be empty');
    expect(cluster('apiServer: {resources: {limits: {gpu: 1}}}')).toContain(
      'apiserver resource validation failed: unsupported pod resource "gpu"',
    );
    expect(cluster('discovery: {enabled: true, registries: {service: {endpoint: "https://a/b"}}}')).toContain(
      'cluster discovery service path should be empty',
    );
    expect(refusal(config({ cluster: '  ca: {crt: QQ==, key: QQ==}' }).replace(/ {2}secretbox.*\n/, ''), 14)).toContain(
      'etcd encryption config is required for control plane machines running kube-apiserver',
    );
  });

  it('for its machine section, by version', () => {
    const machine = (text: string, minor = 13): string => refusal(config({ machine: `  ${text}` }), minor);
    expect(machine('nodeTaints: {k: Nonsense}')).toContain('invalid machine node taints');
    expect(machine('kubelet: {extraConfig: {port: 1}}')).toContain(
      'kubelet configuration field "port" can\'t be overridden',
    );
    const dns = 'features: {hostDNS: {forwardKubeDNSToHost: true}}';
    expect(machine(dns, 12)).toBe('');
    expect(machine(dns, 13)).toContain('requires hostDNS.enabled to be true');
    const access = 'features: {kubernetesTalosAPIAccess: {enabled: true}}';
    expect(machine(access, 11)).toContain('feature API RBAC should be enabled');
    expect(machine(access, 12)).toBe('');
  });

  it('for what a value is, before anything else', () => {
    expect(refusal(config({ machine: '  time: {bootTimeout: 5}' }), 13)).toContain(
      'cannot construct !!int `5` into time.Duration',
    );
    expect(refusal(config({ cluster: '  controllerManager: nothing' }), 13)).toContain(
      'cannot construct !!str `nothing` into v1alpha1.ControllerManagerConfig',
    );
    expect(refusal(config({ documents: 'LinkConfig\nname: a\naddresses: [{address: 10.0.0.5}]\n' }), 13)).toContain(
      'netip.ParsePrefix("10.0.0.5"): no \'/\'',
    );
    expect(refusal(config({ documents: 'HostnameConfig\nauto: mine\n' }), 13)).toContain(
      'mine does not belong to AutoHostnameKind values',
    );
    expect(refusal('machine: {type: controlplane, ca: {crt: QQ=, key: Q}}', 11)).toBe(
      'error decoding  to *v1alpha1.Config: illegal base64 data at input byte 0',
    );
    expect(refusal('version: v1alpha1\n', 13)).toBe('error decoding document /v1alpha1/ (line 1): missing kind');
  });

  it('for its documents', () => {
    const documents = (text: string, minor = 13): string => refusal(config({ documents: text }), minor);
    expect(documents('HostnameConfig\nhostname: a\nauto: stable\n')).toContain(
      "HostnameConfig: 'auto' and 'hostname' cannot be set at the same time",
    );
    expect(documents('VLANConfig\nname: v\nvlanID: 5000\n')).toContain(
      'VLANConfig/v: vlanID must be specified and between 1 and 4094\nparent must be specified',
    );
    expect(documents('StaticHostConfig\nname: x\n')).toContain(
      'StaticHostConfig/x: name must be a valid IP address\nat least one hostname is required',
    );
    expect(documents('NetworkRuleConfig\nname: r\nportSelector: {ports: [80-90, 85]}\n', 11)).toContain(
      '1 error occurred:\n\t* invalid port range: 85-85, overlaps with 80-90',
    );
    const nameservers = 'ResolverConfig\nnameservers: [{address: 192.0.2.53, protocol: DoT}]\n';
    expect(documents(nameservers, 14)).toContain('tlsServerName must be set when protocol is DoT: entry 0');
    expect(documents('KubeNetworkConfig\npodSubnets: [10.0.0.0/8]\nserviceSubnets: []\n', 14)).toContain(
      'service subnets: at least one subnet must be specified\nthe number of pod subnets must match the number of service subnets',
    );
  });

  it('for what two documents say of one thing', () => {
    const documents = 'HostnameConfig\nauto: off\n';
    expect(refusal(config({ machine: '  features: {stableHostname: true}', documents }), 13)).toContain(
      'stable hostname is already set in v1alpha1 config',
    );
    expect(refusal(config({ documents: 'KubeEtcdEncryptionConfig\nconfig: {a: b}\n' }), 14)).toContain(
      'etcd encryption config is already set in v1alpha1 config',
    );
  });
});
