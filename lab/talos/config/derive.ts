import { apiServerArgs } from './api-server-args.ts';
import { kubernetesApiNames, talosApiNames } from './certificate-names.ts';
import { readIngress } from './ingress.ts';
import { formatIp } from './ip.ts';
import { etcdAdvertised, kubeletNodeIPs, nodeAddresses } from './node-addresses.ts';
import type { Settings } from './settings.ts';
import type { Derived, NodeFacts } from './types.ts';
import { readVips } from './vips.ts';
import { at } from './access.ts';

const NO_NAMES = { dnsNames: [], ipAddresses: [] };

/** What a node does with an accepted config. Parts that Talos would not come to (a worker's API server, a controller that panics) are empty lists. */
export function derive(settings: Settings, facts: NodeFacts): Derived {
  const controlPlane = settings.role === 'control-plane';
  const addresses = nodeAddresses(settings, facts);
  const vips = readVips(settings, facts);
  const host = hostNames(settings, facts);
  const panic = controlPlane ? panicOf(settings) : undefined;
  const server = apiServerArgs(settings);
  const kubelet = kubeletNodeIPs(settings, addresses, vips.addresses);
  const serves = controlPlane && panic === undefined;
  return {
    role: settings.role,
    clusterName: settings.clusterName,
    endpoint: settings.endpoint,
    kubernetesApiCertificate: serves ? kubernetesApiNames(settings, addresses, host) : NO_NAMES,
    talosApiCertificate: talosApiNames(settings, addresses, host),
    issuers: serves ? server.issuers : [],
    apiAudiences: serves ? server.audiences : [],
    kubeAPIServerArgs: serves ? server.args : [],
    kubeletNodeIPs: kubelet.ips.map(formatIp),
    etcdAdvertised: controlPlane ? etcdAdvertised(settings, addresses, vips.addresses).map(formatIp) : [],
    vips: vips.operators,
    ingress: readIngress(settings.documents),
    kubePrism: settings.kubePrism,
    adminKubeconfigLifetimeMs: settings.adminKubeconfigLifetimeMs,
    kubernetesVersion: settings.kubernetesVersion,
    pki: settings.pki,
    warnings: [
      ...vips.warnings,
      ...(kubelet.ips.length > 0
        ? []
        : [
            'no suitable node IP found, please make sure .machine.kubelet.nodeIP filters and pod/service subnets are set up correctly',
          ]),
      ...kubelet.skipped.map(
        (ip) =>
          `node IP skipped, please use .machine.kubelet.nodeIP to provide explicit subnet for the node IP: ${formatIp(ip)}`,
      ),
      ...(controlPlane && server.denied !== undefined ? [`extra arg "${server.denied}" is not allowed`] : []),
      ...(panic === undefined ? [] : [panic]),
    ],
  };
}

/** Configs that 1.14 accepts and its controllers cannot bear. */
function panicOf({ legacy, documents, endpoint }: Settings): string | undefined {
  const has = (kind: string): boolean => documents.some((document) => document.kind === kind);
  const unbearable =
    endpoint === '' ||
    (has('KubeClusterConfig') &&
      at(legacy, 'cluster', 'serviceAccount') !== undefined &&
      !has('KubeServiceAccountConfig'));
  return unbearable
    ? 'controller "secrets.RootKubernetesController" panicked: runtime error: invalid memory address or nil pointer dereference'
    : undefined;
}

function hostNames(settings: Settings, facts: NodeFacts): { hostname: string; domain: string } {
  const [, hostname = '', domain] = /^([^.]*)\.?(.*)$/s.exec(settings.hostname ?? facts.hostname) ?? [];
  return { hostname, domain: domain === undefined || domain === '' ? (facts.domain ?? '') : domain };
}
