import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../../../src/base/clock.ts';
import { pick, type Random } from '../../../../src/base/random.ts';
import type { User } from '../access/authentication.ts';
import { admit, refuseNodeChange, refusePodChange } from './admission.ts';
import { defaultsFor, readyForUpdate, type Part } from './kinds.ts';
import { applyPatch } from './patches.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { applyFields } from './server-side-apply.ts';
import {
  alreadyExists,
  ApiError,
  badRequest,
  conflict,
  invalid,
  methodNotAllowed,
  modified,
  notFound,
} from './status.ts';
import type { Storage, Stored } from './storage.ts';
import { copyOf, isRecord, kubeTime, stringAt, type Json, type JsonRecord, type KubeObject } from './types.ts';
import { decodeObject, validate, validateUpdate, versionOnCreate } from './validation.ts';

export interface VerbPorts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly nodeRestriction: boolean;
}

export interface Target {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  /** '', `status` or `finalize`. */
  readonly part: Part;
  readonly user: User;
  readonly dryRun: boolean;
}

/** Objects that may be made by a PUT, and those whose PUT must say which version it replaces. */
const createdByUpdate = new Set(['Lease', 'Event']);
const versionRequired = new Set(['Lease']);

export async function read(ports: VerbPorts, target: Target, stale: boolean): Promise<KubeObject> {
  return (await mustGet(ports, target, stale)).object;
}

async function mustGet(ports: VerbPorts, { resource, namespace, name }: Target, stale = false): Promise<Stored> {
  const stored = await ports.storage.get(resource, namespace, name, { stale });
  if (stored === undefined) throw notFound(resource, name);
  return stored;
}

export async function create(
  ports: VerbPorts,
  target: Target,
  body: Json,
  managedFields?: Json[],
): Promise<KubeObject> {
  const { resource, namespace } = target;
  if (target.name !== '') throw methodNotAllowed();
  const object = decodeObject(body, resource);
  if ((object.metadata.resourceVersion ?? '') !== '') throw versionOnCreate();
  sameNamespace(object, target);
  const prefix = object.metadata.generateName;
  if ((object.metadata.name ?? '') === '' && prefix !== undefined && prefix !== '')
    object.metadata.name = `${prefix.slice(0, 58)}${suffix(ports.random)}`;
  object.metadata.uid = randomUUID();
  object.metadata.creationTimestamp = kubeTime(ports.clock.wall());
  delete object.metadata.deletionTimestamp;
  delete object.metadata.generation;
  delete object.metadata['managedFields'];
  if (managedFields !== undefined) object.metadata['managedFields'] = managedFields;
  defaultsFor(object, resource);
  validate(object, resource);
  const name = object.metadata.name ?? '';
  refuseNodeChange(ports.nodeRestriction, target.user, 'create', resource, name, undefined, object);
  await refusePodChange(ports.storage, ports.nodeRestriction, target.user, 'create', resource, name, object);
  await admit(ports.storage, resource, namespace, name);
  if (target.dryRun) {
    if ((await ports.storage.get(resource, namespace, name)) !== undefined) throw alreadyExists(resource, name);
    return object;
  }
  const stored = await ports.storage.create(resource, namespace, name, object);
  if (stored === undefined) throw alreadyExists(resource, name);
  return stored.object;
}

function sameNamespace(object: KubeObject, { resource, namespace }: Target): void {
  if (!resource.namespaced) {
    delete object.metadata.namespace;
    return;
  }
  if ((object.metadata.namespace ?? namespace) !== namespace && object.metadata.namespace !== '')
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  object.metadata.namespace = namespace;
}

/** The letters that Kubernetes makes suffixes of: no vowels, nothing that looks like something else. */
const suffix = (random: Random): string =>
  Array.from({ length: 5 }, () => pick(random, 'bcdfghjklmnpqrstvwxz2456789'.split(''))).join('');

export interface Updated {
  readonly object: KubeObject;
  readonly created: boolean;
}

