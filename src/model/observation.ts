import type { Redacted } from '../base/redacted.ts';
import type { HandshakeResult, ReadyResult } from './probe-result.ts';
import type { FloatingIP, Location, Server, TokenClass } from '../systems/hetzner/types.ts';
import type { Workload } from '../systems/kubernetes/types.ts';
import type { EtcdMember, EtcdMemberStatus, TalosService } from '../systems/talos/types.ts';
import type { Fact } from './fact.ts';

/** Every fact of one look at the world. Nothing here was asked twice, nothing was written to find it out. */
export interface Observation {
  /** RFC 3339. */
  readonly at: string;
  readonly cloud: CloudObservation;
  readonly nodes: readonly NodeObservation[];
  /** Whether the list of nodes can be trusted to be whole: some control plane told its members. */
  readonly membership: Fact<readonly string[]>;
  readonly kubernetesNodes: Fact<readonly KubernetesNode[]>;
  readonly kubernetesVersion: Fact<string>;
  /** The endpoint that is wanted, when its address is known. */
  readonly endpoint: Fact<EndpointProbe>;
  /** Where the endpoint's name leads, as this machine sees it; undefined where the endpoint is the address itself. */
  readonly endpointName?: { readonly name: string; readonly addresses: Fact<readonly string[]> };
  /** The endpoints that nodes have now, other than the wanted one. */
  readonly currentEndpoints: readonly EndpointProbe[];
  readonly consumers: ConsumersObservation;
  /** What runs in the cluster, for finding who else moves addresses; absent where nobody asked. */
  readonly workloads?: Fact<readonly Workload[]>;
  /** When the certificate of the talosconfig ends, RFC 3339; absent where nobody looked. */
  readonly talosCertificateEnds?: string;
  /** Dead control planes that were left out of `nodes` because the user allowed it. */
  readonly skipped?: readonly NodeObservation[];
  /** Why and how credentials for Kubernetes were made for this run; absent where the configured kubeconfig is used. */
  readonly kubeOrigin?: string;
}

export interface CloudObservation {
  readonly servers: Fact<readonly Server[]>;
  readonly floatingIPs: Fact<readonly FloatingIP[]>;
  readonly locations: Fact<readonly Location[]>;
  readonly token: Fact<TokenClass>;
  /** The token that goes onto the nodes; undefined where the mode needs none. */
  readonly nodeToken:
    | {
        readonly same: boolean;
        readonly class: Fact<TokenClass>;
        /** Floating IPs that this token sees: Talos must find the address with it. */
        readonly floatingIPs: Fact<readonly { readonly id: number; readonly ip: string }[]>;
      }
    | undefined;
}

export type Role = 'control-plane' | 'worker' | 'unknown';

export interface KubernetesNode {
  readonly name: string;
  readonly ready: boolean;
  readonly addresses: readonly { readonly type: string; readonly address: string }[];
}

/** An address on a link of a node. `address` is CIDR text, as Talos writes it. */
export interface LinkAddress {
  readonly link: string;
  readonly address: string;
}

export interface LinkFacts {
  readonly name: string;
  readonly facts: {
    readonly busPath?: string;
    readonly hardwareAddr?: string;
    readonly permanentAddr?: string;
    readonly pciID?: string;
    readonly driver?: string;
    readonly physical?: boolean;
  };
}

export interface ServedCertificate {
  readonly serial: string;
  /** DNS names and IP addresses together. */
  readonly names: readonly string[];
  /** RFC 3339. */
  readonly notAfter: string;
  readonly trusted: boolean;
  readonly problem?: string;
}

export interface NodeObservation {
  readonly name: string;
  readonly role: Role;
  /** The node's own address that Talos and Kubernetes are dialled at; undefined when none is known. */
  readonly address: string | undefined;
  /** Every address that is the node's own, a floating one never among them. */
  readonly ownAddresses: readonly string[];
  readonly server: Server | undefined;
  readonly kubernetes: KubernetesNode | undefined;
  readonly talosVersion: Fact<string>;
  readonly config: Fact<NodeConfig>;
  /** What the node would boot with; differs from `config` while a staged or tried one is pending. */
  readonly persistentSha256: Fact<string>;
  readonly links: Fact<readonly LinkAddress[]>;
  /** What a selector of links may ask for, by link name. */
  readonly linkFacts: Fact<readonly LinkFacts[]>;
  readonly stage: Fact<{ readonly stage: string; readonly ready: boolean; readonly unmet: readonly string[] }>;
  readonly services: Fact<readonly TalosService[]>;
  /** How its clock stands to its time server's; not asked anew in every look, and undefined where nobody asked. */
  readonly clock?: Fact<NodeClock>;
  /** Control planes only; undefined on workers. */
  readonly etcd: EtcdObservation | undefined;
  /** Served on the node's own address; undefined on workers. */
  readonly certificate: Fact<ServedCertificate> | undefined;
  /** `/readyz` on the node's own address; undefined on workers. */
  readonly apiReady: Fact<ReadyResult> | undefined;
}

