import type { Redacted } from '../../base/redacted.ts';

/** Credentials of one context of a kubeconfig, resolved. */
export interface KubeContext {
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

/** Ordinary Kubernetes calls, by the official client library (loaded lazily), against one given server URL. */
export interface KubernetesClient {
  readonly server: string;
  version(signal?: AbortSignal): Promise<string>;
  nodes(
    signal?: AbortSignal,
  ): Promise<{ name: string; ready: boolean; addresses: { type: string; address: string }[] }[]>;
  /** A token of the service account by TokenRequest; minted for probing, never stored. */
  serviceAccountToken(namespace: string, name: string, ttlSeconds: number, signal?: AbortSignal): Promise<Redacted>;
  /** Makes it be so: the namespace too when it is missing; nothing is written when it already is. */
  ensureConfigMap(namespace: string, name: string, data: Record<string, string>, signal?: AbortSignal): Promise<void>;
  /** Gone already is as good as deleted. */
  deleteConfigMap(namespace: string, name: string, signal?: AbortSignal): Promise<void>;
  /** Lets go of its connections. */
  close(): void;
}
