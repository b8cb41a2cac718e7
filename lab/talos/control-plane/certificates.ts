import type { Clock } from '../../../src/base/clock.ts';
import { issue } from '../../pki/pki.ts';
import type { KeyPair, LeafSpec } from '../../pki/types.ts';
import type { CertificateNames, Derived } from '../config/types.ts';

const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Talos dates its certificates back a little, for machines whose clocks are behind. */
const SKEW_MS = 10_000;

type Authority = { readonly crt: string; readonly key?: string };

/** Issues a leaf that is valid from a moment ago for `lifetimeMs` (a year unless told otherwise). */
export function issueLeaf(
  clock: Clock,
  authority: Authority | undefined,
  leaf: Omit<LeafSpec, 'notBefore' | 'notAfter'>,
  lifetimeMs = YEAR_MS,
): Promise<KeyPair> {
  if (authority?.key === undefined || authority.key === '') {
    throw new Error(`the machine config holds no key of the authority for ${leaf.commonName}`);
  }
  const now = clock.wall().getTime();
  return issue(
    { cert: authority.crt, key: authority.key },
    { ...leaf, notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + lifetimeMs) },
  );
}

/** The serving certificate of the Talos API: Ed25519 of the machine's authority, a day's life in Talos, renewed. */
export const talosApiCertificate = (clock: Clock, derived: Derived, hostname: string): Promise<KeyPair> =>
  issueLeaf(
    clock,
    derived.pki.machineCA,
    { commonName: hostname, ...derived.talosApiCertificate, usages: ['serverAuth'] },
    24 * 3600 * 1000,
  );

export interface DynamicCertificates {
  readonly apiServer: KeyPair;
  readonly kubeletClient: KeyPair;
  readonly frontProxy: KeyPair;
}

/** What Talos reissues together whenever the Kubernetes roots or the names of the API server change. */
export async function kubernetesCertificates(clock: Clock, derived: Derived): Promise<DynamicCertificates> {
  const [apiServer, kubeletClient, frontProxy] = await Promise.all([
    issueLeaf(clock, derived.pki.clusterCA, {
      commonName: 'kube-apiserver',
      organizations: ['kube-master'],
      ...derived.kubernetesApiCertificate,
      usages: ['serverAuth'],
    }),
    issueLeaf(clock, derived.pki.clusterCA, {
      commonName: 'apiserver-kubelet-client',
      organizations: ['system:masters'],
      usages: ['clientAuth'],
    }),
    issueLeaf(clock, derived.pki.aggregatorCA, { commonName: 'front-proxy-client', usages: ['clientAuth'] }),
  ]);
  return { apiServer, kubeletClient, frontProxy };
}

export interface EtcdCertificates {
  readonly server: KeyPair;
  readonly peer: KeyPair;
  readonly admin: KeyPair;
  readonly apiServerClient: KeyPair;
}

/**
 * etcd's four certificates. `hidden` is the address behind the fabric that the member listens on: the lab's `localhost`,
 * which is why the server certificate names it beside 127.0.0.1.
 */
export async function etcdCertificates(
  clock: Clock,
  derived: Derived,
  hostname: string,
  hidden: string,
): Promise<EtcdCertificates> {
  const member: CertificateNames = {
    dnsNames: [hostname, 'localhost'],
    ipAddresses: [...new Set([...addressesOf(derived), ...derived.etcdAdvertised, '127.0.0.1', '::1', hidden])],
  };
  const [server, peer, admin, apiServerClient] = await Promise.all([
    issueLeaf(clock, derived.pki.etcdCA, { commonName: hostname, ...member, usages: ['serverAuth', 'clientAuth'] }),
    issueLeaf(clock, derived.pki.etcdCA, { commonName: hostname, ...member, usages: ['serverAuth', 'clientAuth'] }),
    issueLeaf(clock, derived.pki.etcdCA, { commonName: 'talos', usages: ['clientAuth'] }),
    issueLeaf(clock, derived.pki.etcdCA, { commonName: 'kube-apiserver-etcd-client', usages: ['clientAuth'] }),
  ]);
  return { server, peer, admin, apiServerClient };
}

/** The machine's own addresses, as the Talos API's certificate has them. */
const addressesOf = (derived: Derived): readonly string[] => derived.talosApiCertificate.ipAddresses;

/** The client certificate inside a kubeconfig of the Kubeconfig call. */
export const kubernetesAdmin = (clock: Clock, derived: Derived): Promise<KeyPair> =>
  issueLeaf(
    clock,
    derived.pki.clusterCA,
    { commonName: 'admin', organizations: ['system:masters'], usages: ['clientAuth'] },
    derived.adminKubeconfigLifetimeMs,
  );