export async function update(ports: VerbPorts, target: Target, body: Json): Promise<Updated> {
  const { resource, name } = target;
  const object = decodeObject(body, resource);
  sameNamespace(object, target);
  const named = object.metadata.name ?? '';
  if (named !== name) {
    throw badRequest(
      named === ''
        ? 'name must be provided'
        : `the name of the object (${named}) does not match the name on the URL (${name})`,
    );
  }
  const version = object.metadata.resourceVersion ?? '';
  const old = await ports.storage.get(resource, target.namespace, name);
  if (old === undefined) {
    if (!createdByUpdate.has(resource.kind) || target.part !== '') throw notFound(resource, name);
    if (version !== '') throw notFound(resource, name);
    return { object: await create(ports, { ...target, name: '' }, body), created: true };
  }
  if (version === '' && versionRequired.has(resource.kind))
    throw invalid(resource, name, [
      {
        reason: 'FieldValueInvalid',
        message: 'Invalid value: 0: must be specified for an update',
        field: 'metadata.resourceVersion',
      },
    ]);
  return { object: await write(ports, target, object, old), created: false };
}

/** A patch is read, changed and written again; without a version in it, it is tried anew when somebody else was faster. */
export async function patch(ports: VerbPorts, target: Target, contentType: string, body: Json): Promise<KubeObject> {
  const { resource, name } = target;
  for (let tries = 1; ; tries += 1) {
    const old = await mustGet(ports, target);
    const changed = applyPatch(contentType, copyOf(old.object) as { [key: string]: Json | undefined }, body);
    const object = decodeObject(changed, resource);
    if ((object.metadata.name ?? '') !== name)
      throw badRequest(
        `the name of the object (${object.metadata.name ?? ''}) does not match the name on the URL (${name})`,
      );
    try {
      return await write(ports, target, object, old);
    } catch (error) {
      const fixed = stringAt(body, 'metadata', 'resourceVersion') !== undefined;
      if (!(error instanceof ApiError && error.reason === 'Conflict') || fixed || tries >= 5) throw error;
    }
  }
}

