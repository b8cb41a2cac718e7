import type { EtcdClient, EtcdKeyValue } from '../../etcd/types.ts';
import type { Resource } from './resources.ts';
import { badRequest, fromStorage, gone } from './status.ts';
import { isRecord, stringAt, type KubeObject } from './types.ts';

/** An object with the etcd revision it was last written at, which is its resourceVersion. */
export interface Stored {
  readonly object: KubeObject;
  readonly revision: bigint;
}

export interface Page {
  readonly items: readonly Stored[];
  /** The revision the whole list is of. */
  readonly revision: bigint;
  /** Where to go on; undefined when this was the end. */
  readonly next: string | undefined;
  readonly remaining: bigint;
}

/** Objects in etcd under /registry, as JSON. Every answer is linearizable unless `stale` is asked for. */
export interface Storage {
  get(
    resource: Resource,
    namespace: string,
    name: string,
    options?: { readonly stale?: boolean },
  ): Promise<Stored | undefined>;
  list(resource: Resource, namespace: string, options: ListOptions): Promise<Page>;
  /** Undefined when the name is taken. */
  create(resource: Resource, namespace: string, name: string, object: KubeObject): Promise<Stored | undefined>;
  /** Undefined when somebody else wrote since `revision`. */
  replace(
    resource: Resource,
    namespace: string,
    name: string,
    object: KubeObject,
    revision: bigint,
  ): Promise<Stored | undefined>;
  /** The revision of the deletion; undefined when somebody else wrote since `revision`. */
  remove(resource: Resource, namespace: string, name: string, revision: bigint): Promise<bigint | undefined>;
  /** The object as it was before this revision. */
  before(key: string, revision: bigint): Promise<KubeObject | undefined>;
  /** Answers when etcd does: the health check. */
  ping(): Promise<void>;
}

export interface ListOptions {
  readonly limit?: number;
  readonly from?: { readonly revision: bigint; readonly after: string };
  readonly stale?: boolean;
}

export const keyOf = (resource: Resource, namespace: string, name: string): string =>
  resource.namespaced ? `${folderOf(resource, namespace)}${name}` : `/registry/${resource.folder}/${name}`;

export const folderOf = (resource: Resource, namespace: string): string =>
  namespace === '' || !resource.namespaced
    ? `/registry/${resource.folder}/`
    : `/registry/${resource.folder}/${namespace}/`;

/** Reads what another server stored; what is no object (a key of something else) is skipped. */
export function decode(kv: Pick<EtcdKeyValue, 'value' | 'modRevision'>): Stored | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(kv.value).toString());
  } catch {
    return undefined;
  }
  if (!isRecord(value) || !isRecord(value['metadata'])) return undefined;
  const object: KubeObject = { ...value, metadata: { ...value['metadata'] } };
  object.metadata.resourceVersion = String(kv.modRevision);
  return { object, revision: kv.modRevision };
}

function encode(object: KubeObject): string {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata });
}

const at = (object: KubeObject, revision: bigint): Stored => ({
  object: { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } },
  revision,
});

export function createStorage(etcd: EtcdClient): Storage {
  const lease = leases(etcd);
  return {
    get: (resource, namespace, name, options) =>
      told(async () => {
        const { kvs } = await etcd.range(keyOf(resource, namespace, name), { serializable: options?.stale === true });
        return kvs[0] === undefined ? undefined : decode(kvs[0]);
      }),
    list: (resource, namespace, { limit, from, stale }) =>
      told(async () => {
        const { kvs, revision, more, count } = await etcd.range(folderOf(resource, namespace), {
          prefix: true,
          serializable: stale === true,
          ...(limit === undefined ? {} : { limit }),
          ...(from === undefined ? {} : { revision: from.revision, after: from.after }),
        });
        const last = kvs.at(-1);
        return {
          items: kvs.map(decode).filter((item) => item !== undefined),
          revision: from?.revision ?? revision,
          next: more && last !== undefined ? last.key : undefined,
          remaining: count - BigInt(kvs.length),
        };
      }),
    create: (resource, namespace, name, object) =>
      told(async () => {
        const key = keyOf(resource, namespace, name);
        const ttl = resource.ttlSeconds === undefined ? {} : { lease: await lease(resource.ttlSeconds) };
        const { succeeded, revision } = await etcd.txn({
          compare: [{ key, createRevision: 0n }],
          success: [{ kind: 'put', key, value: encode(object), ...ttl }],
          failure: [],
        });
        return succeeded ? at(object, revision) : undefined;
      }),
    replace: (resource, namespace, name, object, modRevision) =>
      told(async () => {
        const key = keyOf(resource, namespace, name);
        const ttl = resource.ttlSeconds === undefined ? {} : { lease: await lease(resource.ttlSeconds) };
        const { succeeded, revision } = await etcd.txn({
          compare: [{ key, modRevision }],
          success: [{ kind: 'put', key, value: encode(object), ...ttl }],
          failure: [],
        });
        return succeeded ? at(object, revision) : undefined;
      }),
    remove: (resource, namespace, name, modRevision) =>
      told(async () => {
        const key = keyOf(resource, namespace, name);
        const { succeeded, revision } = await etcd.txn({
          compare: [{ key, modRevision }],
          success: [{ kind: 'delete', key }],
          failure: [],
        });
        return succeeded ? revision : undefined;
      }),
    before: async (key, revision) => {
      try {
        const { kvs } = await etcd.range(key, { revision: revision - 1n });
        return kvs[0] === undefined ? undefined : decode(kvs[0])?.object;
      } catch (error) {
        // Compacted away in the meantime: the watcher gets the name without the content.
        if (/compacted/.test(String(error))) return undefined;
        throw fromStorage(error);
      }
    },
    ping: () => told(async () => void (await etcd.range('/registry/health'))),
  };
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromStorage(error);
  }
}

/** One lease for all objects of a minute, as kube-apiserver shares them. */
function leases(etcd: EtcdClient): (ttlSeconds: number) => Promise<bigint> {
  let current: { readonly id: Promise<bigint>; readonly until: number } | undefined;
  return (ttlSeconds) => {
    const now = performance.now();
    if (current === undefined || now > current.until) {
      const id = etcd.leaseGrant(ttlSeconds + 60).then((granted) => granted.id);
      current = { id, until: now + 60_000 };
      id.catch(() => (current = undefined));
    }
    return current.id;
  };
}

/** The opaque text that carries a list over its pages. */
export const continueToken = (revision: bigint, after: string): string =>
  Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: Number(revision), start: after })).toString('base64url');

export function readContinueToken(text: string): { readonly revision: bigint; readonly after: string } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw badRequest('invalid continue token: continue key is not valid');
  }
  const after = stringAt(value, 'start');
  const revision = isRecord(value) ? value['rv'] : undefined;
  if (after === undefined || typeof revision !== 'number' || !Number.isSafeInteger(revision))
    throw badRequest('invalid continue token: continue key is not valid');
  return { revision: BigInt(revision), after };
}

/** A list that began at a revision which etcd no longer has. */
export const listExpired = (): Error =>
  gone(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
  );
