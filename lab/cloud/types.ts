import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import type { PrivateNetworkFacts } from '../metadata/types.ts';
import type { Audit } from '../world/audit.ts';
import type { FirewallRule } from './access/firewall-state.ts';
import type { CloudFaults } from './faults.ts';
import type { CloudKnobs } from './knobs.ts';
import type { SavedProject } from './saved.ts';
import type { CloudTamper } from './tamper.ts';

export type Era = '2025' | 'until-2026-09' | 'from-2026-10';

/** A server as the world needs to know it; the API's own shape lives inside the cloud. */
export interface CloudServer {
  readonly id: number;
  readonly name: string;
  readonly status: 'running' | 'initializing' | 'starting' | 'stopping' | 'off' | 'deleting' | 'rebuilding';
  /** Empty while it has no Primary IP. */
  readonly publicIPv4: string;
  readonly privateIPv4: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What a booting machine reads from the metadata service; never shown by the API. */
  readonly userData: string;
  readonly location: string;
}

export interface CloudFloatingIP {
  readonly id: number;
  readonly name: string;
  readonly ip: string;
  readonly server: number | null;
}

export interface CloudHealthCheck {
  /** HTTPS is `http` with `http.tls`. */
  readonly protocol: 'tcp' | 'http';
  readonly port: number;
  /** Seconds. */
  readonly interval: number;
  readonly timeout: number;
  /** Failures in a row until a target is unhealthy; as many successes make it healthy again. */
  readonly retries: number;
  readonly http?: {
    readonly domain: string;
    readonly path: string;
    /** Text that the answer has to contain; empty = any. */
    readonly response: string;
    /** Codes with the wildcards `?` and `*`. */
    readonly statusCodes: readonly string[];
    readonly tls: boolean;
  };
}

export interface CloudService {
  readonly protocol: 'tcp' | 'http' | 'https';
  readonly listenPort: number;
  readonly destinationPort: number;
  readonly proxyProtocol: boolean;
  readonly healthCheck: CloudHealthCheck;
  /** Of http and https services. */
  readonly http?: CloudHttp;
}

export interface CloudHttp {
  readonly stickySessions: boolean;
  readonly cookieName: string;
  /** Seconds. */
  readonly cookieLifetime: number;
  /** Port 80 answers with the way to this service. */
  readonly redirectHTTP: boolean;
  /** Seconds. */
  readonly timeoutIdle: number;
  /** PEM, for https; the first is for clients that name no host, or none of theirs. Only those that are issued. */
  readonly certificates: readonly { readonly cert: string; readonly key: string; readonly names: readonly string[] }[];
}

export interface TargetHealth {
  readonly status: 'healthy' | 'unhealthy' | 'unknown';
  /** Since October 2026, and only with `unhealthy`. */
  readonly detail?:
    | 'unspecified'
    | 'layer4_no_connection'
    | 'layer4_timeout'
    | 'layer7_timeout'
    | 'unexpected_http_status'
    | 'unexpected_http_content';
  readonly httpStatusCode?: number;
}

/** One address a balancer sends connections to: label selectors are resolved to their servers. */
export interface CloudTarget {
  /** Names the target in `setHealth`; the same as long as the balancer has this target. */
  readonly key: string;
  /** Undefined for targets of type `ip`. */
  readonly server: number | undefined;
  /** Public or private, as `use_private_ip` says. */
  readonly address: string;
  readonly usePrivateIP: boolean;
  /**
   * Whether the lab's fabric carries the address. It does not for networks that were made later and for targets of type
   * `ip`: such an address is never dialled, and stays unhealthy as one that nobody answers at.
   */
  readonly carried: boolean;
}

/** A load balancer as the data plane needs to know it. A snapshot: every change is told anew. */
export interface CloudLoadBalancer {
  readonly id: number;
  readonly name: string;
  readonly publicIPv4: string;
  /** Its /64, in CIDR form; its own address is the first of it. Empty or absent = it has none. */
  readonly publicIPv6?: string;
  /** False: nothing answers on the public address. */
  readonly publicEnabled: boolean;
  /** Its address in the private network, while it is attached to one. */
  readonly privateIPv4: string | undefined;
  readonly algorithm: 'round_robin' | 'least_connections';
  /** Open at the same time, on all its services; as its type has it. */
  readonly maxConnections: number;
  readonly services: readonly CloudService[];
  readonly targets: readonly CloudTarget[];
  /** What the API shows of a target from now on. Until it is told, and after a service's check changed, it is `unknown`. */
  setHealth(target: string, listenPort: number, health: TargetHealth): void;
}

/** A zone as a name server needs to know it. A snapshot: every change is told anew. */
export interface CloudZone {
  readonly id: number;
  /** Without a trailing dot. */
  readonly name: string;
  /** Seconds; what holds where a record set has none of its own. */
  readonly ttl: number;
  readonly rrsets: readonly CloudRRSet[];
}

export interface CloudRRSet {
  /** Relative to the zone; `@` is the zone itself. */
  readonly name: string;
  /** A, AAAA, CNAME, … */
  readonly type: string;
  readonly ttl: number | null;
  /** Values in the form of a zone file: TXT in quotes, names with a trailing dot or relative to the zone. */
  readonly records: readonly string[];
}

