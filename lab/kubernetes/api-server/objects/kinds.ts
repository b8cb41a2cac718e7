import type { Resource } from './resources.ts';
import { copyOf, isRecord, listAt, recordAt, stringAt, type Json, type KubeObject } from './types.ts';

export type Part = '' | 'status' | 'finalize';

/** What kube-apiserver fills in by itself when an object of this kind is made. */
export function defaultsFor(object: KubeObject, resource: Resource): void {
  switch (resource.kind) {
    case 'Namespace':
      object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' };
      object['spec'] = { finalizers: ['kubernetes'] };
      object['status'] = { phase: 'Active' };
      return;
    case 'Secret': {
      object['type'] ??= 'Opaque';
      const texts = object['stringData'];
      if (isRecord(texts)) {
        const encoded = Object.entries(texts).map(([key, text]) => [
          key,
          Buffer.from(typeof text === 'string' ? text : '').toString('base64'),
        ]);
        object['data'] = { ...recordAt(object, 'data'), ...Object.fromEntries(encoded) };
      }
      delete object['stringData'];
      return;
    }
    case 'Node': {
      object['spec'] = { ...recordAt(object, 'spec') };
      object['status'] = { ...recordAt(object, 'status') };
      taintUntilReady(object);
      return;
    }
    case 'Pod':
      podDefaults(object);
      return;
    default:
      return;
  }
}

/** A new pod waits for somebody to run it; its class follows from what its containers ask for. */
function podDefaults(object: KubeObject): void {
  const containers = listAt(object, 'spec', 'containers').map((container): Json => {
    if (!isRecord(container)) return container;
    const image = stringAt(container, 'image') ?? '';
    const latest = !/[:@][^/]*$/.test(image) || image.endsWith(':latest');
    return {
      imagePullPolicy: latest ? 'Always' : 'IfNotPresent',
      resources: {},
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      ...container,
    };
  });
  object['spec'] = {
    dnsPolicy: 'ClusterFirst',
    enableServiceLinks: true,
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    ...recordAt(object, 'spec'),
    containers,
  };
  const asks = containers.some((one) => Object.keys(recordAt(one, 'resources') ?? {}).length > 0);
  object['status'] = { phase: 'Pending', qosClass: asks ? 'Burstable' : 'BestEffort' };
}

/** The admission plugin TaintNodesByCondition: a new node takes no pods until a controller has seen it ready. */
function taintUntilReady(object: KubeObject): void {
  const taints = listAt(object, 'spec', 'taints');
  if (taints.some((taint) => stringAt(taint, 'key') === 'node.kubernetes.io/not-ready')) return;
  const taint: Json = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  object['spec'] = { ...recordAt(object, 'spec'), taints: [...taints, taint] };
}

/**
 * The object that an update leaves: what the caller wants of the part it may change, the old one's for the rest.
 * `status` changes only the status (and of metadata labels and annotations); `finalize` only the namespace's finalizers.
 */
export function readyForUpdate(wanted: KubeObject, old: KubeObject, resource: Resource, part: Part): KubeObject {
  const object = part === 'finalize' ? copyOf(old) : copyOf(wanted);
  if (part === 'finalize') {
    object['spec'] = copyOf(wanted['spec'] ?? {});
    return object;
  }
  const { uid, creationTimestamp, deletionTimestamp, name, namespace, resourceVersion } = old.metadata;
  Object.assign(
    object.metadata,
    definedOf({ uid, creationTimestamp, deletionTimestamp, name, namespace, resourceVersion }),
  );
  if (deletionTimestamp === undefined) delete object.metadata.deletionTimestamp;
  if (!resource.hasStatus) {
    if (resource.kind === 'Secret') defaultsFor(object, resource);
    return object;
  }
  const kept = part === 'status' ? 'spec' : 'status';
  if (old[kept] === undefined) delete object[kept];
  else object[kept] = copyOf(old[kept]);
  // A namespace's finalizers change only through `finalize`.
  if (resource.kind === 'Namespace' && part === '') object['spec'] = copyOf(old['spec'] ?? {});
  if (resource.kind === 'Node' && part === '' && stringAt(old, 'spec', 'providerID') !== undefined)
    object['spec'] = { ...recordAt(object, 'spec'), providerID: stringAt(old, 'spec', 'providerID') };
  return object;
}

const definedOf = (values: Readonly<Record<string, Json | undefined>>): Record<string, Json> =>
  Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
