import type { Clock } from '../../../../src/base/clock.ts';
import type { AuthenticationRules, User } from '../access/authentication.ts';
import { requestToken, review, type ReviewPorts } from '../access/reviews.ts';
import { jwks } from '../access/tokens.ts';
import { list, readQuery } from '../objects/lists.ts';
import { apiVersionOf, resourceNamed, reviews, type Resource } from '../objects/resources.ts';
import { ApiError, badRequest, invalid, methodNotAllowed, noSuchResource } from '../objects/status.ts';
import type { Json, JsonRecord } from '../objects/types.ts';
import { apply, create, patch, read, remove, update, type Target, type VerbPorts } from '../objects/verbs.ts';
import { watch, type WatchPorts } from '../objects/watch.ts';
import type { Answer } from './answer.ts';
import { discovery, paths } from './discovery.ts';
import { health, oneCheck, type Check } from './health.ts';
import { openapiDocument, openapiIndex, openapiV2, openapiV2Protobuf } from './openapi.ts';
import { APPLY_PATCH } from './media-types.ts';
import { unknownFields } from './protobuf.ts';
import type { RequestInfo } from './request-path.ts';

export interface RoutePorts extends VerbPorts, WatchPorts, ReviewPorts {
  readonly clock: Clock;
  readonly rules: AuthenticationRules;
  /** What /version says. */
  readonly version: JsonRecord;
  readonly gitVersion: string;
  readonly serverAddress: string;
  readonly liveness: readonly Check[];
  readonly readiness: readonly Check[];
}

export interface Call {
  readonly info: RequestInfo;
  readonly user: User;
  readonly body: Json;
  /** Media type of the body, in small letters. */
  readonly contentType: string;
  readonly accept: string;
  /** Ends with the connection, the request's time, or the server. */
  readonly signal: AbortSignal;
}

const notThere: Answer = {
  kind: 'raw',
  status: 404,
  body: '404 page not found\n',
  contentType: 'text/plain; charset=utf-8',
};

/** Paths that name no resource. */
export async function plainRoute(ports: RoutePorts, call: Call, form: 'json' | 'discovery'): Promise<Answer> {
  const { path: raw, query, method } = call.info;
  const path = raw.length > 1 ? raw.replace(/\/+$/, '') : raw;
  const json = (body: JsonRecord): Answer => ({ kind: 'json', status: 200, body });
  const [, endpoint, check] = /^\/(livez|readyz|healthz)(?:\/(.+))?$/.exec(path) ?? [];
  if (endpoint !== undefined) {
    const checks = endpoint === 'readyz' ? ports.readiness : ports.liveness;
    const { status, text } =
      check === undefined ? await health(endpoint, checks, query) : await oneCheck(check, checks);
    return { kind: 'raw', status, body: text, contentType: 'text/plain; charset=utf-8' };
  }
  if (method !== 'GET' && method !== 'HEAD') return notThere;
  const found = discovery(path, form, ports.serverAddress);
  if (found !== undefined)
    return form === 'discovery' && (path === '/api' || path === '/apis')
      ? {
          kind: 'json',
          status: 200,
          body: found,
          contentType: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
        }
      : json(found);
  const issuer = ports.rules.issuers[0] ?? '';
  switch (path) {
    case '/':
      return json(paths());
    case '/version':
      // Indented for everybody, as people read it.
      return {
        kind: 'raw',
        status: 200,
        body: JSON.stringify(ports.version, null, 2),
        contentType: 'application/json',
      };
    case '/openapi/v2':
      return /proto-openapi\.spec\.v2[@.]v1\.0\+protobuf/.test(call.accept)
        ? {
            kind: 'raw',
            status: 200,
            body: openapiV2Protobuf(ports.gitVersion),
            contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
          }
        : json(openapiV2(ports.gitVersion));
    case '/openapi/v3':
      return json(openapiIndex());
    case '/.well-known/openid-configuration':
      return json({
        issuer,
        jwks_uri: `https://${ports.serverAddress}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: [...new Set(ports.rules.tokenKeys.map((key) => key.algorithm))],
      });
    case '/openid/v1/jwks':
      return { kind: 'json', status: 200, body: jwks(ports.rules.tokenKeys), contentType: 'application/jwk-set+json' };
    default: {
      const schema = path.startsWith('/openapi/v3/')
        ? openapiDocument(path.slice('/openapi/v3/'.length), ports.gitVersion)
        : undefined;
      return schema === undefined ? notThere : json(schema);
    }
  }
}

/** Paths that name a resource, after the caller was allowed to use it. */
export async function resourceRoute(ports: RoutePorts, call: Call): Promise<Answer> {
  const asked = call.info.resource;
  if (asked === undefined) throw noSuchResource();
  const reviewed = reviews.find(
    (one) => one.group === asked.group && one.version === asked.version && one.plural === asked.plural,
  );
  if (reviewed !== undefined) {
    if (call.info.verb !== 'create' || asked.name !== '') throw methodNotAllowed();
    return { kind: 'json', status: 201, body: await review(ports, reviewed, call.user, call.body) };
  }
  const resource = resourceNamed(asked.group, asked.version, asked.plural);
  if (resource === undefined) throw noSuchResource();
  // A namespaced resource is listed across namespaces without one; anything else needs it, and the others never have it.
  if (
    resource.namespaced
      ? asked.namespace === '' && asked.name !== ''
      : asked.namespace !== '' && asked.plural !== 'namespaces'
  )
    throw noSuchResource();
  if (asked.subresource === 'token' && resource.kind === 'ServiceAccount') {
    if (call.info.verb !== 'create') throw methodNotAllowed();
    return { kind: 'json', status: 201, body: await requestToken(ports, asked.namespace, asked.name, call.body) };
  }
  const part = partOf(resource, asked.subresource, call.info.verb);
  const target: Target = {
    resource,
    namespace: resource.namespaced ? asked.namespace : '',
    name: asked.name,
    part,
    user: call.user,
    dryRun: isDryRun(call.info.query, call.info.verb),
  };
  return storedRoute(ports, call, target);
}

function partOf(resource: Resource, subresource: string, verb: string): Target['part'] {
  if (subresource === '') return '';
  if (subresource === 'status' && resource.hasStatus) {
    if (!['get', 'patch', 'update'].includes(verb)) throw methodNotAllowed();
    return 'status';
  }
  if (subresource === 'finalize' && resource.kind === 'Namespace') {
    if (verb !== 'update') throw methodNotAllowed();
    return 'finalize';
  }
  throw noSuchResource();
}

/** `fieldValidation=Strict`, as kubectl asks for it: what this server has no field for is refused by its name. */
function checkFields(resource: Resource, { info, body }: Call): void {
  if (info.query.get('fieldValidation') !== 'Strict') return;
  const unknown = unknownFields(apiVersionOf(resource), resource.kind, body);
  if (unknown.length === 0) return;
  const list = unknown.map((field) => `unknown field ${JSON.stringify(field)}`).join(', ');
  throw badRequest(
    `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: strict decoding error: ${list}`,
  );
}

function isDryRun(query: URLSearchParams, verb: string): boolean {
  const values = query.getAll('dryRun');
  const wrong = values.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined) {
    const words: Readonly<Record<string, string>> = { create: 'Create', patch: 'Patch', update: 'Update' };
    const subject = { group: 'meta.k8s.io', plural: '', kind: `${words[verb] ?? 'Delete'}Options` };
    throw invalid(subject, '', [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: [${JSON.stringify(wrong)}]: supported values: "All"`,
        field: 'dryRun',
      },
    ]);
  }
  return values.includes('All');
}

