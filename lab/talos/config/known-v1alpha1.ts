/**
 * The keys of the v1alpha1 document, in the notation of `shape.ts`. Talos has removed none of them up to 1.14: the
 * deprecated ones, which its published schemas leave out, are here too.
 */

const VIP = 'vip{ip equinixMetal{apiToken} hcloud{apiToken}}';
const DHCP = 'dhcp:b dhcpOptions{routeMetric:w ipv4:b ipv6:b duidv6}';
const ROUTES = 'routes[{network gateway source metric:w mtu:w}]';
const PAIR = '{crt:c key:c}';
const VOLUMES = 'extraVolumes[{hostPath mountPath readonly:b}]';
const DISK_ENCRYPTION = `{provider cipher keySize:i blockSize:i options[s] keys[{slot:i static{passphrase} nodeID{} kms{endpoint}
  tpm{checkSecurebootStatusOnEnroll:b options{pcrs[i]}} lockToState:b}]}`;

const SELECTOR = 'busPath hardwareAddr permanentAddr pciID driver physical:b';
const BOND = `interfaces[s] deviceSelectors[{${SELECTOR}}] arpIPTarget[s] mode xmitHashPolicy lacpRate adActorSystem
  arpValidate arpAllTargets primary primaryReselect failOverMac adSelect miimon:w updelay:w downdelay:w arpInterval:w
  resendIgmp:w minLinks:w lpInterval:w packetsPerSlave:w numPeerNotif:y tlbDynamicLb:y allSlavesActive:y useCarrier:b
  adActorSysPrio:z adUserPortKey:z peerNotifyDelay:w`;
const WIREGUARD = `privateKey listenPort:i firewallMark:i
  peers[{publicKey endpoint persistentKeepaliveInterval:d allowedIPs[s]}]`;

const INTERFACES = `interfaces[{interface addresses[s] cidr ${ROUTES} mtu:i ${DHCP} ignore:b dummy:b ${VIP}
  deviceSelector{${SELECTOR}}
  vlans[{addresses[s] cidr ${ROUTES} ${DHCP} vlanId:z mtu:w ${VIP}}]
  bond{${BOND}} bridge{interfaces[s] stp{enabled:b} vlan{vlanFiltering:b}} bridgePort{master} wireguard{${WIREGUARD}}}]`;

const MACHINE = `type token ca${PAIR} acceptedCAs[{crt:c}] certSANs[s]
  controlPlane{controllerManager{disabled:b} scheduler{disabled:b}}
  kubelet{image clusterDNS[s] extraArgs<a> extraConfig:o credentialProviderConfig:o defaultRuntimeSeccompProfileEnabled:b
    extraMounts[*] registerWithFQDN:b nodeIP{validSubnets[s]} skipNodeRegistration:b disableManifestsDirectory:b}
  pods[o]
  network{hostname ${INTERFACES} nameservers[s] searchDomains[s] extraHostEntries[{ip aliases[s]}] disableSearchDomain:b
    kubespan{enabled:b advertiseKubernetesNetworks:b allowDownPeerBypass:b harvestExtraEndpoints:b mtu:w
      filters{endpoints[s] excludeAdvertisedNetworks[s]}}}
  disks[{device partitions[{size mountpoint}]}]
  install{disk diskSelector:* image extraKernelArgs[s] extensions[{image}] wipe:b legacyBIOSSupport:b bootloader:b
    grubUseUKICmdline:b@12}
  files[{content permissions:i path op}] env<s> sysctls<s> sysfs<s>
  time{disabled:b servers[s] bootTimeout:d}
  registries{mirrors<{endpoints[s] overridePath:b skipFallback:b}>
    config<{tls{clientIdentity${PAIR} ca insecureSkipVerify:b} auth{username password auth identityToken}}>}
  systemDiskEncryption{state${DISK_ENCRYPTION} ephemeral${DISK_ENCRYPTION}}
  features{rbac:b stableHostname:b apidCheckExtKeyUsage:b diskQuotaSupport:b
    kubernetesTalosAPIAccess{enabled:b allowedRoles[s] allowedKubernetesNamespaces[s]}
    kubePrism{enabled:b port:i} hostDNS{enabled:b forwardKubeDNSToHost:b resolveMemberNames:b} imageCache{localEnabled:b}
    nodeAddressSortAlgorithm}
  udev{rules[s]} logging{destinations[{endpoint:u format extraTags<s>}]} kernel{modules[{name parameters[s]}]}
  seccompProfiles[{name value:o}] baseRuntimeSpecOverrides:o nodeLabels<s> nodeAnnotations<s> nodeTaints<s>`;

const CLUSTER = `id secret controlPlane{endpoint:u localAPIServerPort:i} clusterName
  network{cni{name urls[s] flannel{extraArgs[s] kubeNetworkPoliciesEnabled:b@13}} dnsDomain podSubnets[s] serviceSubnets[s]}
  token aescbcEncryptionSecret secretboxEncryptionSecret ca${PAIR} acceptedCAs[{crt:c}] aggregatorCA${PAIR}
  serviceAccount{key:c}
  apiServer{image extraArgs<a> ${VOLUMES} env<s> certSANs[s] disablePodSecurityPolicy:b auditPolicy:o resources{requests:o limits:o}
    admissionControl[{name configuration:o}] authorizationConfig[{type name webhook:o}]}
  controllerManager{image extraArgs<a> ${VOLUMES} env<s> resources{requests:o limits:o}}
  proxy{disabled:b image mode extraArgs<a>}
  scheduler{image extraArgs<a> ${VOLUMES} env<s> resources{requests:o limits:o} config:o}
  discovery{enabled:b registries{kubernetes{disabled:b} service{disabled:b endpoint}}}
  etcd{image ca${PAIR} extraArgs<a> subnet advertisedSubnets[s] listenSubnets[s]}
  coreDNS{disabled:b image} externalCloudProvider{enabled:b manifests[s]} extraManifests[s] extraManifestHeaders<s>
  inlineManifests[{name contents}] adminKubeconfig{certLifetime:d} allowSchedulingOnControlPlanes:b
  allowSchedulingOnMasters:b`;

export const V1ALPHA1_KEYS = `version debug:b persist:b machine{${MACHINE}} cluster{${CLUSTER}}`;