/** Server-side apply: makes the object where there is none. `fieldManager` says whose fields they are. */
export async function apply(
  ports: VerbPorts,
  target: Target,
  body: Json,
  options: { readonly fieldManager: string; readonly force: boolean },
): Promise<Updated> {
  const { resource, name } = target;
  if (options.fieldManager === '') {
    throw invalid({ group: 'meta.k8s.io', plural: 'patchoptions', kind: 'PatchOptions' }, '', [
      { reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: 'fieldManager' },
    ]);
  }
  if (stringAt(body, 'apiVersion') === undefined || stringAt(body, 'kind') === undefined) {
    const [group = '', version = ''] = (stringAt(body, 'apiVersion') ?? '/').split('/');
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${stringAt(body, 'kind') ?? ''}`);
  }
  const { metadata, ...content } = decodeObject(body, resource);
  const applied: JsonRecord = { ...content, metadata: { ...metadata } };
  if ((metadata.name ?? '') === '')
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name ?? ''}) does not match the name on the URL (${name})`);
  if (metadata['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil');
  for (let tries = 1; ; tries += 1) {
    const old = await ports.storage.get(resource, target.namespace, name);
    const live = old === undefined ? undefined : (copyOf(old.object) as JsonRecord);
    const { object, managedFields } = applyFields(live, applied, {
      manager: options.fieldManager,
      force: options.force,
      apiVersion: apiVersionOf(resource),
      time: kubeTime(ports.clock.wall()),
    });
    try {
      if (old === undefined) {
        const made = { ...object, metadata: { ...(isRecord(object['metadata']) ? object['metadata'] : {}), name } };
        return { object: await create(ports, { ...target, name: '' }, made, managedFields), created: true };
      }
      return { object: await write(ports, target, decodeObject(object, resource), old, managedFields), created: false };
    } catch (error) {
      // Somebody else was faster: what there is now is what it is applied to.
      const raced = error instanceof ApiError && ['Conflict', 'AlreadyExists'].includes(error.reason ?? '');
      if (!raced || metadata.resourceVersion !== undefined || tries >= 5) throw error;
    }
  }
}

async function write(
  ports: VerbPorts,
  target: Target,
  wanted: KubeObject,
  old: Stored,
  managedFields = old.object.metadata['managedFields'],
): Promise<KubeObject> {
  const { resource, namespace, name } = target;
  const version = wanted.metadata.resourceVersion ?? '';
  if (version !== '' && version !== '0' && version !== String(old.revision)) throw modified(resource, name);
  const uid = old.object.metadata.uid ?? '';
  if (wanted.metadata.uid !== undefined && wanted.metadata.uid !== '' && wanted.metadata.uid !== uid) {
    throw conflict(
      resource,
      name,
      `StorageError: invalid object, Code: 4, Key: /registry/${resource.folder}/${namespace === '' ? '' : `${namespace}/`}${name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${wanted.metadata.uid}, UID in object meta: ${uid}`,
    );
  }
  const object = readyForUpdate(wanted, old.object, resource, target.part);
  // Who applied what is this server's to say.
  delete object.metadata['managedFields'];
  if (managedFields !== undefined) object.metadata['managedFields'] = managedFields;
  validateUpdate(object, old.object, resource);
  refuseNodeChange(ports.nodeRestriction, target.user, 'update', resource, name, old.object, object);
  await refusePodChange(ports.storage, ports.nodeRestriction, target.user, 'update', resource, name, old.object);
  // Equal content is not written: the version stays, and no watcher hears of it.
  if (isDeepStrictEqual(plain(object), plain(old.object))) return old.object;
  if (target.dryRun) return object;
  if (isLeaving(object, resource)) {
    if ((await ports.storage.remove(resource, namespace, name, old.revision)) === undefined)
      throw modified(resource, name);
    return object;
  }
  const stored = await ports.storage.replace(resource, namespace, name, object, old.revision);
  if (stored === undefined) throw modified(resource, name);
  return stored.object;
}

const plain = (object: KubeObject): unknown => JSON.parse(JSON.stringify(object));

/** Deleted, and nobody holds it any more. */
function isLeaving(object: KubeObject, resource: Resource): boolean {
  return object.metadata.deletionTimestamp !== undefined && holders(object, resource).length === 0;
}

function holders(object: KubeObject, resource: Resource): readonly string[] {
  const spec = resource.kind === 'Namespace' ? object['spec'] : undefined;
  const inSpec =
    typeof spec === 'object' && spec !== null && 'finalizers' in spec && Array.isArray(spec.finalizers)
      ? spec.finalizers
      : [];
  return [...(object.metadata.finalizers ?? []), ...inSpec.filter((one) => typeof one === 'string')];
}

export type Deleted =
  | { readonly gone: true; readonly object: KubeObject }
  | { readonly gone: false; readonly object: KubeObject };

/** Deletes at once, or marks the object as going where finalizers hold it. */
export async function remove(ports: VerbPorts, target: Target, options: Json): Promise<Deleted> {
  const { resource, namespace, name } = target;
  for (;;) {
    const old = await mustGet(ports, target);
    checkPreconditions(target, options, old);
    refuseNodeChange(ports.nodeRestriction, target.user, 'delete', resource, name, old.object, undefined);
    await refusePodChange(ports.storage, ports.nodeRestriction, target.user, 'delete', resource, name, old.object);
    if (resource.kind === 'Namespace' && ['default', 'kube-system', 'kube-public'].includes(name))
      throw new ApiError(403, 'Forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`, {
        name,
        kind: 'namespaces',
      });
    if (holders(old.object, resource).length > 0) {
      const object = copyOf(old.object);
      object.metadata.deletionTimestamp ??= kubeTime(ports.clock.wall());
      if (resource.kind === 'Namespace') object['status'] = { phase: 'Terminating' };
      if (target.dryRun || isDeepStrictEqual(object, old.object)) return { gone: false, object };
      const stored = await ports.storage.replace(resource, namespace, name, object, old.revision);
      if (stored !== undefined) return { gone: false, object: stored.object };
    } else if (target.dryRun || (await ports.storage.remove(resource, namespace, name, old.revision)) !== undefined) {
      return { gone: true, object: old.object };
    }
    if (stringAt(options, 'preconditions', 'resourceVersion') !== undefined) throw modified(resource, name);
  }
}

function checkPreconditions({ resource, name }: Target, options: Json, old: Stored): void {
  const version = stringAt(options, 'preconditions', 'resourceVersion');
  if (version !== undefined && version !== String(old.revision)) {
    throw conflict(
      resource,
      name,
      `the ResourceVersion in the precondition (${version}) does not match the ResourceVersion in record (${old.revision}). The object might have been modified`,
      resource.kind,
    );
  }
  const uid = stringAt(options, 'preconditions', 'uid');
  const found = old.object.metadata.uid ?? '';
  if (uid !== undefined && uid !== found) {
    throw conflict(
      resource,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${found}). The object might have been deleted and then recreated`,
      resource.kind,
    );
  }
}
