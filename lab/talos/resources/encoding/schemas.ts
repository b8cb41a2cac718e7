import type { DescMessage } from '@bufbuild/protobuf';
import * as block from '../generated/resource/definitions/block/block_pb.ts';
import * as cluster from '../generated/resource/definitions/cluster/cluster_pb.ts';
import * as etcd from '../generated/resource/definitions/etcd/etcd_pb.ts';
import * as hardware from '../generated/resource/definitions/hardware/hardware_pb.ts';
import * as k8s from '../generated/resource/definitions/k8s/k8s_pb.ts';
import * as meta from '../generated/resource/definitions/meta/meta_pb.ts';
import * as network from '../generated/resource/definitions/network/network_pb.ts';
import * as runtime from '../generated/resource/definitions/runtime/runtime_pb.ts';
import * as secrets from '../generated/resource/definitions/secrets/secrets_pb.ts';
import * as time from '../generated/resource/definitions/time/time_pb.ts';
import * as v1alpha1 from '../generated/resource/definitions/v1alpha1/v1alpha1_pb.ts';

/** The message that a type's spec is, for every type that a lab node shows. */
export const SPEC_SCHEMAS: Readonly<Record<string, DescMessage>> = {
  'Namespaces.meta.cosi.dev': meta.NamespaceSpecSchema,
  'ResourceDefinitions.meta.cosi.dev': meta.ResourceDefinitionSpecSchema,

  'Affiliates.cluster.talos.dev': cluster.AffiliateSpecSchema,
  'Identities.cluster.talos.dev': cluster.IdentitySpecSchema,
  'Infos.cluster.talos.dev': cluster.InfoSpecSchema,
  'Members.cluster.talos.dev': cluster.MemberSpecSchema,

  'EtcdConfigs.etcd.talos.dev': etcd.ConfigSpecSchema,
  'EtcdMembers.etcd.talos.dev': etcd.MemberSpecSchema,
  'EtcdSpecs.etcd.talos.dev': etcd.SpecSpecSchema,
  'PKIStatuses.etcd.talos.dev': etcd.PKIStatusSpecSchema,

  'MemoryModules.hardware.talos.dev': hardware.MemoryModuleSpecSchema,
  'Processors.hardware.talos.dev': hardware.ProcessorSpecSchema,
  'SystemInformations.hardware.talos.dev': hardware.SystemInformationSpecSchema,

  'APIServerConfigs.kubernetes.talos.dev': k8s.APIServerConfigSpecSchema,
  'BootstrapManifestsConfigs.kubernetes.talos.dev': k8s.BootstrapManifestsConfigSpecSchema,
  'ConfigStatuses.kubernetes.talos.dev': k8s.ConfigStatusSpecSchema,
  'ControllerManagerConfigs.kubernetes.talos.dev': k8s.ControllerManagerConfigSpecSchema,
  'Endpoints.kubernetes.talos.dev': k8s.EndpointSpecSchema,
  'KubePrismConfigs.kubernetes.talos.dev': k8s.KubePrismConfigSpecSchema,
  'KubePrismEndpoints.kubernetes.talos.dev': k8s.KubePrismEndpointsSpecSchema,
  'KubePrismStatuses.kubernetes.talos.dev': k8s.KubePrismStatusesSpecSchema,
  'KubeletConfigs.kubernetes.talos.dev': k8s.KubeletConfigSpecSchema,
  'KubeletSpecs.kubernetes.talos.dev': k8s.KubeletSpecSpecSchema,
  'KubeletStatuses.kubernetes.talos.dev': k8s.KubeletStatusSpecSchema,
  'NodeIPs.kubernetes.talos.dev': k8s.NodeIPSpecSchema,
  'NodeStatuses.kubernetes.talos.dev': k8s.NodeStatusSpecSchema,
  'Nodenames.kubernetes.talos.dev': k8s.NodenameSpecSchema,
  'SchedulerConfigs.kubernetes.talos.dev': k8s.SchedulerConfigSpecSchema,
  'SecretStatuses.kubernetes.talos.dev': k8s.SecretsStatusSpecSchema,
  'StaticPodStatuses.kubernetes.talos.dev': k8s.StaticPodStatusSpecSchema,
  'StaticPods.kubernetes.talos.dev': k8s.StaticPodSpecSchema,

  'AddressSpecs.net.talos.dev': network.AddressSpecSpecSchema,
  'AddressStatuses.net.talos.dev': network.AddressStatusSpecSchema,
  'HostnameSpecs.net.talos.dev': network.HostnameSpecSpecSchema,
  'HostnameStatuses.net.talos.dev': network.HostnameStatusSpecSchema,
  'LinkSpecs.net.talos.dev': network.LinkSpecSpecSchema,
  'LinkStatuses.net.talos.dev': network.LinkStatusSpecSchema,
  'NetworkStatuses.net.talos.dev': network.StatusSpecSchema,
  'NodeAddresses.net.talos.dev': network.NodeAddressSpecSchema,
  'OperatorSpecs.net.talos.dev': network.OperatorSpecSpecSchema,
  'ResolverSpecs.net.talos.dev': network.ResolverSpecSpecSchema,
  'ResolverStatuses.net.talos.dev': network.ResolverStatusSpecSchema,
  'RouteSpecs.net.talos.dev': network.RouteSpecSpecSchema,
  'RouteStatuses.net.talos.dev': network.RouteStatusSpecSchema,
  'TimeServerSpecs.net.talos.dev': network.TimeServerSpecSpecSchema,
  'TimeServerStatuses.net.talos.dev': network.TimeServerStatusSpecSchema,

  'BootIDs.runtime.talos.dev': runtime.BootIDSpecSchema,
  'DevicesStatuses.runtime.talos.dev': runtime.DevicesStatusSpecSchema,
  'Diagnostics.runtime.talos.dev': runtime.DiagnosticSpecSchema,
  'KernelCmdlines.runtime.talos.dev': runtime.KernelCmdlineSpecSchema,
  'MachineStatuses.runtime.talos.dev': runtime.MachineStatusSpecSchema,
  'MetaKeys.runtime.talos.dev': runtime.MetaKeySpecSchema,
  'PlatformMetadatas.talos.dev': runtime.PlatformMetadataSpecSchema,
  'SecurityStates.talos.dev': runtime.SecurityStateSpecSchema,
  'Versions.runtime.talos.dev': runtime.VersionSpecSchema,

  'Disks.block.talos.dev': block.DiskSpecSchema,
  'SystemDisks.block.talos.dev': block.SystemDiskSpecSchema,
  'VolumeStatuses.block.talos.dev': block.VolumeStatusSpecSchema,

  'Services.v1alpha1.talos.dev': v1alpha1.ServiceSpecSchema,
  'TimeStatuses.v1alpha1.talos.dev': time.StatusSpecSchema,

  'CertSANs.secrets.talos.dev': secrets.CertSANSpecSchema,
  'EtcdRootSecrets.secrets.talos.dev': secrets.EtcdRootSpecSchema,
  'KubernetesRootSecrets.secrets.talos.dev': secrets.KubernetesRootSpecSchema,
  'OSRootSecrets.secrets.talos.dev': secrets.OSRootSpecSchema,
};
