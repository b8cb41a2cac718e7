import type { LookupFunction } from 'node:net';
import type { Redacted } from '../../base/redacted.ts';

/** Credentials of one context of a kubeconfig, resolved. */
export interface KubeContext {
  /** How names are resolved where the configuration names its own DNS servers; absent: as this machine does. */
  readonly lookup?: LookupFunction;
  readonly name: string;
  readonly cluster: string;
  readonly user: string;
  /** https://host:port */
  readonly server: string;
  readonly tlsServerName: string | undefined;
  /** PEM. */
  readonly ca: string;
  readonly auth:
    | { readonly kind: 'certificate'; readonly cert: string; readonly key: Redacted }
    | { readonly kind: 'token'; readonly token: Redacted }
    | { readonly kind: 'other'; readonly why: string };
}

/** A `coordination.k8s.io/v1` Lease, as far as a lock needs it. Times are the writer's own calendar. */
export interface LeaseRecord {
  /** Empty: nobody. */
  readonly holder: string;
  readonly durationSeconds: number;
  readonly acquired: Date | undefined;
  readonly renewed: Date | undefined;
  readonly transitions: number;
  /** undefined: there is none yet. */
  readonly resourceVersion: string | undefined;
}

export interface SecretRecord {
  readonly data: Readonly<Record<string, Redacted>>;
  readonly labels: Readonly<Record<string, string>>;
  /** undefined: there is none yet. */
  readonly resourceVersion: string | undefined;
}

/** What runs in a cluster, as far as it tells who it is. */
export interface Workload {
  readonly kind: 'DaemonSet' | 'Deployment' | 'Pod';
  readonly namespace: string;
  readonly name: string;
  readonly images: readonly string[];
}

/** Ordinary Kubernetes calls, by the official client library (loaded lazily), against one given server URL. */
export interface KubernetesClient {
  readonly server: string;
  version(signal?: AbortSignal): Promise<string>;
  nodes(
    signal?: AbortSignal,
  ): Promise<{ name: string; ready: boolean; addresses: { type: string; address: string }[] }[]>;
  /** DaemonSets and Deployments of every namespace, and the pods of kube-system, where static pods show. */
  workloads(signal?: AbortSignal): Promise<Workload[]>;
  /** A token of the service account by TokenRequest; minted for probing, never stored. */
  serviceAccountToken(namespace: string, name: string, ttlSeconds: number, signal?: AbortSignal): Promise<Redacted>;
  /** Makes it be so: the namespace too when it is missing; nothing is written when it already is. */
  ensureConfigMap(namespace: string, name: string, data: Record<string, string>, signal?: AbortSignal): Promise<void>;
  /** Gone already is as good as deleted. */
  deleteConfigMap(namespace: string, name: string, signal?: AbortSignal): Promise<void>;
  /** undefined when there is none. */
  lease(namespace: string, name: string, signal?: AbortSignal): Promise<LeaseRecord | undefined>;
  /**
   * Writes a lease as it should be: made where `resourceVersion` is undefined, else replaced if nobody has written it since. Gives
   * what stands then; a KubernetesError `conflict` where somebody was faster.
   */
  writeLease(namespace: string, name: string, lease: LeaseRecord, signal?: AbortSignal): Promise<LeaseRecord>;
  /** undefined when there is none. */
  secret(namespace: string, name: string, signal?: AbortSignal): Promise<SecretRecord | undefined>;
  /** As writeLease: compare and set by `resourceVersion`. */
  writeSecret(namespace: string, name: string, secret: SecretRecord, signal?: AbortSignal): Promise<SecretRecord>;
  /** Lets go of its connections. */
  close(): void;
}
