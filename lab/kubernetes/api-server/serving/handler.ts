import { randomUUID, type X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { textOf } from '../../../../src/base/failure.ts';
import { attribute, type Audit } from '../../../world/audit.ts';
import { authenticate, type AccountLookup, type User } from '../access/authentication.ts';
import { isAllowed, refusal, type Attributes } from '../access/authorization.ts';
import { isWrite } from '../audit-rules.ts';
import { listBody } from '../objects/lists.ts';
import { reviews, resourceNamed } from '../objects/resources.ts';
import { ApiError } from '../objects/status.ts';
import type { JsonRecord, KubeObject } from '../objects/types.ts';
import { bookmark, errorEvent, type WatchEvent } from '../objects/watch.ts';
import { jsonText, send, type Answer } from './answer.ts';
import { parseBody, readBody } from './body.ts';
import { APPLY_PATCH, bodyType, formOf, mediaType, type Form } from './media-types.ts';
import { parseRequest, type RequestInfo } from './request-path.ts';
import { plainRoute, resourceRoute, type Call, type RoutePorts } from './routes.ts';
import { includeObject, tableOf } from './tables.ts';

export interface HandlerPorts {
  readonly routes: () => RoutePorts;
  readonly node: string;
  readonly audit: Audit;
  readonly accountExists: AccountLookup;
  readonly log: (line: string) => void;
  /** Resolves when the server is not frozen. */
  readonly pass: () => Promise<void>;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
}

/** How long a watch lasts when the client names no end, milliseconds (kube-apiserver: 30 to 60 minutes). */
const WATCH_MS = 1_800_000;
const BOOKMARK_MS = 60_000;

export interface Incoming {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly certificate: X509Certificate | undefined;
}

/** Serves one request from beginning to end, and writes one line of it to the audit. Never throws. */
export async function handle(ports: HandlerPorts, incoming: Incoming): Promise<void> {
  const { request, response } = incoming;
  const routes = ports.routes();
  const started = routes.clock.now();
  const at = routes.clock.wall().toISOString();
  const uri = request.url ?? '/';
  const info = parseRequest(request.method ?? 'GET', uri);
  let recorded = false;
  const record = (status: number): void => {
    if (recorded) return;
    recorded = true;
    ports.audit.record({
      at,
      system: 'kubernetes',
      method: info.method,
      path: uri,
      status,
      ms: Math.round(routes.clock.now() - started),
      write: isWrite(info.method, uri, status),
      by: attribute(request.headers['user-agent'], ports.node),
      node: ports.node,
    });
  };
  response.setHeader('audit-id', randomUUID());
  const ended = new AbortController();
  response.once('close', () => ended.abort());
  const signal = AbortSignal.any([ended.signal, ports.stopping]);
  try {
    const answer = await answerOf(ports, routes, incoming, info, signal);
    if (answer.kind === 'watch') {
      // A watch is told when it begins: it may last for half an hour.
      record(200);
      await sendWatch(routes, incoming, info, answer, ports.pass);
    } else {
      await ports.pass();
      record(await sendAnswer(routes, incoming, info, answer));
    }
  } catch (error) {
    if (!(error instanceof ApiError)) ports.log(`${info.method} ${info.path}: ${textOf(error)}`);
    const told =
      error instanceof ApiError
        ? error
        : new ApiError(500, 'InternalError', `Internal error occurred: ${textOf(error)}`);
    record(told.code);
    if (response.headersSent) response.destroy();
    else
      await send(
        response,
        told.code,
        'application/json',
        jsonText(told.toStatus(), request.headers['user-agent'], info.query),
      );
  }
}

async function answerOf(
  ports: HandlerPorts,
  routes: RoutePorts,
  { request, certificate }: Incoming,
  info: RequestInfo,
  signal: AbortSignal,
): Promise<Answer> {
  const credentials = { certificate, headers: request.headers, path: info.path };
  const real = await authenticate(credentials, routes.rules, routes.clock.wall(), ports.accountExists);
  const user = impersonated(real, request);
  const asked: Attributes = {
    verb: info.verb,
    path: info.path,
    ...(info.resource === undefined ? {} : { resource: info.resource }),
  };
  if (!isAllowed(user, asked)) throw refusal(user, asked);
  const forms = formsOf(info);
  const form = forms.length === 0 ? 'json' : formOf(request.headers.accept, forms);
  const text = await readBody(request);
  const contentType = mediaType(request.headers['content-type']);
  const patched = contentType === APPLY_PATCH ? 'application/yaml' : 'application/json';
  const type = info.verb === 'patch' ? patched : bodyType(request.headers['content-type']);
  const call: Call = {
    info,
    user,
    body: parseBody(text, type, kindOf(info)),
    contentType,
    accept: request.headers.accept ?? '',
    signal,
  };
  return info.resource === undefined
    ? plainRoute(routes, call, form === 'discovery' ? 'discovery' : 'json')
    : resourceRoute(routes, call);
}

/** Discovery has its own form; kubectl's tables are for what is stored; schemas and texts come as they are. */
function formsOf(info: RequestInfo): readonly Form[] {
  if (info.resource === undefined) return /^\/apis?\/?$/.test(info.path) ? ['discovery'] : [];
  return ['table'];
}

function kindOf({ resource, verb }: RequestInfo): string {
  if (resource === undefined) return '';
  if (verb === 'delete' || verb === 'deletecollection') return 'DeleteOptions';
  const { group, version, plural } = resource;
  return resourceNamed(group, version, plural)?.kind ?? reviews.find((one) => one.plural === plural)?.kind ?? '';
}

/** `kubectl --as`: whoever may do everything may also be anybody. */
function impersonated(user: User, request: IncomingMessage): User {
  const name = request.headers['impersonate-user'];
  if (typeof name !== 'string') return user;
  const asked: Attributes = {
    verb: 'impersonate',
    path: '',
    resource: { group: '', plural: 'users', subresource: '', namespace: '', name },
  };
  if (!isAllowed(user, asked)) throw refusal(user, asked);
  const header = request.headers['impersonate-group'];
  const groups = (Array.isArray(header) ? header : (header ?? '').split(','))
    .map((one) => one.trim())
    .filter((one) => one !== '');
  return { name, uid: '', groups: [...groups, 'system:authenticated'], extra: {} };
}

async function sendAnswer(
  routes: RoutePorts,
  { request, response }: Incoming,
  info: RequestInfo,
  answer: Exclude<Answer, { kind: 'watch' }>,
): Promise<number> {
  const agent = request.headers['user-agent'];
  if (answer.kind === 'raw') {
    await send(response, answer.status, answer.contentType, answer.body, { 'x-content-type-options': 'nosniff' });
    return answer.status;
  }
  if (answer.kind === 'json') {
    await send(
      response,
      answer.status,
      answer.contentType ?? 'application/json',
      jsonText(answer.body, agent, info.query),
      { vary: 'Accept' },
    );
    return answer.status;
  }
  const asTable = formOf(request.headers.accept, ['table']) === 'table';
  const now = routes.clock.wall();
  const status = answer.kind === 'object' ? answer.status : 200;
  let body: JsonRecord;
  if (answer.kind === 'object') {
    const { resourceVersion = '' } = answer.object.metadata;
    body = asTable
      ? tableOf(answer.resource, [answer.object], { resourceVersion }, includeObject(info.query), now)
      : inOrder(answer.object);
  } else {
    const { resource, items, metadata } = answer.list;
    body = asTable ? tableOf(resource, items, metadata, includeObject(info.query), now) : listBody(answer.list);
  }
  await send(response, status, 'application/json', jsonText(body, agent, info.query));
  return status;
}

/** kind and apiVersion first, as people expect to read them. */
const inOrder = ({ kind, apiVersion, ...rest }: KubeObject): JsonRecord => ({ kind, apiVersion, ...rest });

async function sendWatch(
  routes: RoutePorts,
  { request, response }: Incoming,
  info: RequestInfo,
  answer: Extract<Answer, { kind: 'watch' }>,
  pass: () => Promise<void>,
): Promise<void> {
  const asTable = formOf(request.headers.accept, ['table']) === 'table';
  let first = true;
  let last: string | undefined;
  const lineOf = (event: WatchEvent): JsonRecord => {
    if (event.type === 'BOOKMARK' || event.type === 'ERROR') return { type: event.type, object: event.object };
    last = event.object.metadata.resourceVersion;
    if (!asTable) return { type: event.type, object: inOrder(event.object) };
    const table = tableOf(
      answer.resource,
      [event.object],
      { resourceVersion: last ?? '' },
      includeObject(info.query),
      routes.clock.wall(),
      first,
    );
    first = false;
    return { type: event.type, object: table };
  };
  const write = (event: WatchEvent): void => void response.write(`${JSON.stringify(lineOf(event))}\n`);
  response.writeHead(200, { 'cache-control': 'no-cache, private', 'content-type': 'application/json' });
  response.flushHeaders();
  const seconds = Number(info.query.get('timeoutSeconds') ?? '0');
  const over = new AbortController();
  response.once('close', () => over.abort());
  const { clock } = routes;
  const until = async (ms: number, act: () => void): Promise<void> => {
    await clock.sleep(ms, over.signal).then(act, () => {});
  };
  void until(seconds > 0 ? seconds * 1000 : WATCH_MS, () => response.end());
  const keepCurrent = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await until(BOOKMARK_MS, () => {
        if (last !== undefined) write(bookmark(answer.resource, BigInt(last), false));
      });
    }
  };
  if (info.query.get('allowWatchBookmarks') === 'true') void keepCurrent();
  try {
    for await (const event of answer.events) {
      await pass();
      if (response.destroyed || response.writableEnded) break;
      write(event);
    }
  } catch (error) {
    if (!response.writableEnded) write(errorEvent(error));
  } finally {
    over.abort();
    response.end();
  }
}