async function storedRoute(ports: RoutePorts, call: Call, target: Target): Promise<Answer> {
  const { resource, namespace, name } = target;
  const { verb, query } = call.info;
  if (!resource.verbs.some((one) => one === verb)) throw methodNotAllowed();
  if (name === '' && (verb === 'update' || verb === 'patch')) throw methodNotAllowed();
  const object = (status: number, found: Awaited<ReturnType<typeof read>>): Answer => ({
    kind: 'object',
    status,
    resource,
    object: found,
  });
  switch (verb) {
    case 'get':
      return object(200, await read(ports, target, query.get('resourceVersion') === '0'));
    case 'list':
      return { kind: 'list', list: await list(ports.storage, resource, namespace, readQuery(query, resource, '')) };
    case 'watch': {
      const isTrue = (key: string): boolean => ['1', 'true'].includes(query.get(key) ?? '');
      const options = { initialEvents: isTrue('sendInitialEvents'), bookmarks: isTrue('allowWatchBookmarks') };
      const events = watch(ports, resource, namespace, readQuery(query, resource, name), options, call.signal);
      return { kind: 'watch', resource, events };
    }
    case 'create':
      checkFields(resource, call);
      return object(201, await create(ports, target, call.body));
    case 'update': {
      checkFields(resource, call);
      const { object: found, created } = await update(ports, target, call.body);
      return object(created ? 201 : 200, found);
    }
    case 'patch': {
      if (call.contentType === APPLY_PATCH) {
        const fieldManager = query.get('fieldManager') ?? '';
        const { object: found, created } = await apply(ports, target, call.body, {
          fieldManager,
          force: query.get('force') === 'true',
        });
        return object(created ? 201 : 200, found);
      }
      return object(200, await patch(ports, target, call.contentType, call.body));
    }
    case 'delete': {
      const deleted = await remove(ports, target, call.body);
      return deleted.gone && resource.kind !== 'Namespace'
        ? { kind: 'json', status: 200, body: successStatus(resource, deleted.object.metadata.uid ?? '', name) }
        : object(200, deleted.object);
    }
    default:
      return deleteAll(ports, call, target);
  }
}

const successStatus = (resource: Resource, uid: string, name: string): JsonRecord => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.plural, uid },
});

async function deleteAll(ports: RoutePorts, call: Call, target: Target): Promise<Answer> {
  const { resource, namespace } = target;
  const found = await list(ports.storage, resource, namespace, readQuery(call.info.query, resource, ''));
  for (const { metadata } of found.items) {
    const one = { ...target, namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
    await remove(ports, one, {}).catch((error: unknown) => {
      // Somebody else was faster: gone is gone.
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    });
  }
  return { kind: 'list', list: found };
}
