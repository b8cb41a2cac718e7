import { textOf } from '../../../src/base/failure.ts';
import { createApiClient } from '../../kubernetes/http.ts';
import { kubeletCertificateFromPeers } from '../api/trust.ts';
import { argValue } from '../control-plane/api-server-args.ts';
import { issueLeaf } from '../control-plane/certificates.ts';
import type { Machine } from '../machine.ts';

const ANNOTATION = 'talos.dev/cordoned';
/** In the lab's own time: what holds a drain up in life are pods, and there are none. */
const BOUND_MS = 3_000;

/** Marks the Node as one that takes no pods; there are none to move. What cannot be said to the API is logged only. */
export function cordon(machine: Machine): Promise<void> {
  return patchNode(machine, { spec: { unschedulable: true }, metadata: { annotations: { [ANNOTATION]: 'true' } } });
}

/** Takes the mark off again, if it was Talos that set it. */
export async function uncordon(machine: Machine): Promise<void> {
  await patchNode(
    machine,
    { spec: { unschedulable: null }, metadata: { annotations: { [ANNOTATION]: null } } },
    (annotations) => annotations[ANNOTATION] !== undefined,
  );
}

async function patchNode(
  machine: Machine,
  body: object,
  when: (annotations: Readonly<Record<string, unknown>>) => boolean = () => true,
): Promise<void> {
  const { active, facts, ports, role } = machine;
  if (active === undefined) return;
  const signal = AbortSignal.timeout(BOUND_MS);
  const { derived } = active;
  const plane = role === 'control-plane';
  try {
    const pair = plane
      ? await issueLeaf(ports.clock, derived.pki.clusterCA, {
          commonName: 'talos',
          organizations: ['system:masters'],
          usages: ['clientAuth'],
        })
      : await kubeletCertificateFromPeers(machine, active, signal);
    const peer = ports.peers().find((candidate) => candidate.role === 'control-plane');
    const port = argValue(derived.kubeAPIServerArgs, '--secure-port') ?? '6443';
    const address = plane
      ? { server: `https://${ports.host.hidden}:${port}`, serverName: 'localhost' }
      : { server: `https://${peer?.privateIPv4 ?? ''}:6443`, localAddress: ports.host.hidden };
    const client = createApiClient(
      { ...address, ca: derived.pki.clusterCA.crt, ...pair },
      { userAgent: `talos/${ports.version} node/${facts.hostname}`, timeoutMs: BOUND_MS },
    );
    try {
      const path = `/api/v1/nodes/${facts.hostname}`;
      const { status, body: node } = await client.request('GET', path, { signal });
      if (status !== 200 || !when(annotationsOf(node))) return;
      await client.request('PATCH', path, { contentType: 'application/merge-patch+json', signal, body: body as never });
    } finally {
      client.close();
    }
  } catch (error) {
    machine.log(`node ${facts.hostname} is not marked: ${textOf(error)}`);
  }
}

function annotationsOf(node: unknown): Readonly<Record<string, unknown>> {
  const { metadata } = (node ?? {}) as { metadata?: { annotations?: Record<string, unknown> } };
  return metadata?.annotations ?? {};
}