export interface NodeClock {
  /** How far the node is ahead of its time server, milliseconds; negative: behind. */
  readonly offsetMs: number;
  /** How far the time server is ahead of this machine. */
  readonly referenceMs: number;
  readonly server: string;
}

export interface EtcdObservation {
  readonly members: Fact<readonly EtcdMember[]>;
  readonly status: Fact<EtcdMemberStatus>;
  readonly alarms: Fact<readonly { readonly memberId: bigint; readonly alarm: string }[]>;
}

/** What fairlead reads out of a machine config. The text itself is a secret as a whole. */
export interface NodeConfig {
  readonly text: Redacted;
  readonly sha256: string;
  readonly role: 'control-plane' | 'worker' | undefined;
  readonly clusterName: string | undefined;
  /** The exact string. */
  readonly endpoint: string | undefined;
  readonly endpointForm: 'legacy' | 'document';
  readonly apiServerPort: number;
  /** SANs that are listed for the API server; what Talos adds by itself is not here. */
  readonly certSANs: readonly string[];
  readonly machineCertSANs: readonly string[];
  /** The issuer that is written down, apart from the endpoint; undefined where it follows the endpoint. */
  readonly pinnedIssuer: string | undefined;
  /** What signs and is accepted, the first signs; the endpoint string where nothing is pinned. */
  readonly issuers: readonly string[];
  readonly vips: readonly {
    readonly ip: string;
    readonly form: 'legacy' | 'document';
    readonly provider: 'hcloud' | 'other';
  }[];
  readonly kubePrism: boolean;
  /** Whether it is written down which addresses etcd advertises and the kubelet takes; undefined where nobody looked. */
  readonly subnets?: { readonly etcd: boolean; readonly kubelet: boolean };
}

export interface EndpointProbe {
  /** https://host:port */
  readonly url: string;
  readonly handshake: HandshakeResult;
  readonly ready: ReadyResult;
}

export interface ConsumersObservation {
  readonly kubeconfigs: readonly KubeconfigObservation[];
  readonly talosconfigs: readonly TalosconfigObservation[];
  readonly repository: RepositoryObservation | undefined;
}

export interface KubeconfigObservation {
  readonly file: string;
  /** The context that fairlead writes into this file. */
  readonly context: string | undefined;
  /** undefined when the file is not there. */
  readonly content: Fact<KubeconfigContent | undefined>;
}

export interface KubeconfigContent {
  readonly sha256: string;
  readonly text: Redacted;
  readonly contexts: readonly string[];
  /** The context looked at; undefined when the file does not have it. */
  readonly entry:
    | {
        readonly context: string;
        readonly server: string;
        readonly caSha256: string;
        /** RFC 3339; undefined where the credential is no certificate. */
        readonly certificateNotAfter: string | undefined;
        readonly problem?: string;
      }
    | undefined;
}

export interface TalosconfigObservation {
  readonly file: string;
  readonly context: string | undefined;
  readonly content: Fact<TalosconfigContent | undefined>;
}

export interface TalosconfigContent {
  readonly sha256: string;
  readonly text: Redacted;
  readonly contexts: readonly string[];
  readonly entry:
    | { readonly context: string; readonly endpoints: readonly string[]; readonly nodes: readonly string[] }
    | undefined;
}

export type PatchScope = 'cluster' | 'control-planes' | 'workers';

export interface RepositoryObservation {
  readonly path: string;
  /** In the order they are applied. A patch may hold secrets: its text is one. */
  readonly patches: Fact<readonly { readonly scope: PatchScope; readonly file: string; readonly text: Redacted }[]>;
  /** What in it assigns floating IPs by itself when it is run; absent where nobody looked. */
  readonly movers?: Fact<
    readonly { readonly who: 'ksail' | 'terraform'; readonly place: string; readonly what: string }[]
  >;
  /** Names that the provisioner's `env` sets; values are never kept. */
  readonly variables: Fact<readonly string[]>;
}
