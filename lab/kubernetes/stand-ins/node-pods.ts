import { listAt, stringAt, type Json } from '../api-server/objects/types.ts';
import type { ApiClient } from '../http.ts';
import { findCondition } from './conditions.ts';

async function podsOf(client: ApiClient, node: string, signal: AbortSignal): Promise<readonly Json[]> {
  const path = `/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`;
  const { status, body } = await client.request('GET', path, { signal });
  if (status !== 200) throw new Error(`GET ${path}: ${status}`);
  return listAt(body, 'items');
}

const pathOf = (pod: Json): string =>
  `/api/v1/namespaces/${stringAt(pod, 'metadata', 'namespace') ?? ''}/pods/${stringAt(pod, 'metadata', 'name') ?? ''}`;

/** What the garbage collector does with pods whose node is gone: nobody would end them, so they end at once. */
export async function removePods(client: ApiClient, node: string, signal: AbortSignal): Promise<void> {
  for (const pod of await podsOf(client, node, signal)) {
    const body = { gracePeriodSeconds: 0, preconditions: { uid: stringAt(pod, 'metadata', 'uid') ?? '' } };
    const { status } = await client.request('DELETE', pathOf(pod), { body, signal });
    if (status !== 200 && status !== 404 && status !== 409) throw new Error(`DELETE ${pathOf(pod)}: ${status}`);
  }
}

/** A node that is not heard of has no pod that counts as ready; its kubelet says otherwise when it is back. */
export async function markPodsNotReady(client: ApiClient, node: string, now: Date, signal: AbortSignal): Promise<void> {
  const lastTransitionTime = `${now.toISOString().slice(0, 19)}Z`;
  for (const pod of await podsOf(client, node, signal)) {
    if (stringAt(findCondition(pod, 'Ready'), 'status') !== 'True') continue;
    const { status } = await client.request('PATCH', `${pathOf(pod)}/status`, {
      body: { status: { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime }] } },
      contentType: 'application/strategic-merge-patch+json',
      signal,
    });
    if (status !== 200 && status !== 404) throw new Error(`status of ${pathOf(pod)}: ${status}`);
  }
}
