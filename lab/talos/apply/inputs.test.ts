import { describe, expect, it } from 'vitest';
import { goDuration } from './apply.ts';
import { canApplyImmediately, inputsOf, machineToken } from './inputs.ts';

const config = (machine: string, cluster: string, more = ''): string =>
  `version: v1alpha1\nmachine:\n  type: controlplane\n  token: abc.def\n${machine}cluster:\n${cluster}${more}`;
const plain = config('  certSANs: [a]\n', '  apiServer:\n    certSANs: [a]\n');

describe('the parts of a config that Talos reacts to', () => {
  it('a name more for the API server changes the roots of Kubernetes, even one that was there', () => {
    const more = config('  certSANs: [a]\n', '  apiServer:\n    certSANs: [a, a]\n');
    expect(inputsOf(more).kubernetesRoot).not.toBe(inputsOf(plain).kubernetesRoot);
    expect(inputsOf(more).talosRoot).toBe(inputsOf(plain).talosRoot);
  });

  it('extra arguments change neither root', () => {
    const extra = config('  certSANs: [a]\n', '  apiServer:\n    certSANs: [a]\n    extraArgs:\n      v: "1"\n');
    expect(inputsOf(extra)).toEqual(inputsOf(plain));
  });

  it('a shared IP as a document changes neither root', () => {
    const vip = '---\napiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 203.0.113.1\nlink: enp1s0\napiToken: x\n';
    expect(inputsOf(plain + vip)).toEqual(inputsOf(plain));
  });

  it('finds the machine token', () => {
    expect(machineToken(plain)).toBe('abc.def');
  });
});

describe('up to Talos 1.13', () => {
  it.each([
    ['the cluster section', config('  certSANs: [a]\n', '  controlPlane:\n    endpoint: https://x:6443\n'), true],
    ['names of the Talos API', config('  certSANs: [b]\n', '  apiServer:\n    certSANs: [a]\n'), true],
    ['KubePrism', config('  features:\n    kubePrism:\n      enabled: true\n  certSANs: [a]\n', '  x: 1\n'), true],
    ['the machine token', plain.replace('abc.def', 'abc.xyz'), false],
    ['disk quota support', config('  features:\n    diskQuotaSupport: true\n', '  x: 1\n'), false],
    ['a document', `${plain}---\nkind: HostnameConfig\n`, true],
  ])('%s: immediate is %s', (_what, after, immediate) => {
    expect(canApplyImmediately(plain, after)).toBe(immediate);
  });
});

it('durations are printed as Go prints them', () => {
  expect([60_000, 90_000, 3_600_000, 1_500, 250].map(goDuration)).toEqual(['1m0s', '1m30s', '1h0m0s', '1.5s', '250ms']);
});
