import { nodeOf } from '../access/authorization.ts';
import type { User } from '../access/authentication.ts';
import { mustKnow, type Resource } from './resources.ts';
import { forbidden, notFound } from './status.ts';
import type { Storage } from './storage.ts';
import type { KubeObject } from './types.ts';

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
