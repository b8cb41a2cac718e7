import { fromBase64 } from '../pki/keys.ts';
import {
  AUDIT_POLICY,
  HOSTNAME_DOCUMENT,
  NETWORK,
  NO_LOAD_BALANCER_LABEL,
  POD_SECURITY,
  image,
} from './shared-parts.ts';
import type { ClusterFacts, EncodedPair, Role, Secrets } from './types.ts';

/** The installer image the generator names: an image factory schematic without extensions. */
const INSTALLER = 'factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba';

/** Talos 1.14: a small v1alpha1 document and one document for each concern, in the generator's order. */
export function documentConfig(secrets: Secrets, cluster: ClusterFacts, role: Role): readonly object[] {
  const controlPlane = role === 'control-plane';
  return [
    {
      version: 'v1alpha1',
      debug: false,
      persist: true,
      machine: {
        type: controlPlane ? 'controlplane' : 'worker',
        token: secrets.trustdinfo.token,
        ca: controlPlane ? secrets.certs.os : { ...secrets.certs.os, key: '' },
        certSANs: [],
        features: { diskQuotaSupport: true },
      },
      cluster: {
        token: secrets.secrets.bootstraptoken,
        ...(controlPlane ? { etcd: { ca: secrets.certs.etcd } } : {}),
      },
    },
    ...machineDocuments(secrets, cluster),
    ...nodeDocuments(secrets, cluster, controlPlane),
    ...(controlPlane ? controlPlaneDocuments(secrets, cluster) : []),
  ];
}

const document = (kind: string, fields: object): object => ({ apiVersion: 'v1alpha1', kind, ...fields });

const machineDocuments = (secrets: Secrets, cluster: ClusterFacts): readonly object[] => [
  document('DiscoveryServiceConfig', { name: 'default', endpoint: 'https://discovery.talos.dev/' }),
  document('DiscoveryIdentityConfig', { clusterID: secrets.cluster.id, clusterSecret: secrets.cluster.secret }),
  document('UnattendedInstallConfig', {
    installer: { image: `${INSTALLER}:${cluster.talosVersion}` },
    provisioning: { diskSelector: { match: 'disk.dev_path == "/dev/sda"' }, wipe: false },
  }),
  document('ResolverConfig', { hostDNS: { enabled: true, forwardKubeDNSToHost: true } }),
  document('VolumeConfig', { name: 'EPHEMERAL', mount: { secure: true } }),
  document('FilesystemTrimConfig', { interval: '168h0m0s' }),
  document('SecurityProfileConfig', { workloadIsolation: true }),
  HOSTNAME_DOCUMENT,
];

const nodeDocuments = (secrets: Secrets, cluster: ClusterFacts, controlPlane: boolean): readonly object[] => [
  document('KubeClusterConfig', { clusterName: cluster.name, endpoint: cluster.endpoint }),
  document('KubeNodeConfig', {
    nodeIP: {},
    ...(controlPlane
      ? {
          labels: { 'node-role.kubernetes.io/control-plane': '', ...NO_LOAD_BALANCER_LABEL },
          taints: { 'node-role.kubernetes.io/control-plane': 'NoSchedule' },
        }
      : {}),
  }),
  document('KubeletConfig', {
    image: image.kubelet(cluster.kubernetesVersion),
    config: {},
    defaultRuntimeSeccompProfileEnabled: true,
  }),
  document('KubeNetworkConfig', NETWORK),
  document(
    'KubeAPIServerCAConfig',
    controlPlane ? { issuingCA: plainPair(secrets.certs.k8s) } : { acceptedCAs: [fromBase64(secrets.certs.k8s.crt)] },
  ),
  document('KubePrismConfig', { port: 7445 }),
];

function controlPlaneDocuments(secrets: Secrets, cluster: ClusterFacts): readonly object[] {
  const component = (name: string): { image: string } => ({ image: image.kubernetes(name, cluster.kubernetesVersion) });
  const secretbox = { keys: [{ name: 'key2', secret: secrets.secrets.secretboxencryptionsecret }] };
  return [
    document('KubeAggregatorCAConfig', { issuingCA: plainPair(secrets.certs.k8saggregator) }),
    document('KubeAdmissionControlConfig', { name: 'PodSecurity', configuration: POD_SECURITY }),
    document('KubeAuditPolicyConfig', { configuration: AUDIT_POLICY }),
    document('KubeAuthenticationConfig', {
      configuration: {
        anonymous: { conditions: ['/livez', '/readyz', '/healthz'].map((path) => ({ path })), enabled: true },
        jwt: [],
      },
    }),
    document('KubeAuthorizerConfig', { name: 'node', type: 'Node' }),
    document('KubeAuthorizerConfig', { name: 'rbac', type: 'RBAC' }),
    document('KubeEtcdEncryptionConfig', {
      config: { resources: [{ providers: [{ secretbox }], resources: ['secrets'] }] },
    }),
    document('KubeServiceAccountConfig', {
      issuer: { privateKey: fromBase64(secrets.certs.k8sserviceaccount.key), issuerURL: cluster.endpoint },
    }),
    document('KubeAPIServerConfig', component('apiserver')),
    document('KubeControllerManagerConfig', component('controller-manager')),
    document('KubeSchedulerConfig', { ...component('scheduler'), config: {} }),
    document('KubeProxyConfig', { ...component('proxy'), config: {} }),
    document('KubeFlannelCNIConfig', { backendType: 'vxlan', backendPort: 4789 }),
    document('KubeCoreDNSConfig', { enabled: true }),
  ];
}

const plainPair = (pair: EncodedPair): { cert: string; key: string } => ({
  cert: fromBase64(pair.crt),
  key: fromBase64(pair.key),
});
