import {
  AUDIT_POLICY,
  HOSTNAME_DOCUMENT,
  NETWORK,
  NO_LOAD_BALANCER_LABEL,
  POD_SECURITY,
  image,
} from './shared-parts.ts';
import type { ClusterFacts, Role, Secrets } from './types.ts';

/** Talos 1.11 to 1.13: everything in the v1alpha1 document, and from 1.12 on the host name beside it. */
export function legacyConfig(secrets: Secrets, cluster: ClusterFacts, role: Role, minor: number): readonly object[] {
  const controlPlane = role === 'control-plane';
  const config = {
    version: 'v1alpha1',
    debug: false,
    persist: true,
    machine: machine(secrets, cluster, controlPlane, minor),
    cluster: {
      id: secrets.cluster.id,
      secret: secrets.cluster.secret,
      controlPlane: { endpoint: cluster.endpoint },
      clusterName: cluster.name,
      network: NETWORK,
      token: secrets.secrets.bootstraptoken,
      ...(controlPlane ? controlPlaneParts(secrets, cluster, minor) : { ca: { ...secrets.certs.k8s, key: '' } }),
      discovery: { enabled: true, registries: { kubernetes: { disabled: true }, service: {} } },
      ...(controlPlane ? { etcd: { ca: secrets.certs.etcd } } : {}),
    },
  };
  return minor >= 12 ? [config, HOSTNAME_DOCUMENT] : [config];
}

function machine(secrets: Secrets, cluster: ClusterFacts, controlPlane: boolean, minor: number): object {
  return {
    type: controlPlane ? 'controlplane' : 'worker',
    token: secrets.trustdinfo.token,
    ca: controlPlane ? secrets.certs.os : { ...secrets.certs.os, key: '' },
    certSANs: [],
    kubelet: {
      image: image.kubelet(cluster.kubernetesVersion),
      defaultRuntimeSeccompProfileEnabled: true,
      disableManifestsDirectory: true,
    },
    ...(minor < 13 ? { network: {} } : {}),
    install: {
      disk: '/dev/sda',
      image: `ghcr.io/siderolabs/installer:${cluster.talosVersion}`,
      wipe: false,
      ...(minor >= 12 ? { grubUseUKICmdline: true } : {}),
    },
    features: {
      ...(minor < 12 ? { rbac: true, stableHostname: true, apidCheckExtKeyUsage: true } : {}),
      diskQuotaSupport: true,
      kubePrism: { enabled: true, port: 7445 },
      hostDNS: { enabled: true, forwardKubeDNSToHost: true },
    },
    ...(controlPlane ? { nodeLabels: NO_LOAD_BALANCER_LABEL } : {}),
  };
}

function controlPlaneParts(secrets: Secrets, cluster: ClusterFacts, minor: number): object {
  const component = (name: string): { image: string } => ({ image: image.kubernetes(name, cluster.kubernetesVersion) });
  return {
    secretboxEncryptionSecret: secrets.secrets.secretboxencryptionsecret,
    ca: secrets.certs.k8s,
    aggregatorCA: secrets.certs.k8saggregator,
    serviceAccount: secrets.certs.k8sserviceaccount,
    apiServer: {
      ...component('apiserver'),
      // Up to 1.11 the generator listed the endpoint's host; since then Talos adds it to the certificate by itself.
      ...(minor < 12 ? { certSANs: [hostOf(cluster.endpoint)], disablePodSecurityPolicy: true } : {}),
      admissionControl: [{ name: 'PodSecurity', configuration: POD_SECURITY }],
      auditPolicy: AUDIT_POLICY,
    },
    controllerManager: component('controller-manager'),
    proxy: component('proxy'),
    scheduler: component('scheduler'),
  };
}

const hostOf = (endpoint: string): string => new URL(endpoint).hostname.replace(/^\[(.*)\]$/, '$1');
