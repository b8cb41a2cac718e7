import type { Shape } from './shape.ts';

const PAIR = String.raw`struct { Crt string "yaml:\"crt\""; Key string "yaml:\"key\"" }`;

/** Names of Talos' types that do not follow from the key: by key, or by section and key where the key alone will not do. */
const TYPES: Readonly<Record<string, string>> = {
  machine: 'v1alpha1.MachineConfig',
  cluster: 'v1alpha1.ClusterConfig',
  install: 'v1alpha1.InstallConfig',
  kubelet: 'v1alpha1.KubeletConfig',
  nodeIP: 'v1alpha1.KubeletNodeIPConfig',
  features: 'v1alpha1.FeaturesConfig',
  kubePrism: 'v1alpha1.KubePrism',
  hostDNS: 'v1alpha1.HostDNSConfig',
  time: 'v1alpha1.TimeConfig',
  logging: 'v1alpha1.LoggingConfig',
  kernel: 'v1alpha1.KernelConfig',
  registries: 'v1alpha1.RegistriesConfig',
  'discovery registries': 'v1alpha1.DiscoveryRegistriesConfig',
  'registries service': 'v1alpha1.RegistryServiceConfig',
  'registries kubernetes': 'v1alpha1.RegistryKubernetesConfig',
  'machine network': 'v1alpha1.NetworkConfig',
  'cluster network': 'v1alpha1.ClusterNetworkConfig',
  'machine controlPlane': 'v1alpha1.MachineControlPlaneConfig',
  'cluster controlPlane': 'v1alpha1.ControlPlaneConfig',
  interfaces: 'v1alpha1.NetworkDeviceList',
  'interfaces []': 'v1alpha1.Device',
  vlans: 'v1alpha1.VlanList',
  'vlans []': 'v1alpha1.Vlan',
  'routes []': 'v1alpha1.Route',
  vip: 'v1alpha1.DeviceVIPConfig',
  hcloud: 'v1alpha1.VIPHCloudConfig',
  equinixMetal: 'v1alpha1.VIPEquinixMetalConfig',
  deviceSelector: 'v1alpha1.NetworkDeviceSelector',
  dhcpOptions: 'v1alpha1.DHCPOptions',
  bond: 'v1alpha1.Bond',
  bridge: 'v1alpha1.Bridge',
  kubespan: 'v1alpha1.NetworkKubeSpan',
  wireguard: 'v1alpha1.DeviceWireguardConfig',
  cni: 'v1alpha1.CNIConfig',
  flannel: 'v1alpha1.FlannelCNIConfig',
  apiServer: 'v1alpha1.APIServerConfig',
  controllerManager: 'v1alpha1.ControllerManagerConfig',
  scheduler: 'v1alpha1.SchedulerConfig',
  proxy: 'v1alpha1.ProxyConfig',
  discovery: 'v1alpha1.ClusterDiscoveryConfig',
  etcd: 'v1alpha1.EtcdConfig',
  coreDNS: 'v1alpha1.CoreDNS',
  adminKubeconfig: 'v1alpha1.AdminKubeconfigConfig',
  externalCloudProvider: 'v1alpha1.ExternalCloudProviderConfig',
  inlineManifests: 'v1alpha1.ClusterInlineManifests',
  admissionControl: 'v1alpha1.AdmissionPluginConfigList',
  ca: PAIR,
  aggregatorCA: PAIR,
  serviceAccount: String.raw`struct { Key string "yaml:\"key\"" }`,
  env: 'v1alpha1.Env',
};

/** The name that Go's messages give to the type of a key: exact for plain ones and those above, a guess for the rest. */
export function goTypeOf(name: string, shape: Shape, section: string): string {
  const known = TYPES[`${section} ${name}`] ?? TYPES[name];
  if (shape.kind === 'list') return known ?? `[]${pointer(shape.item)}${goTypeOf('[]', shape.item, name)}`;
  if (shape.kind === 'map') return known ?? `map[string]${goTypeOf('[]', shape.item, name)}`;
  if (shape.kind === 'section') return known ?? `v1alpha1.${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  if (shape.kind === 'boolean') return 'bool';
  return shape.kind === 'integer' ? 'int' : 'string';
}

const pointer = (item: Shape): string => (item.kind === 'section' ? '*' : '');

const PACKAGES: readonly (readonly [RegExp, string])[] = [
  [/^Kube(?!Span)/, 'k8s'],
  [/^Discovery/, 'cluster'],
  [/^(.*VolumeConfig|Filesystem.*|ZswapConfig)$/, 'block'],
  [
    /^(KmsgLogConfig|EventSinkConfig|WatchdogTimerConfig|OOMConfig|EnvironmentConfig|Kernel.*|Sys.*|Udev.*|Unattended.*|EtcFile.*)$/,
    'runtime',
  ],
  [/^(TrustedRootsConfig|SecurityProfileConfig)$/, 'security'],
  [/^(Registry.*|CRI.*|ImageCache.*)$/, 'cri'],
  [/^SideroLink/, 'siderolink'],
  [/^PCI/, 'hardware'],
  [/^ExtensionService/, 'extensions'],
];

/** Kinds whose type is called otherwise. */
const NAMES: Readonly<Record<string, string>> = {
  NetworkRuleConfig: 'RuleConfig',
  NetworkDefaultActionConfig: 'DefaultActionConfig',
  KubeSpanConfig: 'KubeSpanConfig',
};

/** The type that a document of a kind is decoded to, as in `error decoding X to *network.XV1Alpha1`. */
export function documentType(kind: string): string {
  if (kind === '') return '*v1alpha1.Config';
  const room = PACKAGES.find(([kinds]) => kinds.test(kind))?.[1] ?? 'network';
  return `*${room}.${NAMES[kind] ?? kind}V1Alpha1`;
}
