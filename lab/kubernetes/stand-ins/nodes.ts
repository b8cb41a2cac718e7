import type { Clock } from '../../../src/base/clock.ts';
import { listAt, stringAt, type Json } from '../api-server/objects/types.ts';
import type { ApiClient } from '../http.ts';
import { findCondition } from './conditions.ts';
import { serverOf } from './node-object.ts';
import { markPodsNotReady, removePods } from './node-pods.ts';

/** How long kube-controller-manager waits for a heartbeat, milliseconds at speed 1. */
const GRACE_MS = 40_000;
/** A real API server's restart takes 4 s whatever the speed; its kubelet's node must not seem lost meanwhile. */
const SHORTEST_GRACE_MS = 8_000;

export const graceMs = (speed: number): number => Math.max(SHORTEST_GRACE_MS, GRACE_MS / speed);

/** When each node's heartbeat was last seen to change, by our own clock. */
export interface Heartbeats {
  seen(node: string, heartbeat: string): number;
  /** After a time in which nothing could be seen, nobody is late. */
  forget(): void;
}

export function createHeartbeats(clock: Clock): Heartbeats {
  const seen = new Map<string, { readonly heartbeat: string; readonly at: number }>();
  return {
    seen(node, heartbeat) {
      const before = seen.get(node);
      if (before?.heartbeat === heartbeat) return before.at;
      const at = clock.now();
      seen.set(node, { heartbeat, at });
      return at;
    },
    forget: () => seen.clear(),
  };
}

export interface NodeRules {
  readonly clock: Clock;
  readonly speed: number;
  readonly heartbeats: Heartbeats;
  /** Ids of the servers that exist. */
  readonly serverIds: () => readonly number[];
}

/**
 * What the node controllers do: a Node that stops beating becomes Unknown and is tainted, one that is ready loses the
 * taints, and one whose server is no more is deleted. Its pods go the same way: not ready, gone.
 */
export async function reconcileNodes(client: ApiClient, rules: NodeRules, signal: AbortSignal): Promise<void> {
  const list = async (path: string): Promise<readonly Json[]> => {
    const { status, body } = await client.request('GET', path, { signal });
    if (status !== 200) throw new Error(`GET ${path}: ${status}`);
    return listAt(body, 'items');
  };
  const [nodes, leases] = await Promise.all([
    list('/api/v1/nodes'),
    list('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'),
  ]);
  const renewed = new Map(
    leases.map((lease) => [stringAt(lease, 'metadata', 'name') ?? '', stringAt(lease, 'spec', 'renewTime') ?? '']),
  );
  // After the list: whoever is on it and has registered exists by now.
  const servers = new Set(rules.serverIds());
  for (const node of nodes) {
    const name = stringAt(node, 'metadata', 'name') ?? '';
    const server = serverOf(node);
    if (server !== undefined && !servers.has(server)) {
      await removeNode(client, name, stringAt(node, 'metadata', 'uid') ?? '', signal);
      continue;
    }
    const ready = findCondition(node, 'Ready');
    const heartbeat = `${renewed.get(name) ?? ''} ${stringAt(ready, 'lastHeartbeatTime') ?? ''}`;
    const late = rules.clock.now() - rules.heartbeats.seen(name, heartbeat) > graceMs(rules.speed);
    const status = stringAt(ready, 'status');
    if (late && status !== 'Unknown') {
      // The taint follows with the next look, which knows the version that this leaves.
      await markUnknown(client, name, rules.clock.wall(), signal);
      await markPodsNotReady(client, name, rules.clock.wall(), signal);
      continue;
    }
    await setTaints(client, node, late ? 'Unknown' : status, signal);
  }
}

/** Removes this very Node, not one of the same name that was made meanwhile, and the pods and the Lease that its kubelet left. */
async function removeNode(client: ApiClient, name: string, uid: string, signal: AbortSignal): Promise<void> {
  await removePods(client, name, signal);
  const path = `/api/v1/nodes/${name}`;
  const { status } = await client.request('DELETE', path, { body: { preconditions: { uid } }, signal });
  if (status === 409) return;
  if (status !== 200 && status !== 404) throw new Error(`DELETE ${path}: ${status}`);
  const lease = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`;
  const answer = await client.request('DELETE', lease, { signal });
  if (answer.status !== 200 && answer.status !== 404) throw new Error(`DELETE ${lease}: ${answer.status}`);
}

async function markUnknown(client: ApiClient, name: string, now: Date, signal: AbortSignal): Promise<void> {
  const time = `${now.toISOString().slice(0, 19)}Z`;
  const conditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'].map((type) => ({
    type,
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastTransitionTime: time,
  }));
  const { status } = await client.request('PATCH', `/api/v1/nodes/${name}/status`, {
    body: { status: { conditions } },
    contentType: 'application/strategic-merge-patch+json',
    signal,
  });
  if (status !== 200 && status !== 404) throw new Error(`status of node ${name}: ${status}`);
}

const OURS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

async function setTaints(client: ApiClient, node: Json, ready: string | undefined, signal: AbortSignal): Promise<void> {
  const wanted = ready === 'True' ? undefined : ready === 'Unknown' ? OURS[1] : OURS[0];
  const taints = listAt(node, 'spec', 'taints');
  const kept = taints.filter((taint) => !OURS.includes(stringAt(taint, 'key') ?? ''));
  const has = taints
    .filter((taint) => OURS.includes(stringAt(taint, 'key') ?? ''))
    .map((taint) => stringAt(taint, 'key'));
  if (has.length === (wanted === undefined ? 0 : 1) && has[0] === wanted) return;
  const name = stringAt(node, 'metadata', 'name') ?? '';
  const next = [...kept, ...(wanted === undefined ? [] : [{ key: wanted, effect: 'NoSchedule' }])];
  const { status } = await client.request('PATCH', `/api/v1/nodes/${name}`, {
    body: {
      metadata: { resourceVersion: stringAt(node, 'metadata', 'resourceVersion') },
      spec: { taints: next.length === 0 ? null : next },
    },
    contentType: 'application/merge-patch+json',
    signal,
  });
  // Written to in the meantime: the next look takes it up.
  if (status !== 200 && status !== 404 && status !== 409) throw new Error(`taints of node ${name}: ${status}`);
}
