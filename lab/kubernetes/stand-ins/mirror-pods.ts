import { createHash } from 'node:crypto';
import { isRecord, kubeTime, listAt, stringAt, type Json, type JsonRecord } from '../api-server/objects/types.ts';
import { findCondition } from './conditions.ts';

/** A static pod that a kubelet runs, as it shows it to the API. */
export interface ShownPod {
  /** Without the node's name: `kube-apiserver`. */
  readonly name: string;
  /** What it was made from, told apart from what it was made from before: another text is another pod. */
  readonly origin: string;
  /** Labels, annotations and spec of the manifest. */
  readonly manifest: JsonRecord;
  readonly status: JsonRecord;
}

/** Of one node: its name and the uid of its Node, which owns its mirror pods. */
export interface PodOwner {
  readonly name: string;
  readonly uid: string;
}

/** One call; resolves with the body, or undefined for a 404 that was reckoned with. */
export type Call = (method: string, path: string, wanted: readonly number[], body?: Json) => Promise<unknown>;

const PODS = '/api/v1/namespaces/kube-system/pods';
const HASH = 'kubernetes.io/config.hash';
export const MIRROR = 'kubernetes.io/config.mirror';

export interface MirrorPods {
  /** Makes the API show these pods of the node, and no other static pods of it. Rejects with the API's words. */
  sync(api: Call, owner: PodOwner, pods: readonly ShownPod[], now: Date): Promise<void>;
}

/**
 * What a kubelet tells the API of its static pods: a mirror pod for each, made anew when its origin changed, when
 * it belongs to an earlier Node or was deleted by hand; its status whenever that is another.
 */
export function createMirrorPods(): MirrorPods {
  /** uid -> the status that was posted last. */
  const posted = new Map<string, string>();

  const post = async (api: Call, pod: ShownPod, found: unknown): Promise<void> => {
    const uid = stringAt(found, 'metadata', 'uid') ?? '';
    const text = JSON.stringify(pod.status);
    if (posted.get(uid) === text && readinessOf(found) === readinessOf(pod)) return;
    const name = stringAt(found, 'metadata', 'name') ?? '';
    await api('PATCH', `${PODS}/${name}/status`, [200, 404], { status: pod.status });
    posted.set(uid, text);
  };

  return {
    async sync(api, owner, pods, now) {
      const shown = await api('GET', `${PODS}?fieldSelector=spec.nodeName%3D${owner.name}`, [200]);
      const mirrors = listAt(shown, 'items').filter((pod) => annotationOf(pod, MIRROR) !== undefined);
      const wanted = new Map(pods.map((pod) => [`${pod.name}-${owner.name}`, pod]));
      for (const pod of mirrors) {
        const name = stringAt(pod, 'metadata', 'name') ?? '';
        const uid = stringAt(pod, 'metadata', 'uid') ?? '';
        const own = wanted.get(name);
        if (own !== undefined && isCurrent(pod, own, owner)) {
          await post(api, own, pod);
          wanted.delete(name);
          continue;
        }
        posted.delete(uid);
        const options = { gracePeriodSeconds: 0, preconditions: { uid } };
        await api('DELETE', `${PODS}/${name}`, [200, 404, 409], options);
      }
      for (const [name, pod] of wanted) {
        const made = await api('POST', PODS, [201, 409], mirrorOf(name, pod, owner, now));
        if (stringAt(made, 'kind') === 'Pod') await post(api, pod, made);
      }
    },
  };
}

const hashOf = (pod: ShownPod): string => createHash('md5').update(`${pod.name} ${pod.origin}`).digest('hex');

const annotationOf = (pod: unknown, name: string): string | undefined => stringAt(pod, 'metadata', 'annotations', name);

const readinessOf = (pod: unknown): string | undefined => stringAt(findCondition(pod, 'Ready'), 'status');

const isCurrent = (found: unknown, pod: ShownPod, owner: PodOwner): boolean =>
  annotationOf(found, MIRROR) === hashOf(pod) &&
  stringAt(found, 'metadata', 'deletionTimestamp') === undefined &&
  listAt(found, 'metadata', 'ownerReferences').some((one) => stringAt(one, 'uid') === owner.uid);

function mirrorOf(name: string, pod: ShownPod, owner: PodOwner, now: Date): JsonRecord {
  const { metadata, spec } = pod.manifest;
  const hash = hashOf(pod);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'kube-system',
      labels: isRecord(metadata) ? (metadata['labels'] ?? {}) : {},
      annotations: {
        ...(isRecord(metadata) && isRecord(metadata['annotations']) ? metadata['annotations'] : {}),
        [HASH]: hash,
        [MIRROR]: hash,
        'kubernetes.io/config.seen': kubeTime(now),
        // Talos hands its manifests to the kubelet at an address.
        'kubernetes.io/config.source': 'http',
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: owner.name, uid: owner.uid, controller: true }],
    },
    spec: {
      ...(isRecord(spec) ? spec : {}),
      nodeName: owner.name,
      tolerations: [{ effect: 'NoExecute', operator: 'Exists' }],
    },
  };
}
