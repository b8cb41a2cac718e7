import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseMachineConfig, refuseRedacted } from './read.ts';
import { redactMachineConfig } from './redact.ts';

const TEXT = `version: v1alpha1
machine:
  type: controlplane
  token: aaaaaa.secretsecretsecret # the join token
  ca: {crt: LS0tQ0VSVA==, key: &k LS0tS0VZS0VZ}
  # token: commented.outsecret
  network:
    interfaces:
      - interface: eth0
        vip: {ip: 198.51.100.20, hcloud: {apiToken: "hetzner-token-1"}}
  files:
    - path: /var/secret
      permissions: 0o600
      content: |
        two lines
        of file-content
  env: {http_proxy: "http://me:word@proxy:3128"}
cluster:
  id: cluster-id-cluster-id=
  secret: cluster-secret=
  apiServer:
    extraArgs:
      service-account-issuer: https://203.0.113.10:6443
      my-token: argument-secret
  serviceAccount:
    key: *k
---
apiVersion: v1alpha1
kind: HCloudVIPConfig
name: 198.51.100.20
link: eth0
apiToken: \${HCLOUD_TOKEN}
`;

describe('redacting a machine configuration', () => {
  const shown = redactMachineConfig(TEXT);

  it('hides every secret, whatever its style, and in comments', () => {
    for (const secret of [
      'secretsecret',
      'S0VZ',
      'outsecret',
      'hetzner-token',
      'file-content',
      'me:word',
      'cluster-id',
      'cluster-secret',
      'argument-secret',
    ]) {
      expect(shown).not.toContain(secret);
    }
  });

  it('keeps what a person needs to see', () => {
    for (const plain of [
      '198.51.100.20',
      'https://203.0.113.10:6443',
      '# the join token',
      '/var/secret',
      '${HCLOUD_TOKEN}',
      'interface: eth0',
    ]) {
      expect(shown).toContain(plain);
    }
    expect(shown.split('\n')).toHaveLength(TEXT.split('\n').length - 2);
  });

  it('leaves YAML that is refused as a configuration to apply', () => {
    expect(parse(shown.split('---')[0] ?? '')).toMatchObject({ machine: { token: '***' } });
    expect(() => refuseRedacted(parseMachineConfig(shown))).toThrow(/4:10: a value here is masked/);
    expect(() => refuseRedacted(parseMachineConfig(TEXT))).not.toThrow();
  });

  it('shows nothing of a text it cannot read', () => {
    expect(redactMachineConfig('machine:\n\ttoken: secret')).toBe('***');
  });
});
