import { apiVersionOf, type Resource } from './resources.ts';
import { ApiError, badRequest, invalid, type StatusCause } from './status.ts';
import { isRecord, listAt, stringAt, type Json, type JsonRecord, type KubeObject } from './types.ts';

const LABEL = String.raw`[a-z0-9]([-a-z0-9]*[a-z0-9])?`;
const SUBDOMAIN = String.raw`[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`;

/** Refuses what is no object of this kind, in the words of kube-apiserver's decoder. */
export function decodeObject(body: Json, resource: Resource): KubeObject {
  if (!isRecord(body))
    throw badRequest(`the object provided is unrecognized (must be of type ${resource.kind}): not an object`);
  const { kind = resource.kind, apiVersion = apiVersionOf(resource), metadata = {} } = body;
  if (typeof kind !== 'string' || typeof apiVersion !== 'string' || !isRecord(metadata))
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error`,
    );
  if (kind !== resource.kind || apiVersion !== apiVersionOf(resource)) {
    const version = apiVersion.split('/').at(-1) ?? '';
    throw badRequest(`${kind} in version "${version}" cannot be handled as a ${resource.kind}`);
  }
  checkTypes(body, metadata, resource);
  return { ...body, apiVersion, kind, metadata: { ...metadata } };
}

const goName = (value: Json | undefined): string => {
  if (Array.isArray(value)) return 'array';
  if (value === null || value === undefined) return 'null';
  return { object: 'object', number: 'number', boolean: 'bool', string: 'string' }[
    typeof value as 'object' | 'number' | 'boolean' | 'string'
  ];
};

/** Fields that hold texts by name: a number or an object there does not decode. */
function checkTypes(body: JsonRecord, metadata: JsonRecord, resource: Resource): void {
  const fail = (field: string, value: Json | undefined, type: string): never => {
    throw badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: json: cannot unmarshal ${goName(value)} into Go struct field ${field} of type ${type}`,
    );
  };
  const maps: readonly (readonly [string, Json | undefined])[] = [
    ['ObjectMeta.metadata.labels', metadata['labels']],
    ['ObjectMeta.metadata.annotations', metadata['annotations']],
    ...(resource.kind === 'ConfigMap' || resource.kind === 'Secret'
      ? ([[`${resource.kind}.data`, body['data']]] as const)
      : []),
  ];
  for (const [field, map] of maps) {
    if (map === undefined || map === null) continue;
    if (!isRecord(map)) return fail(field, map, 'map[string]string');
    for (const value of Object.values(map)) if (typeof value !== 'string') fail(field, value, 'string');
  }
  for (const name of ['name', 'generateName', 'namespace', 'uid', 'resourceVersion'] as const) {
    const value = metadata[name];
    if (value !== undefined && value !== null && typeof value !== 'string')
      fail(`ObjectMeta.metadata.${name}`, value, 'string');
  }
}

/** Refuses names and content that kube-apiserver's validation refuses (what the lab's clients can run into; not every rule). */
export function validate(object: KubeObject, resource: Resource): void {
  const causes: StatusCause[] = [];
  const name = object.metadata.name ?? '';
  if (name === '') {
    causes.push({
      reason: 'FieldValueRequired',
      message: 'Required value: name or generateName is required',
      field: 'metadata.name',
    });
  } else {
    const isLabel = resource.kind === 'Namespace';
    const problem = nameProblem(name, isLabel);
    if (problem !== undefined)
      causes.push({
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${JSON.stringify(name)}: ${problem}`,
        field: 'metadata.name',
      });
  }
  if (resource.kind === 'ConfigMap' || resource.kind === 'Secret') causes.push(...keyProblems(object));
  causes.push(...metadataProblems(object));
  if (resource.kind === 'Pod') causes.push(...podProblems(object));
  if (causes.length > 0) throw invalid(resource, name, causes);
}

const NAME_PART = String.raw`([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]`;
const LABEL_VALUE = `(${NAME_PART})?`;

/** Labels, and finalizers, which name whose they are. */
function metadataProblems({ metadata }: KubeObject): StatusCause[] {
  const wrong = (field: string, value: string, why: string): StatusCause => ({
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
    field,
  });
  const labels = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    const name = key.slice(key.indexOf('/') + 1);
    if (name.length > 63 || !new RegExp(`^${NAME_PART}$`).test(name))
      return wrong(
        'metadata.labels',
        key,
        `name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${NAME_PART}')`,
      );
    if (value.length > 63) return wrong('metadata.labels', value, 'must be no more than 63 bytes');
    if (!new RegExp(`^${LABEL_VALUE}$`).test(value))
      return wrong(
        'metadata.labels',
        value,
        `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${LABEL_VALUE}')`,
      );
    return [];
  });
  const finalizers = (metadata.finalizers ?? []).flatMap((name, n) =>
    name.includes('/') || ['orphan', 'foregroundDeletion', 'kubernetes'].includes(name)
      ? []
      : wrong(`metadata.finalizers[${n}]`, name, 'name is neither a standard finalizer name nor is it fully qualified'),
  );
  return [...labels, ...finalizers];
}

const required = (field: string, message = 'Required value'): StatusCause => ({
  reason: 'FieldValueRequired',
  message,
  field,
});

function podProblems(object: KubeObject): StatusCause[] {
  const containers = listAt(object, 'spec', 'containers');
  if (containers.length === 0) return [required('spec.containers')];
  return containers.flatMap((container, n) =>
    ['name', 'image'].flatMap((field) =>
      (stringAt(container, field) ?? '') === '' ? [required(`spec.containers[${n}].${field}`)] : [],
    ),
  );
}

function nameProblem(name: string, isLabel: boolean): string | undefined {
  const limit = isLabel ? 63 : 253;
  if (name.length > limit) return `must be no more than ${limit} bytes`;
  if (new RegExp(`^${isLabel ? LABEL : SUBDOMAIN}$`).test(name)) return undefined;
  return isLabel
    ? `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`
    : `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${SUBDOMAIN}')`;
}

function keyProblems(object: KubeObject): StatusCause[] {
  const { data } = object;
  if (!isRecord(data)) return [];
  return Object.keys(data)
    .filter((key) => !/^[-._a-zA-Z0-9]+$/.test(key) || key === '.' || key.startsWith('..') || key.length > 253)
    .map((key) => ({
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(key)}: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
      field: `data[${key}]`,
    }));
}

/** Refuses an update of what may never change. */
export function validateUpdate(object: KubeObject, old: KubeObject, resource: Resource): void {
  validate(object, resource);
  const before = old.metadata.finalizers ?? [];
  const fresh = (object.metadata.finalizers ?? []).filter((name) => !before.includes(name));
  if (old.metadata.deletionTimestamp !== undefined && fresh.length > 0)
    throw invalid(resource, object.metadata.name ?? '', [
      {
        reason: 'FieldValueForbidden',
        message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{${fresh.map((name) => JSON.stringify(name)).join(', ')}}`,
        field: 'metadata.finalizers',
      },
    ]);
  if (
    old['immutable'] === true &&
    JSON.stringify([object['data'], object['immutable']]) !== JSON.stringify([old['data'], true])
  )
    throw invalid(resource, object.metadata.name ?? '', [
      {
        reason: 'FieldValueForbidden',
        message: 'Forbidden: field is immutable when `immutable` is set',
        field: 'data',
      },
    ]);
}

/** What a create with a resourceVersion gets: kube-apiserver itself answers 500 here. */
export const versionOnCreate = (): ApiError =>
  new ApiError(500, undefined, 'resourceVersion should not be set on objects to be created');
