import { nodeOf } from '../access/authorization.ts';
import type { User } from '../access/authentication.ts';
import { mustKnow, type Resource } from './resources.ts';
import { forbidden, notFound } from './status.ts';
import type { Storage } from './storage.ts';
import { isRecord, listAt, stringAt, type KubeObject } from './types.ts';

/** The admission plugin NamespaceLifecycle: nothing new in a namespace that is missing or on its way out. */
export async function admit(storage: Storage, resource: Resource, namespace: string, name: string): Promise<void> {
  if (!resource.namespaced) return;
  const namespaces = mustKnow('namespaces');
  const found =
    (await storage.get(namespaces, '', namespace, { stale: true })) ?? (await storage.get(namespaces, '', namespace));
  if (found === undefined) throw notFound(namespaces, namespace);
  if (found.object.metadata.deletionTimestamp === undefined) return;
  throw forbidden(
    resource,
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
}

/** Labels in Kubernetes' own domains that a kubelet may set on its node. */
const kubeletLabels =
  /^(kubernetes\.io\/(hostname|arch|os)|beta\.kubernetes\.io\/(arch|os|instance-type)|node\.kubernetes\.io\/.+|kubelet\.kubernetes\.io\/.+|[^/]+\.node\.kubernetes\.io\/.+|[^/]+\.kubelet\.kubernetes\.io\/.+|(failure-domain\.beta|topology)\.kubernetes\.io\/(zone|region))$/;

/** The admission plugin NodeRestriction, for nodes: a kubelet changes its own node only, and not its roles. */
export function refuseNodeChange(
  enabled: boolean,
  user: User,
  verb: 'create' | 'update' | 'delete',
  resource: Resource,
  name: string,
  old: KubeObject | undefined,
  object: KubeObject | undefined,
): void {
  const node = nodeOf(user);
  if (!enabled || node === undefined || resource.kind !== 'Node') return;
  if (name !== node) throw forbidden(resource, name, `node "${node}" is not allowed to modify node "${name}"`);
  if (verb === 'delete') return;
  const before = old?.metadata.labels ?? {};
  const after = object?.metadata.labels ?? {};
  const refused = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((label) => before[label] !== after[label])
    .filter((label) => /(^|\.)(kubernetes|k8s)\.io\//.test(label) && !kubeletLabels.test(label))
    .toSorted();
  if (refused.length > 0) {
    const what = verb === 'create' ? 'is not allowed to set the following labels' : 'is not allowed to modify labels';
    throw forbidden(resource, name, `${verb === 'create' ? `node "${node}" ` : ''}${what}: ${refused.join(', ')}`);
  }
}

const MIRROR = 'kubernetes.io/config.mirror';

/** The same, for pods: a kubelet makes mirror pods that its own Node owns, and tells and ends those that are bound to it. */
export async function refusePodChange(
  storage: Storage,
  enabled: boolean,
  user: User,
  verb: 'create' | 'update' | 'delete',
  resource: Resource,
  name: string,
  object: KubeObject,
): Promise<void> {
  const node = nodeOf(user);
  if (!enabled || node === undefined || resource.kind !== 'Pod') return;
  const refuse = (why: string): never => {
    throw forbidden(resource, name, why);
  };
  const own = stringAt(object, 'spec', 'nodeName') === node;
  if (verb === 'update') {
    if (!own) refuse(`node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
    return;
  }
  if (verb === 'delete') {
    if (!own) refuse(`node "${node}" can only delete pods with spec.nodeName set to itself`);
    return;
  }
  if (object.metadata.annotations?.[MIRROR] === undefined)
    refuse(`pod does not have "${MIRROR}" annotation, node "${node}" can only create mirror pods`);
  if (!own) refuse(`node "${node}" can only create pods with spec.nodeName set to itself`);
  const owners = listAt(object, 'metadata', 'ownerReferences');
  if (owners.length > 1) refuse(`node "${node}" can only create pods with a single owner reference set to itself`);
  const [owner] = owners;
  if (stringAt(owner, 'kind') !== 'Node' || stringAt(owner, 'apiVersion') !== 'v1' || stringAt(owner, 'name') !== node)
    refuse(`node "${node}" can only create pods with an owner reference set to itself`);
  if (!isRecord(owner) || owner['controller'] !== true)
    refuse(`node "${node}" can only create pods with a controller owner reference set to itself`);
  if (isRecord(owner) && owner['blockOwnerDeletion'] === true)
    refuse(`node "${node}" must not set blockOwnerDeletion on an owner reference`);
  const found = await storage.get(mustKnow('nodes'), '', node);
  if (found === undefined) return refuse(`error looking up node ${node} to verify uid: node "${node}" not found`);
  const uid = found.object.metadata.uid ?? '';
  const named = stringAt(owner, 'uid') ?? '';
  if (named !== uid) refuse(`node ${node} UID mismatch: expected ${uid} got ${named}`);
  if ((stringAt(object, 'spec', 'serviceAccountName') ?? '') !== '')
    refuse(`node "${node}" can not create pods that reference a service account`);
}
