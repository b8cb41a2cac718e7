/** What the metadata service of one server tells. */
export interface MetadataFacts {
  readonly serverId: number;
  readonly hostname: string;
  /** Empty = the server has none. */
  readonly publicIPv4: string;
  /** Its /64, in CIDR form; empty = it has none. */
  readonly publicIPv6: string;
  readonly location: string;
  /** Hardware address of the public interface. */
  readonly publicMac: string;
  readonly privateNetworks: readonly PrivateNetworkFacts[];
  /** As given when the server was made; empty = none. */
  readonly userData: string;
}

export interface PrivateNetworkFacts {
  readonly ip: string;
  readonly aliasIPs: readonly string[];
  readonly macAddress: string;
  readonly networkId: number;
  readonly networkName: string;
  /** CIDR */
  readonly network: string;
  readonly subnet: string;
  readonly gateway: string;
}

/** Metadata of one server, at an address that only this lab's processes know. */
export interface MetadataService {
  /** http://address:port, where http://169.254.169.254 would be. */
  readonly url: string;
  close(): Promise<void>;
}
