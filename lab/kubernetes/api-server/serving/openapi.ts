import { apiVersionOf, groups, resources, type Resource } from '../objects/resources.ts';
import type { Json, JsonRecord } from '../objects/types.ts';

/**
 * The schema in its smallest true form: which kinds exist, and which parameters their calls take (kubectl looks there to
 * learn whether the server validates fields). Objects are described as objects, without their fields.
 */
const title = (version: string): JsonRecord => ({
  title: 'Kubernetes',
  version: version.replace(/^(v\d+\.\d+).*$/, '$1'),
});

/** Paths of the v3 documents, one a group and version. */
export const openapiIndex = (): JsonRecord => ({
  paths: Object.fromEntries(
    groups.map((group) => {
      const path = documentPath(group);
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=BUILTIN` }];
    }),
  ),
});

const documentPath = (group: string): string => (group === '' ? 'api/v1' : `apis/${group}/v1`);

const parameter = (name: string, type: string): Json => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
});

const writing: Json[] = [
  parameter('dryRun', 'string'),
  parameter('fieldManager', 'string'),
  parameter('fieldValidation', 'string'),
];

const schemaName = (resource: Resource): string =>
  `io.k8s.api.${resource.group === '' ? 'core' : resource.group}.${resource.version}.${resource.kind}`;

/** The v3 document at `/openapi/v3/<path>`; undefined where there is none. */
export function openapiDocument(path: string, version: string): JsonRecord | undefined {
  const group = groups.find((one) => documentPath(one) === path);
  if (group === undefined) return undefined;
  const ours = resources.filter((resource) => resource.group === group);
  const gvk = (resource: Resource): JsonRecord => ({
    group: resource.group,
    version: resource.version,
    kind: resource.kind,
  });
  const call = (resource: Resource, action: string, parameters: Json[]): JsonRecord => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(resource),
    operationId: `${action}${resource.kind}`,
    parameters,
    responses: { '200': { description: 'OK' } },
  });
  return {
    openapi: '3.0.0',
    info: title(version),
    paths: Object.fromEntries(
      ours.flatMap((resource): [string, JsonRecord][] => {
        const prefix = resource.group === '' ? '/api/v1' : `/apis/${apiVersionOf(resource)}`;
        const folder = resource.namespaced
          ? `${prefix}/namespaces/{namespace}/${resource.plural}`
          : `${prefix}/${resource.plural}`;
        return [
          [
            folder,
            {
              get: call(resource, 'list', []),
              ...(resource.verbs.includes('create') ? { post: call(resource, 'post', writing) } : {}),
            },
          ],
          [
            `${folder}/{name}`,
            {
              get: call(resource, 'get', []),
              ...(resource.verbs.includes('update') ? { put: call(resource, 'put', writing) } : {}),
              ...(resource.verbs.includes('patch') ? { patch: call(resource, 'patch', writing) } : {}),
            },
          ],
        ];
      }),
    ),
    components: {
      schemas: Object.fromEntries(
        ours.map((resource) => [
          schemaName(resource),
          {
            type: 'object',
            'x-kubernetes-group-version-kind': [gvk(resource)],
            'x-kubernetes-preserve-unknown-fields': true,
          },
        ]),
      ),
    },
  };
}

/** OpenAPI v2 in JSON: no definitions. */
export const openapiV2 = (version: string): JsonRecord => ({ swagger: '2.0', info: title(version), paths: {} });

/** The same as gnostic's protobuf, which is all that older clients read: fields 1 (swagger) and 2 (info: 1 title, 2 version). */
export function openapiV2Protobuf(version: string): Buffer {
  const text = (field: number, value: string | Buffer): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.from([(field << 3) | 2, bytes.length]), bytes]);
  };
  const short = version.replace(/^(v\d+\.\d+).*$/, '$1');
  return Buffer.concat([text(1, '2.0'), text(2, Buffer.concat([text(1, 'Kubernetes'), text(2, short)]))]);
}
