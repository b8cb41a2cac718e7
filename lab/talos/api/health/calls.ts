import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { textOf } from '../../../../src/base/failure.ts';
import type { Machine } from '../../machine.ts';
import { rolesIn } from '../context.ts';
import { requireControlPlane } from '../etcd-calls.ts';
import type { ClusterInfo, ClusterService } from '../generated/cluster/cluster_pb.ts';
import { clusterChecks, type Check } from './checks.ts';
import { kubernetesView } from './kubernetes.ts';
import { createPeerClients, type CheckedNode } from './peers.ts';

const POLL_MS = 5_000;

/** The health of the cluster as this control plane sees it, told line by line; ends well when all is well. */
export function healthCalls(machine: Machine): ServiceImpl<typeof ClusterService> {
  const { clock, speed } = machine.ports;
  return {
    async *healthCheck({ clusterInfo, waitTimeout }, context) {
      requireControlPlane(machine, 'cluster health check');
      const timeoutMs = Number(waitTimeout?.seconds ?? 0n) * 1_000 + (waitTimeout?.nanos ?? 0) / 1e6;
      const deadline = clock.now() + timeoutMs;
      const nodes = nodesOf(machine, clusterInfo);
      yield { message: `discovered nodes: [${nodes.map((node) => JSON.stringify(node.addresses[0])).join(' ')}]` };
      const clients = createPeerClients(machine, rolesIn(context.values));
      const kubernetes = kubernetesView(machine, clusterInfo?.forceEndpoint ?? '');
      try {
        for (const check of clusterChecks({ nodes, clients, kubernetes })) {
          let last = '';
          for await (const said of attempts(check, context.signal)) {
            const line = `waiting for ${check.description}: ${said.text}`;
            if (line !== last) yield { message: line.trim() };
            last = line;
            if (said.done) break;
            if (clock.now() >= deadline) throw new ConnectError('context deadline exceeded', Code.DeadlineExceeded);
            if (said.tried) {
              const pause = Math.min(POLL_MS / speed, Math.max(0, deadline - clock.now()));
              await clock.sleep(pause, context.signal);
            }
          }
        }
      } finally {
        clients.close();
      }
    },
  };
}

/** What is to be said of a check: that it begins, then what each look at it came to. */
async function* attempts(
  check: Check,
  signal: AbortSignal,
): AsyncIterable<{ readonly text: string; readonly done: boolean; readonly tried: boolean }> {
  yield { text: '...', done: false, tried: false };
  while (!signal.aborted) {
    let text: string;
    let done = true;
    try {
      text = (await check.run()) === 'skip' ? 'SKIP' : 'OK';
    } catch (error) {
      text = textOf(error);
      done = false;
    }
    yield { text, done, tried: true };
  }
}

/**
 * The nodes the caller names, else those that discovery knows. A named one is known by all the addresses discovery has of
 * it: Talos takes the one that is named alone, and fails where etcd stands on another.
 */
function nodesOf(machine: Machine, info: ClusterInfo | undefined): readonly CheckedNode[] {
  const { facts, claims, ports, role } = machine;
  const own = { addresses: [facts.publicIPv4, facts.privateIPv4, ...claims.keys()], role };
  const known: readonly CheckedNode[] = [
    own,
    ...ports.peers().map(({ addresses, role: other }) => ({ addresses, role: other })),
  ];
  const named = (addresses: readonly string[], as: CheckedNode['role']): CheckedNode[] =>
    addresses.map((address) => {
      const found = known.find((node) => node.addresses.includes(address))?.addresses ?? [];
      return { addresses: [...new Set([address, ...found])], role: as };
    });
  if (info === undefined || info.controlPlaneNodes.length + info.workerNodes.length === 0) return known;
  return [...named(info.controlPlaneNodes, 'control-plane'), ...named(info.workerNodes, 'worker')];
}
