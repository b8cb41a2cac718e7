import type { IngressPolicy } from '../../fabric/types.ts';
import type { TalosVersion } from '../types.ts';

/** Facts of a machine that the machine config is read against (the same as `node.json` of the derived goldens). */
export interface NodeFacts {
  readonly hostname: string;
  /** Domain of the host name; absent = none. */
  readonly domain?: string;
  readonly links: readonly {
    readonly name: string;
    /** Whether it has a carrier; absent = yes. */
    readonly up?: boolean;
    readonly busPath?: string;
    readonly driver?: string;
    readonly hardwareAddr?: string;
    readonly alias?: string;
    readonly altNames?: readonly string[];
  }[];
  /** CIDR text, the link that carries it, and its scope (absent = `global`; any other keeps it out of every set). */
  readonly addresses: readonly { readonly address: string; readonly link: string; readonly scope?: string }[];
  /** Addresses known only from the platform. */
  readonly externalAddresses: readonly string[];
  /** Addresses that were bound for a while since boot and are gone (the accumulative set keeps them). */
  readonly earlierAddresses: readonly string[];
}

export interface CertificateNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface VipOperatorSpec {
  readonly link: string;
  readonly ip: string;
  readonly kind: 'hcloud' | 'layer2';
  /** hcloud only. */
  readonly apiToken?: string;
  readonly form: 'legacy' | 'document';
}

/** Everything about a node that its machine config decides. */
export interface Derived {
  readonly role: 'control-plane' | 'worker';
  readonly clusterName: string;
  readonly endpoint: string;
  /** Empty lists on a worker, and where Talos' controllers panic on an accepted config (`warnings` says so). */
  readonly kubernetesApiCertificate: CertificateNames;
  readonly talosApiCertificate: CertificateNames;
  /** What `--service-account-issuer` gets, in order (the first signs); empty = the flag is absent. */
  readonly issuers: readonly string[];
  readonly apiAudiences: readonly string[];
  /** `--name=value` as Talos renders them, with Talos' own file names; empty = the static pod is not rendered (`warnings` says why). */
  readonly kubeAPIServerArgs: readonly string[];
  /** The machine's own firewall; undefined = none. */
  readonly ingress: IngressPolicy | undefined;
  readonly kubeletNodeIPs: readonly string[];
  readonly etcdAdvertised: readonly string[];
  readonly vips: readonly VipOperatorSpec[];
  readonly kubePrism: { readonly port: number } | undefined;
  /** Lifetime of admin kubeconfigs, milliseconds. */
  readonly adminKubeconfigLifetimeMs: number;
  readonly kubernetesVersion: string;
  readonly pki: MachinePki;
  /** Messages a controller logs (ignored VIP, selector without match). */
  readonly warnings: readonly string[];
}

/** PEM texts out of the machine config. Keys of the Kubernetes side are absent on workers. */
export interface MachinePki {
  readonly machineCA: { readonly crt: string; readonly key?: string };
  readonly clusterCA: { readonly crt: string; readonly key?: string };
  readonly aggregatorCA?: { readonly crt: string; readonly key: string };
  readonly etcdCA?: { readonly crt: string; readonly key: string };
  readonly serviceAccountKey?: string;
}

export type ConfigVerdict =
  | { readonly kind: 'accepted'; readonly derived: Derived; readonly warnings: readonly string[] }
  /** Talos' own words where the rule concerns what this product touches. */
  | { readonly kind: 'refused'; readonly message: string };

/** Strict decoding, validation and everything that follows from it; pure. */
export type ReadConfig = (text: string, version: TalosVersion, facts: NodeFacts) => ConfigVerdict;
