import type { Clock } from '../../../../src/base/clock.ts';
import type { EtcdClient, EtcdWatchEvent } from '../../etcd/types.ts';
import { list, type Query } from './lists.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { ApiError, fromStorage, gone } from './status.ts';
import { decode, folderOf, type Storage } from './storage.ts';
import type { JsonRecord, KubeObject } from './types.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly object: JsonRecord }
  | { readonly type: 'ERROR'; readonly object: JsonRecord };

export interface WatchPorts {
  readonly etcd: EtcdClient;
  readonly storage: Storage;
  readonly clock: Clock;
}

/** How long the server waits before it asks a member again whose watch broke off. */
const AGAIN_MS = 250;

/**
 * The changes of a resource from a version on; without one, first everything there is, as ADDED. When etcd's watch breaks
 * off it is taken up again where it stopped, so that the client sees a pause and no gap. Ends when the signal does, or
 * after an ERROR of 410 when etcd no longer has the version.
 */
export async function* watch(
  ports: WatchPorts,
  resource: Resource,
  namespace: string,
  query: Query,
  options: { readonly initialEvents: boolean; readonly bookmarks: boolean },
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let revision: bigint;
  const { resourceVersion } = query;
  if (resourceVersion === '' || resourceVersion === '0' || options.initialEvents) {
    const current = await list(ports.storage, resource, namespace, { ...query, limit: undefined, continue: '' });
    for (const object of current.items) yield { type: 'ADDED', object };
    revision = current.revision;
    if (options.initialEvents && options.bookmarks) yield bookmark(resource, revision, true);
  } else revision = BigInt(resourceVersion);

  const folder = folderOf(resource, namespace);
  while (!signal.aborted) {
    try {
      for await (const batch of ports.etcd.watch(folder, { prefix: true, fromRevision: revision + 1n }, signal)) {
        for (const event of batch.events) {
          const seen = await translate(ports.storage, event, query);
          if (seen !== undefined) yield seen;
        }
        if (batch.revision > revision && batch.events.length > 0) {
          revision = batch.events.reduce((last, { kv }) => (kv.modRevision > last ? kv.modRevision : last), revision);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      const told = fromStorage(error);
      if (told.code === 410) {
        yield { type: 'ERROR', object: gone(`too old resource version: ${revision}`).toStatus() };
        return;
      }
    }
    if (signal.aborted) return;
    await ports.clock.sleep(AGAIN_MS, signal).catch(() => {});
  }
}

/** An empty object that says: everything up to this version was sent. */
export function bookmark(resource: Resource, revision: bigint, initialEventsEnd: boolean): WatchEvent {
  return {
    type: 'BOOKMARK',
    object: {
      kind: resource.kind,
      apiVersion: apiVersionOf(resource),
      metadata: {
        resourceVersion: String(revision),
        creationTimestamp: null,
        ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
      },
    },
  };
}

/** What a change in etcd is to somebody who sees only what the selector lets through. */
async function translate(storage: Storage, event: EtcdWatchEvent, query: Query): Promise<WatchEvent | undefined> {
  const { kv } = event;
  if (event.type === 'delete') {
    const old = await storage.before(kv.key, kv.modRevision);
    return old === undefined || !query.selector(old)
      ? undefined
      : { type: 'DELETED', object: versioned(old, kv.modRevision) };
  }
  const stored = decode(kv);
  if (stored === undefined) return undefined;
  const { object } = stored;
  const isNew = kv.createRevision === kv.modRevision;
  const matches = query.selector(object);
  if (isNew || !query.selects) return matches ? { type: isNew ? 'ADDED' : 'MODIFIED', object } : undefined;
  const old = await storage.before(kv.key, kv.modRevision);
  const matched = old !== undefined && query.selector(old);
  if (matches) return { type: matched ? 'MODIFIED' : 'ADDED', object };
  return matched ? { type: 'DELETED', object } : undefined;
}

const versioned = (object: KubeObject, revision: bigint): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
});

export const errorEvent = (error: unknown): WatchEvent => ({
  type: 'ERROR',
  object: (error instanceof ApiError ? error : fromStorage(error)).toStatus(),
});
