import type { Clock } from '../../../src/base/clock.ts';
import { resourceKey, type Resource, type StoredResource } from './resource.ts';

export interface ResourceChange {
  readonly kind: 'created' | 'updated' | 'destroyed';
  readonly resource: StoredResource;
  readonly old?: StoredResource;
}

/** Namespaces of a Talos node; any other is refused. */
const NAMESPACES = new Set(
  (
    'meta config network network-config cluster cluster-raw k8s controlplane etcd files hardware kubespan perf runtime ' +
    'secrets block cri security'
  ).split(' '),
);

/** Types that the lab projects; any other is not built, and a client is told so rather than shown an empty list. */
const TYPES = new Set([
  ...['MachineConfigs', 'MachineTypes'].map((name) => `${name}.config.talos.dev`),
  ...['MachineStatuses', 'Versions'].map((name) => `${name}.runtime.talos.dev`),
  'PlatformMetadatas.talos.dev',
  'Services.v1alpha1.talos.dev',
  'CertSANs.secrets.talos.dev',
  ...['Members', 'Identities'].map((name) => `${name}.cluster.talos.dev`),
  ...['EtcdSpecs', 'EtcdMembers'].map((name) => `${name}.etcd.talos.dev`),
  ...['HostnameStatuses', 'NetworkStatuses', 'LinkStatuses', 'AddressStatuses', 'NodeAddresses', 'OperatorSpecs'].map(
    (name) => `${name}.net.talos.dev`,
  ),
  ...['Nodenames', 'NodeIPs', 'StaticPodStatuses', 'KubePrismConfigs', 'APIServerConfigs', 'SecretStatuses'].map(
    (name) => `${name}.kubernetes.talos.dev`,
  ),
]);

/**
 * The node's resources: projected anew from the machine's state whenever that changes, and compared with what was there,
 * which gives versions, times and the events of a watch.
 */
export interface ResourceStore {
  get(namespace: string, type: string, id: string): StoredResource | undefined;
  list(namespace: string, type: string): readonly StoredResource[];
  /** Projects and compares; cheap enough to call on every change. */
  refresh(): void;
  onChange(listener: (change: ResourceChange) => void): () => void;
  supports(namespace: string): boolean;
  projects(type: string): boolean;
}

export function createResourceStore(clock: Clock, project: () => readonly Resource[]): ResourceStore {
  let stored = new Map<string, StoredResource>();
  const listeners = new Set<(change: ResourceChange) => void>();

  const refresh = (): void => {
    const next = new Map<string, StoredResource>();
    const changes: ResourceChange[] = [];
    for (const resource of project()) {
      const key = resourceKey(resource);
      const old = stored.get(key);
      if (old !== undefined && old.yaml === resource.yaml) next.set(key, old);
      else {
        const now = clock.wall();
        const full = { ...resource, version: (old?.version ?? 0) + 1, created: old?.created ?? now, updated: now };
        next.set(key, full);
        changes.push(
          old === undefined ? { kind: 'created', resource: full } : { kind: 'updated', resource: full, old },
        );
      }
    }
    for (const [key, old] of stored) if (!next.has(key)) changes.push({ kind: 'destroyed', resource: old });
    stored = next;
    for (const change of changes) for (const listener of listeners) listener(change);
  };

  return {
    get(namespace, type, id) {
      refresh();
      return stored.get(resourceKey({ namespace, type, id }));
    },
    list(namespace, type) {
      refresh();
      return [...stored.values()]
        .filter((resource) => resource.namespace === namespace && resource.type === type)
        .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    },
    refresh,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    supports: (namespace) => NAMESPACES.has(namespace),
    projects: (type) => TYPES.has(type),
  };
}
