import type { ActiveConfig, Machine, PodName } from '../machine.ts';
import { inputsOf } from '../apply/inputs.ts';
import { createApiServerService, type ApiServerService } from './api-server.ts';
import { createEtcdService, type EtcdBegin, type EtcdService } from './etcd.ts';
import { createKubelet, type Kubelet, type PodVersions } from './kubelet.ts';
import { createPkiFiles, type PkiFiles } from './pki-files.ts';
import { createVipManager, type VipManager } from './vip-manager.ts';

/** What a control plane runs, wired together. */
export interface ControlPlane {
  readonly etcd: EtcdService;
  readonly apiServer: ApiServerService;
  readonly kubelet: Kubelet;
  readonly vips: VipManager;
  readonly pki: PkiFiles;
  /** From etcd to the shared IPs; `servicesUp` is called when etcd and the kubelet run. Resolves when the API server listens. */
  start(begin: EtcdBegin, signal: AbortSignal, servicesUp: () => void): Promise<void>;
  /** What a change of the active config does here, in Talos' order. */
  adopt(before: ActiveConfig, after: ActiveConfig): Promise<void>;
  /** An address came or went: the certificates that name it are written again; nothing restarts. */
  addressesChanged(before: ActiveConfig, after: ActiveConfig): Promise<void>;
  readonly versions: () => PodVersions;
}

export function createControlPlane(
  machine: Machine,
  addresses: {
    readonly arrived: (ip: string, link: string) => Promise<void>;
    readonly left: (ip: string) => Promise<void>;
  },
): ControlPlane {
  let secrets = 1;
  const config: Record<PodName, number> = {
    'kube-apiserver': 1,
    'kube-controller-manager': 1,
    'kube-scheduler': 1,
  };
  const versions = (): PodVersions => ({ secrets, config });
  const pki = createPkiFiles(machine);
  const etcd = createEtcdService(machine, pki);
  const apiServer = createApiServerService(machine);
  const kubelet = createKubelet(machine, apiServer, versions);
  const vips = createVipManager(machine, () => etcd.localClient(), addresses);

  /** A shared IP is let go when the pod object of the API server, or the etcd service, disappears. */
  const watchPreconditions = (signal: AbortSignal): void => {
    const held = { pod: false, etcd: false };
    const off = machine.onChange(() => {
      const pod = machine.podStatuses.has('kube-apiserver');
      const member = machine.services.get('etcd')?.state === 'Running';
      if ((held.pod && !pod) || (held.etcd && !member)) vips.letGo();
      held.pod = pod;
      held.etcd = member;
    });
    signal.addEventListener('abort', off, { once: true });
  };

  return {
    etcd,
    apiServer,
    kubelet,
    vips,
    pki,
    versions,
    async start(begin, signal, servicesUp) {
      const active = machine.active;
      if (active === undefined) return;
      await pki.writeAll(active.derived);
      watchPreconditions(signal);
      await etcd.start(begin, signal);
      // Pods are rendered once etcd is there; the kubelet's own start reads its list at once.
      const kubeletUp = kubelet.start(signal);
      servicesUp();
      await vips.reconcile(machine.active?.derived.vips ?? []);
      await kubeletUp;
    },
    async adopt(before, after) {
      const [a, b] = [inputsOf(before.text), inputsOf(after.text)];
      const [was, is] = [before.derived, after.derived];
      if (a.kubernetesRoot !== b.kubernetesRoot) {
        await pki.writeKubernetes(is);
        secrets += 1;
        machine.log('kubernetes secrets updated: static pods are to be recreated');
      } else if (differ(was.kubernetesApiCertificate, is.kubernetesApiCertificate)) await pki.writeKubernetes(is);
      if (differ(was.kubeAPIServerArgs, is.kubeAPIServerArgs) && is.kubeAPIServerArgs.length > 0) {
        config['kube-apiserver'] += 1;
      }
      if (a.controllerManager !== b.controllerManager) config['kube-controller-manager'] += 1;
      if (a.scheduler !== b.scheduler) config['kube-scheduler'] += 1;
      if (differ(was.talosApiCertificate.ipAddresses, is.talosApiCertificate.ipAddresses)) await pki.writeEtcd(is);
      await vips.reconcile(is.vips);
      if (a.kubelet !== b.kubelet) await kubelet.restart();
    },
    async addressesChanged(before, after) {
      const [was, is] = [before.derived, after.derived];
      if (differ(was.kubernetesApiCertificate, is.kubernetesApiCertificate)) await pki.writeKubernetes(is);
      if (differ(was.talosApiCertificate, is.talosApiCertificate)) await pki.writeEtcd(is);
    },
  };
}

const differ = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
