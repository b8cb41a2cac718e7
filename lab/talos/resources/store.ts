import type { Clock } from '../../../src/base/clock.ts';
import type { Registry } from './definitions.ts';
import { resourceKey, type Resource, type StoredResource } from './resource.ts';

export interface ResourceChange {
  readonly kind: 'created' | 'updated' | 'destroyed';
  readonly resource: StoredResource;
  readonly old?: StoredResource;
}

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
  /** Types and namespaces of the release that runs. */
  readonly registry: Registry;
}

interface Entry {
  readonly resource: StoredResource;
  /** What makes it another version. */
  readonly content: string;
}

/** What there is to see of a machine now. */
export interface Projection {
  readonly registry: Registry;
  readonly resources: readonly Resource[];
}

export function createResourceStore(clock: Clock, project: () => Projection): ResourceStore {
  let registry: Registry | undefined;
  let stored = new Map<string, Entry>();
  const began = clock.wall();
  const listeners = new Set<(change: ResourceChange) => void>();

  const refresh = (): void => {
    const next = new Map<string, Entry>();
    const changes: ResourceChange[] = [];
    const projection = project();
    registry = projection.registry;
    for (const resource of projection.resources) {
      const key = resourceKey(resource);
      const content = JSON.stringify([resource.spec, resource.labels, resource.annotations]);
      const old = stored.get(key);
      if (old !== undefined && old.content === content) next.set(key, old);
      else {
        const now = clock.wall();
        const version = (old?.resource.version ?? 0) + 1;
        const full = { ...resource, version, created: old?.resource.created ?? now, updated: now };
        next.set(key, { resource: full, content });
        changes.push(
          old === undefined
            ? { kind: 'created', resource: full }
            : { kind: 'updated', resource: full, old: old.resource },
        );
      }
    }
    for (const [key, old] of stored) if (!next.has(key)) changes.push({ kind: 'destroyed', resource: old.resource });
    stored = next;
    for (const change of changes) for (const listener of listeners) listener(change);
  };

  /** What the release itself tells never changes while it runs. */
  const fixed = (): StoredResource[] =>
    (registry?.resources ?? []).map((resource) => ({ ...resource, version: 1, created: began, updated: began }));

  const list = (namespace: string, type: string): readonly StoredResource[] => {
    refresh();
    return (namespace === 'meta' ? fixed() : [...stored.values()].map((entry) => entry.resource))
      .filter((resource) => resource.namespace === namespace && resource.type === type)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  };

  return {
    get: (namespace, type, id) => list(namespace, type).find((resource) => resource.id === id),
    list,
    refresh,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get registry() {
      if (registry === undefined) refresh();
      return registry ?? project().registry;
    },
  };
}