/**
 * What a successful action does to the world. Called when the action *succeeds*, never at the POST. An effect that
 * throws makes the action end in `error`.
 */
export interface CloudEffects {
  /** Addresses for a new server and a new floating IP: the fabric's. */
  allocate(purpose: 'public' | 'private' | 'floating'): string;
  serverCreated(server: CloudServer): Promise<void>;
  serverDeleted(server: CloudServer): Promise<void>;
  powerOn(server: CloudServer): Promise<void>;
  /** The cord is pulled. */
  powerOff(server: CloudServer): Promise<void>;
  /** ACPI: the signal is sent; the machine stops when it does. The world calls `cloud.stopped(id)` then. */
  shutdown(server: CloudServer): Promise<void>;
  reboot(server: CloudServer): Promise<void>;
  reset(server: CloudServer): Promise<void>;
  /** It is off its disk and runs the rescue system from now on, until one of the others is told. */
  bootRescue?(server: CloudServer): Promise<void>;
  /** Where the address (of IPv6: the /64, in CIDR form) leads from now on; undefined = nowhere. */
  routed(floatingIP: CloudFloatingIP, server: CloudServer | undefined): Promise<void>;
  /** A Primary IP (of IPv6: the /64) was given to a server (which is off) or taken from it; undefined = it leads nowhere. */
  primaryIPRouted?(ip: string, server: CloudServer | undefined): Promise<void>;
  /** A server was attached to the first network under this address, or detached from it. */
  privateIPRouted?(ip: string, server: CloudServer | undefined): Promise<void>;
  /** The server's disk was written anew: nothing of what ran there is left. It boots with `userData`. */
  rebuilt?(server: CloudServer): Promise<void>;
  /**
   * The rules in front of a server's public addresses; undefined = no firewall, everything passes. With a firewall,
   * incoming traffic that no rule lets in is dropped. Never told of a server that has had no firewall.
   */
  firewallChanged?(server: CloudServer, rules: readonly FirewallRule[] | undefined): Promise<void>;
  /** A balancer was made or changed (targets that come and go by their labels included). In force when it resolves. */
  loadBalancerChanged?(balancer: CloudLoadBalancer): Promise<void>;
  loadBalancerDeleted?(balancer: CloudLoadBalancer): Promise<void>;
  /** A zone was made or changed, in any of its record sets. */
  zoneChanged?(zone: CloudZone): Promise<void>;
  zoneDeleted?(zone: CloudZone): Promise<void>;
}

export interface CloudOptions {
  readonly address: string;
  readonly port: number;
  /** Where clients reach it, when something stands in between. */
  readonly url?: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Divides the cloud's delays (1 to 30). */
  readonly speed: number;
  readonly era: Era;
  readonly tokens: { readonly readWrite: readonly string[]; readonly readOnly: readonly string[] };
  readonly audit: Audit;
  readonly effects: CloudEffects;
  /** The private network that is there from the beginning, with one subnet (its whole range unless told). */
  readonly network: { readonly name: string; readonly ipRange: string; readonly subnet?: string };
  /** What is guessed about the API, or differs between projects; the rest as in DEFAULT_KNOBS. */
  readonly knobs?: Partial<Omit<CloudKnobs, 'quotas'>> & { readonly quotas?: Partial<CloudKnobs['quotas']> };
  /** Trouble on purpose. */
  readonly faults?: CloudFaults;
  /** A project that was kept, to go on with. `tellAll` tells the world of it, once that is ready. */
  readonly project?: SavedProject;
}

export interface Cloud {
  /** http://address:port/v1 */
  readonly url: string;
  /** What it answers: paths with their parameters, and the verbs of each; any other verb is 405, any other path 404. */
  readonly paths: readonly { readonly path: string; readonly verbs: readonly string[] }[];
  readonly servers: () => readonly CloudServer[];
  readonly floatingIPs: () => readonly CloudFloatingIP[];
  /** A server that existed before the story begins: no action, no effect is run. */
  addServer(spec: { name: string; labels: Record<string, string>; userData: string; location?: string }): CloudServer;
  /** The /64 of a server, in CIDR form; empty where it has none. */
  publicIPv6(serverId: number): string;
  /** As the server's metadata service tells them; none for a server that is gone. */
  privateNetworks(serverId: number): readonly PrivateNetworkFacts[];
  /** A machine that was told to shut down has stopped: its status becomes `off`. */
  stopped(serverId: number): void;
  /** A stranger's hand on the project. */
  readonly tamper: CloudTamper;
  /** Resolves when an action has ended, or there is none of this id. */
  ended(action: number): Promise<void>;
  /** Resolves when no action runs. */
  quiet(signal: AbortSignal): Promise<void>;
  /** The whole project; what is returned shares its values with the cloud and holds while no action runs. */
  save(): SavedProject;
  /** Tells the effects of everything that leads somewhere, as if it had just come about. */
  tellAll(): Promise<void>;
  close(): Promise<void>;
}
