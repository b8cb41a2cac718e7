import { isIP } from 'node:net';
import { createApiClient } from '../../../kubernetes/http.ts';
import { kubernetesAdmin } from '../../control-plane/certificates.ts';
import type { Machine } from '../../machine.ts';

/** A Node as far as the checks look at it. */
export interface KubernetesNode {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly controlPlane: boolean;
  readonly ready: boolean;
  readonly unschedulable: boolean;
}

/** A pod of the control plane, likewise. */
export interface KubernetesPod {
  readonly name: string;
  /** `kube-apiserver`, by its label `k8s-app`. */
  readonly app: string;
  readonly ready: boolean;
}

/** The cluster as its endpoint shows it. */
export interface KubernetesView {
  nodes(): Promise<readonly KubernetesNode[]>;
  pods(): Promise<readonly KubernetesPod[]>;
}

const TIMEOUT_MS = 5_000;

/** What a check asks is asked when it runs. */
export const kubernetesView = (machine: Machine, forced: string): KubernetesView => ({
  nodes: async () => (await listOf<NodeObject>(machine, forced, '/api/v1/nodes')).map(nodeOf),
  pods: async () => (await listOf<PodObject>(machine, forced, PODS_PATH)).map(podOf),
});

const PODS_PATH = '/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app';

/**
 * Objects as the cluster's endpoint shows them: an endpoint that leads nowhere fails the check though the nodes are well.
 * An endpoint with a name is not looked up; the machine's own API server is asked instead.
 */
async function listOf<T>(machine: Machine, forced: string, path: string): Promise<readonly T[]> {
  const derived = machine.active?.derived;
  if (derived === undefined) throw new Error('no configuration');
  const { hostname, port } = new URL(forced === '' ? derived.endpoint : forced);
  const server = `https://${hostname}:${port === '' ? '443' : port}`;
  const { hidden } = machine.ports.host;
  const admin = await kubernetesAdmin(machine.ports.clock, derived);
  const client = createApiClient(
    {
      ...(isIP(hostname) === 0
        ? { server: `https://${hidden}:6443`, serverName: 'localhost' }
        : { server, localAddress: hidden }),
      ca: derived.pki.clusterCA.crt,
      ...admin,
    },
    { userAgent: `talos/${machine.ports.version} node/${machine.facts.hostname}`, timeoutMs: TIMEOUT_MS },
  );
  try {
    const { status, body } = await client.request('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status}`);
    return (body as { items?: T[] }).items ?? [];
  } finally {
    client.close();
  }
}

interface NodeObject {
  readonly metadata?: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: { readonly unschedulable?: boolean };
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface PodObject {
  readonly metadata?: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

const podOf = ({ metadata, status }: PodObject): KubernetesPod => ({
  name: metadata?.name ?? '',
  app: metadata?.labels?.['k8s-app'] ?? '',
  ready: (status?.conditions ?? []).every(({ type, status: is }) => type !== 'Ready' || is === 'True'),
});

const nodeOf = ({ metadata, spec, status }: NodeObject): KubernetesNode => ({
  name: metadata?.name ?? '',
  addresses: (status?.addresses ?? []).filter(({ type }) => type.endsWith('IP')).map(({ address }) => address),
  controlPlane: metadata?.labels?.['node-role.kubernetes.io/control-plane'] !== undefined,
  ready: (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True'),
  unschedulable: spec?.unschedulable === true,
});
