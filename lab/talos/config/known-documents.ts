/**
 * The document kinds of a Talos machine config and the keys each of them has, in the notation of `shape.ts`: a line a
 * kind, `@` the minor version that brought it (11 = at least as old as 1.11). Taken from the JSON schemas that Talos
 * publishes for 1.12, 1.13 and 1.14, which name every key of these kinds; 1.11 publishes none that is kept, so its keys
 * are those of 1.12 without the kinds that 1.12 brought.
 */

/** What every kind of link has. */
const LINK =
  'up:b mtu:w addresses[{address:p routePriority:w}] routes[{destination:p gateway:n source:n metric:w mtu:w table:RoutingTable}] multicast:b';
const ENCRYPTION = `encryption{provider cipher keySize:i blockSize:i options[s] allowDiscards:b@14 keys[{slot:i
  static{passphrase} nodeID{} kms{endpoint} tpm{options{pcrs[i]} checkSecurebootStatusOnEnroll:b} lockToState:b}]}`;
const PROVISIONING = 'provisioning{diskSelector{match} grow:b minSize maxSize}';
const UPKEEP = 'trim{enabled:b interval:d}@14 scrub{enabled:b interval:d}@14';

export const DOCUMENT_KINDS = `
  BGPInstanceConfig@14 name vrf localASN:i routerID routeSource advertise[s] multipath:b maxPaths:i installRoutes:b importRoutes[{bgpInstance prefixes[s]}] neighbors[{address link peerASN:i localASN:i passive:b holdTime bfd{transmitInterval receiveInterval detectMultiplier:i}}]
  BlackholeRouteConfig@13 name metric:w
  BondConfig@12 name hardwareAddr:h links[s] bondMode:BondMode miimon:w updelay:w downdelay:w useCarrier:b xmitHashPolicy:BondXmitHashPolicy arpInterval:w arpIpTargets[n] nsIp6Targets[n] arpValidate:ARPValidate arpAllTargets:ARPAllTargets lacpRate:LACPRate failOverMac:FailOverMAC adSelect:ADSelect adActorSysPrio:z adUserPortKey:z adLACPActive:ADLACPActive primaryReselect:PrimaryReselect resendIGMP:w minLinks:w lpInterval:w packetsPerSlave:w numPeerNotif:y tlbLogicalLb:y allSlavesActive:y peerNotifDelay:w missedMax:y ${LINK}
  BridgeConfig@12 name hardwareAddr:h links[s] stp{enabled:b} vlan{filtering:b} ${LINK}
  CRIBaseRuntimeSpecConfig@14 overrides:o
  CRICustomizationConfig@14 name content
  ContainerConfig@14 name image entrypoint[s] args[s] workingDir runAs{uid:i gid:i} environment[s] mounts[{userVolume{name destination options} tmpfs{destination size options[s]} hostPath{source destination options[s]}}] security{profile capabilities{add[s] drop[s]}} network{mode} resources{limits{cpu memory}} dependsOn{paths[s] networks time:b containers[s]}
  DHCPv4Config@12 name routeMetric:w ignoreHostname:b ignoreRoutes:b@14 clientIdentifier:ClientIdentifier duidRaw:h
  DHCPv6Config@12 name routeMetric:w ignoreHostname:b clientIdentifier:ClientIdentifier duidRaw:h
  DiscoveryIdentityConfig@14 clusterID clusterSecret
  DiscoveryServiceConfig@14 name endpoint:u
  DummyLinkConfig@12 name hardwareAddr:h ${LINK}
  EnvironmentConfig@13 variables<s>
  EtcFileConfig@14 name mode:i contents
  EthernetConfig@11 name features<b> rings{rx:i tx:i rx-mini:i rx-jumbo:i rx-buf-len:i cqe-size:i tx-push:b rx-push:b tx-push-buf-len:i tcp-data-split:b} channels{rx:i tx:i other:i combined:i} wakeOnLan[s]
  EventSinkConfig@11 endpoint
  ExistingVolumeConfig@11 name discovery{volumeSelector{match}} mount{readOnly:b disableAccessTime:b@13 secure:b@13} ${UPKEEP}
  ExtensionServiceConfig@11 name configFiles[{content mountPath}] environment[s]
  ExternalVolumeConfig@13 name filesystemType mount{readOnly:b disableAccessTime:b secure:b virtiofs{tag}}
  FilesystemScrubConfig@14 interval:d
  FilesystemTrimConfig@14 interval:d
  HCloudVIPConfig@12 name link apiToken
  HTTPProbeConfig@14 name interval:d failureThreshold:i url:u timeout:d
  HostnameConfig@12 auto:AutoHostnameKind hostname
  ImageCacheConfig@14 local{enabled:b}
  KernelModuleConfig@14 name parameters[s]
  KmsgLogConfig@11 name url:u
  KubeAPIServerCAConfig@14 issuingCA{cert key} acceptedCAs[s]
  KubeAPIServerConfig@14 image extraArgs<a> env<s> resources{requests:o limits:o} apiPort:i certExtraSANs[s] startupProbes:b
  KubeAdmissionControlConfig@14 name configuration:o
  KubeAggregatorCAConfig@14 issuingCA{cert key} acceptedCAs[s]
  KubeAuditPolicyConfig@14 configuration:o
  KubeAuthenticationConfig@14 configuration:o
  KubeAuthorizerConfig@14 name type webhook:o
  KubeClusterConfig@14 clusterName endpoint:u
  KubeControllerManagerConfig@14 enabled:b image extraArgs<a> env<s> resources{requests:o limits:o}
  KubeCoreDNSConfig@14 enabled:b image
  KubeCredentialProviderConfig@14 configuration:o
  KubeEtcdEncryptionConfig@14 config:o
  KubeExternalManifestConfig@14 name headers<s> url:u
  KubeFlannelCNIConfig@14 backendType backendPort:z backendMTU:w backendExtraConfig:o resources{requests:o limits:o} extraArgs[s] kubeNetworkPoliciesEnabled:b
  KubeInlineManifestConfig@14 name manifest
  KubeNetworkConfig@14 dnsDomain podSubnets[p] serviceSubnets[p] nodeCIDRMaskSizeIPv4:i nodeCIDRMaskSizeIPv6:i
  KubeNodeConfig@14 skipNodeRegistration:b registerWithFQDN:b nodeIP{validSubnets[s]} labels<s> annotations<s> taints<s>
  KubePrismConfig@14 port:i tlsServerName
  KubeProxyConfig@14 enabled:b image mode config:o extraArgs<a> resources{requests:o limits:o}
  KubeSchedulerConfig@14 enabled:b image config:o extraArgs<a> env<s> resources{requests:o limits:o}
  KubeServiceAccountConfig@14 issuer{privateKey issuerURL:u} accepted{publicKeys[s] issuers[u] audiences[s]}
  KubeSpanConfig@13 enabled:b advertiseKubernetesNetworks:b allowDownPeerBypass:b harvestExtraEndpoints:b mtu:w filters{endpoints[s] excludeAdvertisedNetworks[p]}
  KubeSpanEndpoints@11 extraAnnouncedEndpoints[s]
  KubeStaticPodConfig@14 name pod:o
  KubeTalosAPIAccessConfig@14 allowedRoles[s] allowedKubernetesNamespaces[s]
  KubeletConfig@14 image config:o extraArgs<a> clusterDNS[s] defaultRuntimeSeccompProfileEnabled:b
  LVMLogicalVolumeConfig@14 name type mirrors:i stripes:i provisioning{volumeGroup minSize maxSize}
  LVMVolumeGroupConfig@14 name provisioning{volumeSelector{match}}
  Layer2VIPConfig@12 name link
  LinkAliasConfig@12 name selector{match}
  LinkConfig@12 name ${LINK}
  NetworkDefaultActionConfig@11 ingress:DefaultAction
  NetworkRuleConfig@11 name portSelector{ports[r] protocol:Protocol} ingress[{subnet:p except:p}]
  OOMConfig@12 triggerExpression cgroupRankingExpression strictCgroupClassOrdering:b sampleInterval:d
  PCIDriverRebindConfig@11 name targetDriver
  RAIDArrayConfig@14 name level metadata provisioning{volumeSelector{match}}
  RawVolumeConfig@11 name ${PROVISIONING} ${ENCRYPTION}
  RegistryAuthConfig@12 name username password auth identityToken
  RegistryMirrorConfig@12 name endpoints[{url overridePath:b}] skipFallback:b
  RegistryTLSConfig@12 name clientIdentity{cert@14 key crt} ca insecureSkipVerify:b
  ResolverConfig@12 nameservers[{address:n protocol:DNSProtocol@14 tlsServerName@14}] searchDomains{domains[s] disableDefault:b} hostDNS{enabled:b forwardKubeDNSToHost:b resolveMemberNames:b}@14
  RoutingRuleConfig@13 name src:p dst:p table:RoutingTable action:RoutingRuleAction iifName oifName fwMark:w fwMask:w
  SecurityProfileConfig@14 workloadIsolation:b
  SideroLinkConfig@11 apiUrl:u uniqueToken
  StaticHostConfig@12 name hostnames[s]
  SwapVolumeConfig@11 name ${PROVISIONING} ${ENCRYPTION}
  SysctlConfig@14 params<s>
  SysfsConfig@14 params<s>
  TCPProbeConfig@13 name interval:d failureThreshold:i endpoint timeout:d
  TimeSyncConfig@12 enabled:b bootTimeout:d ntp{servers[s] useNTS:b@14} ptp{devices[s]}
  TrustedRootsConfig@11 name certificates
  UdevRulesConfig@14 rules[s]
  UnattendedInstallConfig@14 reboot:b installer{image} provisioning{diskSelector{match} wipe:b}
  UserVolumeConfig@11 name volumeType ${PROVISIONING} filesystem{type projectQuotaSupport:b xfs{minAllocationGroupSize}@14} ${ENCRYPTION} mount{disableAccessTime:b secure:b}@13 ${UPKEEP}
  VLANConfig@12 name vlanID:z vlanMode:VLANProtocol parent ${LINK}
  VRFConfig@13 name hardwareAddr:h links[s] table:RoutingTable ${LINK}
  VethConfig@14 name peer{name ${LINK}} ${LINK}
  VolumeConfig@11 name ${PROVISIONING} filesystem{xfs{minAllocationGroupSize}}@14 ${ENCRYPTION} mount{secure:b disableAccessTime:b@14}@13 ${UPKEEP}
  WatchdogTimerConfig@11 device timeout:d
  WireguardConfig@12 name privateKey listenPort:i firewallMark:i peers[{publicKey presharedKey endpoint persistentKeepaliveInterval:d allowedIPs[p]}] ${LINK}
  ZswapConfig@11 maxPoolPercent:i shrinkerEnabled:b
`;
