import { apiVersionOf, type Resource } from './resources.ts';
import { everything, fieldSelector, labelSelector, type Selector } from './selectors.ts';
import { ApiError, badRequest } from './status.ts';
import { continueToken, listExpired, readContinueToken, type Storage } from './storage.ts';
import type { Json, JsonRecord, KubeObject } from './types.ts';

export interface ObjectList {
  readonly resource: Resource;
  readonly revision: bigint;
  readonly metadata: JsonRecord;
  readonly items: readonly KubeObject[];
}

/** What a list or watch asks for, from its query. */
export interface Query {
  readonly selector: Selector;
  readonly selects: boolean;
  readonly limit: number | undefined;
  readonly continue: string;
  readonly resourceVersion: string;
}

export function readQuery(query: URLSearchParams, resource: Resource, name: string): Query {
  const labels = query.get('labelSelector') ?? '';
  const fields = [query.get('fieldSelector') ?? '', name === '' ? '' : `metadata.name=${name}`]
    .filter((text) => text !== '')
    .join(',');
  const byLabel = labelSelector(labels);
  const byField = fieldSelector(fields, resource);
  const limit = query.get('limit') ?? '';
  if (!/^-?\d*$/.test(limit)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(limit)}: invalid syntax`);
  const resourceVersion = query.get('resourceVersion') ?? '';
  if (!/^\d*$/.test(resourceVersion)) {
    // kube-apiserver answers 500 here, not 400.
    throw new ApiError(
      500,
      undefined,
      `resourceVersion: Invalid value: ${JSON.stringify(resourceVersion)}: strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`,
    );
  }
  const selects = byLabel !== everything || byField !== everything;
  return {
    selector: selects ? (object) => byLabel(object) && byField(object) : everything,
    selects,
    limit: limit === '' || Number(limit) <= 0 ? undefined : Number(limit),
    continue: query.get('continue') ?? '',
    resourceVersion,
  };
}

/** Lists what the query selects; with a limit, page after page of one and the same revision. */
export async function list(storage: Storage, resource: Resource, namespace: string, query: Query): Promise<ObjectList> {
  const items: KubeObject[] = [];
  let from = query.continue === '' ? undefined : readContinueToken(query.continue);
  for (;;) {
    const page = await storage
      .list(resource, namespace, {
        ...(query.limit === undefined ? {} : { limit: query.limit - items.length }),
        ...(from === undefined ? {} : { from }),
        // Version 0 means "any will do": the answer of this member, without asking the others.
        stale: query.resourceVersion === '0' && from === undefined,
      })
      .catch((error: unknown) => {
        throw error instanceof ApiError && error.code === 410 ? listExpired() : error;
      });
    if (query.resourceVersion !== '' && BigInt(query.resourceVersion) > page.revision)
      throw tooLargeVersion(query.resourceVersion, page.revision);
    items.push(...page.items.map((item) => item.object).filter(query.selector));
    if (page.next !== undefined && query.limit !== undefined && items.length < query.limit) {
      from = { revision: page.revision, after: page.next };
      continue;
    }
    return {
      resource,
      revision: page.revision,
      metadata: {
        resourceVersion: String(page.revision),
        ...(page.next === undefined ? {} : { continue: continueToken(page.revision, page.next) }),
        ...(page.next === undefined || query.selects ? {} : { remainingItemCount: Number(page.remaining) }),
      },
      items,
    };
  }
}

/** A version that is yet to come: a server waits for it for a while, and says then that it has not come. */
const tooLargeVersion = (wanted: string, current: bigint): ApiError =>
  new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

/** The list as it travels; its items leave out kind and version, as kube-apiserver's do. */
export const listBody = ({ resource, metadata, items }: ObjectList): JsonRecord => ({
  kind: `${resource.kind}List`,
  apiVersion: apiVersionOf(resource),
  metadata,
  items: items.map(({ apiVersion: _version, kind: _kind, ...item }): Json => ({ ...item })),
});
