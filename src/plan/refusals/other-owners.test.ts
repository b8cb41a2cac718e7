import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../config/parse.ts';
import {
  controlPlane,
  fact,
  floatingIP,
  IP,
  loadedConfig,
  observation,
  pinned,
  worker,
} from '../../model/observation.testing.ts';
import type { Observation, RepositoryObservation } from '../../model/observation.ts';
import type { Workload } from '../../systems/kubernetes/types.ts';
import { planContext } from '../context.ts';
import { otherOwners } from './other-owners.ts';

const loaded = loadedConfig();
const found = (o: Observation, harmless: readonly string[] = []) =>
  otherOwners(planContext(o, { ...loaded, config: { ...loaded.config, owners: { harmless: [...harmless] } } }));
const workload = (kind: Workload['kind'], namespace: string, name: string, image: string): Workload => ({
  kind,
  namespace,
  name,
  images: [image],
});
const running = (...list: readonly Workload[]): Observation => pinned({ workloads: fact(list) });
const repository = (...movers: readonly { who: 'ksail' | 'terraform'; place: string; what: string }[]): Observation => {
  const folder: RepositoryObservation = { path: '/repo', patches: fact([]), variables: fact([]), movers: fact(movers) };
  return pinned({ consumers: { kubeconfigs: [], talosconfigs: [], repository: folder } });
};

describe('another owner of the address', () => {
  it('is nobody in an ordinary cluster: the cloud controller manager and CSI move no floating IPs', () => {
    expect(
      found(
        running(
          workload(
            'Deployment',
            'kube-system',
            'hcloud-cloud-controller-manager',
            'hetznercloud/hcloud-cloud-controller-manager:v1.35',
          ),
          workload('DaemonSet', 'kube-system', 'cilium', 'quay.io/cilium/cilium:v1.18'),
        ),
      ),
    ).toEqual([]);
    expect(found(pinned())).toEqual([]);
  });

  it('is a floating-IP controller by its image, whatever it is called, named with what removes it', () => {
    const [refusal] = found(running(workload('Deployment', 'fip', 'mover', 'cbeneke/hcloud-fip-controller:v0.4')));
    expect(refusal).toMatchObject({ code: 'another-owner', what: 'The Deployment fip/mover moves addresses' });
    expect(refusal?.next).toContain('kubectl -n fip delete deployment mover');
  });

  it('is keepalived as a static pod; a DaemonSet and its pods are one', () => {
    expect(found(running(workload('Pod', 'kube-system', 'keepalived-cp-1', 'osixia/keepalived:2')))).toHaveLength(1);
    const set = workload('DaemonSet', 'kube-system', 'kube-vip', 'ghcr.io/kube-vip/kube-vip:v1');
    const pod = workload('Pod', 'kube-system', 'kube-vip-x7k2p', 'ghcr.io/kube-vip/kube-vip:v1');
    expect(found(running(set, pod)).map((r) => r.what)).toEqual(['The DaemonSet kube-system/kube-vip moves addresses']);
  });

  it('is an extension service of a node', () => {
    const services = fact([{ id: 'ext-keepalived', state: 'Running', healthy: true }]);
    const o = observation([controlPlane(1), controlPlane(2, { services }), controlPlane(3), worker(1)]);
    expect(found(o)[0]?.what).toBe('The service ext-keepalived on cp-2 moves addresses');
  });

  it('is ksail with its switch on, and Terraform with an assignment, each with its line', () => {
    const o = repository(
      { who: 'ksail', place: '/repo/ksail.prod.yaml:31', what: 'floatingIPEnabled: true' },
      { who: 'terraform', place: '/repo/main.tf:7', what: 'an hcloud_floating_ip_assignment' },
    );
    expect(
      found(o)
        .map((r) => r.why)
        .join('\n'),
    ).toMatch(/ksail\.prod\.yaml:31[^]*main\.tf:7/);
    expect(found(o, ['terraform']).map((r) => r.what)).toEqual(['ksail assigns a floating IP']);
  });

  it('may be ksail where the address has its label and its files are not seen', () => {
    const base = pinned();
    const labelled = { ...floatingIP(null), labels: { 'ksail.owned': 'true' } };
    const o = { ...base, cloud: { ...base.cloud, floatingIPs: fact([labelled]) } };
    expect(found(o)[0]?.why).toMatch(/ksail\.owned/);
    expect(found({ ...o, consumers: repository().consumers })).toEqual([]);
    expect(found(o, ['ksail'])).toEqual([]);
  });

  it('may be called harmless in the configuration', () => {
    const o = running(workload('DaemonSet', 'kube-system', 'kube-vip', 'ghcr.io/kube-vip/kube-vip:v1'));
    expect(found(o, ['kube-system/kube-vip'])).toEqual([]);
    const text = `apiVersion: fairlead/v1alpha1\nkind: Cluster\nname: prod\nmode: talos-vip\naddress: {adopt: {ip: ${IP}}}\nhetzner: {token: env:A}\ntalos: {config: env:C}\nowners: {harmless: [kube-system/kube-vip]}\n`;
    expect(parseConfig(text, 'fairlead.yaml').owners.harmless).toEqual(['kube-system/kube-vip']);
  });
});
