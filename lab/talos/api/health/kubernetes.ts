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

const TIMEOUT_MS = 5_000;

/**
 * The Nodes as the cluster's endpoint shows them: an endpoint that leads nowhere fails the check though the nodes are well.
 * An endpoint with a name is not looked up; the machine's own API server is asked instead.
 */
export async function kubernetesNodes(machine: Machine, forced: string): Promise<readonly KubernetesNode[]> {
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
    const { status, body } = await client.request('GET', '/api/v1/nodes');
    if (status !== 200) throw new Error(`nodes: ${status}`);
    return ((body as { items?: NodeObject[] }).items ?? []).map(nodeOf);
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

const nodeOf = ({ metadata, spec, status }: NodeObject): KubernetesNode => ({
  name: metadata?.name ?? '',
  addresses: (status?.addresses ?? []).filter(({ type }) => type.endsWith('IP')).map(({ address }) => address),
  controlPlane: metadata?.labels?.['node-role.kubernetes.io/control-plane'] !== undefined,
  ready: (status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True'),
  unschedulable: spec?.unschedulable === true,
});
