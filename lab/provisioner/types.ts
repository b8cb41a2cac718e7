import type { TalosVersion } from '../talos/types.ts';

export type Role = 'control-plane' | 'worker';

/** Base64 of PEM, as Talos writes it. */
export interface EncodedPair {
  readonly crt: string;
  readonly key: string;
}

/** The secrets bundle, in the form `talosctl gen secrets` gives it. */
export interface Secrets {
  /** Discovery's identity of the cluster, base64 of 32 bytes each. */
  readonly cluster: { readonly id: string; readonly secret: string };
  readonly secrets: { readonly bootstraptoken: string; readonly secretboxencryptionsecret: string };
  readonly trustdinfo: { readonly token: string };
  readonly certs: {
    readonly etcd: EncodedPair;
    readonly k8s: EncodedPair;
    readonly k8saggregator: EncodedPair;
    readonly k8sserviceaccount: { readonly key: string };
    readonly os: EncodedPair;
  };
}

/** `cluster.yaml`: what the base config is generated from, beside the secrets. */
export interface ClusterFacts {
  readonly name: string;
  /** URL, verbatim: `https://203.0.113.10:6443`. */
  readonly endpoint: string;
  readonly talosVersion: TalosVersion;
  /** With the v: `v1.36.3`. */
  readonly kubernetesVersion: string;
}

/** The Kubernetes version that each release installs unless told otherwise. */
export const DEFAULT_KUBERNETES: Readonly<Record<TalosVersion, string>> = {
  'v1.11.6': 'v1.34.1',
  'v1.12.11': 'v1.35.4',
  'v1.13.9': 'v1.36.3',
  'v1.14.0-rc.1': 'v1.37.0-rc.0',
};
