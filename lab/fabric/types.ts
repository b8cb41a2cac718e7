/**
 * The network of a lab. Every node, floating and balancer address is held by the fabric; the real processes listen on
 * hidden addresses behind it, on the same ports. What a client sees at `address:port` is decided by four facts:
 * where the cloud leads the address (`route`), whether that host claims it, the host's condition, and whether a process
 * of the host listens on the port.
 *
 *   led nowhere, host off, or host does not claim it -> silence: SYNs are swallowed, open connections fall silent
 *   host refusing, or nothing listens on the port    -> refused (as by a kernel: the SYN is answered with a reset)
 *   host hung                                        -> accepted, and then nothing is ever said
 *   else                                             -> connected to the process
 *
 * When an address is led to another host, connections open through it are reset (the new host does not know them).
 */
export interface Fabric {
  readonly kind: 'loopback' | 'netns';
  /** What the fabric bends, for `lab info`. */
  readonly limits: readonly string[];
  /** Where its private addresses lie: the cloud's private network. */
  readonly privateRange: string;
  /** It carries IPv6: `route` takes a prefix of 64 bits in CIDR form too, and machines claim addresses out of it. */
  readonly ipv6?: boolean;
  /** A fresh address of this fabric. Public, private and floating ones are drawn at random; none is given twice. */
  allocate(purpose: 'public' | 'private' | 'floating' | 'service'): string;
  /** What a later fabric has to know to be the same network. */
  memory(): FabricMemory;
  /** A machine: one hidden address for its processes. */
  addHost(name: string): FabricHost;
  /** Leads an address to a host or nowhere (silence). Resolves when the change is in force. */
  route(address: string, host: FabricHost | undefined): Promise<void>;
  /** Where an address leads now. */
  routed(address: string): FabricHost | undefined;
  /** All rules between parties that are in force from now on. Absent: this fabric has none. */
  disturb?(rules: readonly Disturbance[]): Promise<void>;
  /** On connections that come about from now on, each piece of an answer through this port waits. Absent: it cannot. */
  answersWait?(port: number, until: (() => Promise<void>) | undefined): void;
  /**
   * Rules of the cloud's firewalls in front of a machine's public addresses; undefined = everything passes. With rules,
   * what none of them lets in is dropped; what goes out passes unless a rule names outgoing traffic. Answers pass.
   */
  firewall?(host: FabricHost, rules: readonly FirewallRule[] | undefined): Promise<void>;
  close(): Promise<void>;
}

export interface FabricMemory {
  /** Second octet of a loopback fabric's /16. */
  readonly base?: number;
  /** Addresses that were given, and never are again. */
  readonly given: readonly string[];
}

export interface FirewallRule {
  readonly direction: 'in' | 'out';
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'esp' | 'gre';
  /** `80`, `80-85` or `any`; null where the protocol has no ports. */
  readonly port: string | null;
  /** CIDRs: of senders for incoming, of receivers for outgoing traffic. */
  readonly sourceIPs: readonly string[];
  readonly destinationIPs: readonly string[];
}

/** What a machine's own firewall lets in. */
export interface IngressPolicy {
  /** What becomes of what no rule speaks of; the rules let in where it blocks, and shut out all others where it accepts. */
  readonly otherwise: 'accept' | 'block';
  readonly rules: readonly IngressRule[];
}

export interface IngressRule {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'icmpv6';
  /** `80` or `80-85`. */
  readonly ports: readonly string[];
  readonly from: readonly { readonly subnet: string; readonly except: string | undefined }[];
}

/** `client`, `cloud`, `dns`, or the name of a machine or load balancer (`balancer-ID`) of the fabric. */
export type Party = string;

/** What a rule between parties may bring with it. */
export interface Counted {
  /** The same for a rule that is told again. */
  readonly id?: string;
  /**
   * Asked once of each connection that the rule would befall, which counts it; false: this one is let be. Only where the
   * fabric sees connections; where a kernel drops packets nobody asks.
   */
  readonly take?: () => boolean;
}

/** A rule between two parties of the network; what several rules say adds up. */
export type Disturbance = Counted & DisturbanceRule;
export type DisturbanceRule =
  /** What `from` sends does not reach `to`; unless one way, nor what `to` sends `from`. */
  | { readonly kind: 'partition'; readonly from: Party; readonly to: Party; readonly oneWay: boolean }
  /** Each way (or one) takes so much longer. */
  | {
      readonly kind: 'latency';
      readonly from: Party;
      readonly to: Party;
      readonly oneWay: boolean;
      readonly ms: number;
    }
  /** A share (0 to 1) of what is sent is lost. */
  | {
      readonly kind: 'loss';
      readonly from: Party;
      readonly to: Party;
      readonly oneWay: boolean;
      readonly share: number;
    }
  /** New connections to a machine's port (all ports) from a party (all parties) are swallowed. */
  | {
      readonly kind: 'firewall';
      readonly node: Party;
      readonly port: number | undefined;
      readonly from: Party | undefined;
    };

export type HostCondition = 'up' | 'off' | 'hung' | 'refusing';

export interface FabricHost {
  readonly name: string;
  /** The address its processes bind: reachable only inside the lab. */
  readonly hidden: string;
  /** Group id whose processes send as this machine, where the fabric tells machines apart by it. */
  readonly group?: number;
  readonly condition: HostCondition;
  setCondition(condition: HostCondition): Promise<void>;
  /** The host has the address on a link. Its own addresses are claimed for good; a floating one comes and goes. */
  claim(address: string): Promise<void>;
  unclaim(address: string): Promise<void>;
  readonly claimed: readonly string[];
  /**
   * A process listens on (or has left) hidden:port, any from 1024 on. Until `open`, the port refuses. Rejects when another
   * program of this computer has the port on every address.
   */
  open(port: number): Promise<void>;
  shut(port: number): Promise<void>;
  /** The machine's own firewall from now on; undefined = none. Connections that are open live on. */
  ingress?(policy: IngressPolicy | undefined): Promise<void>;
  /** The machine is no more: its hidden address is free; routes to it must have been changed before. */
  remove(): Promise<void>;
}
