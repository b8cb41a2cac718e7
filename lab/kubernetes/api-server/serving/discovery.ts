import { apiVersionOf, groups, resources, reviews } from '../objects/resources.ts';
import type { Json, JsonRecord } from '../objects/types.ts';

const named = groups.filter((group) => group !== '');

/** Every group here has one version. */
const VERSION = 'v1';

interface Entry {
  readonly name: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
}

function entriesOf(group: string): Entry[] {
  const plain = { group: '', version: '', shortNames: [], categories: [] };
  const stored = resources
    .filter((resource) => resource.group === group)
    .flatMap((resource): Entry[] => {
      const { plural, singular, namespaced, kind, verbs, shortNames, categories = [] } = resource;
      const sub = (name: string, of: Partial<Entry>): Entry => ({
        ...plain,
        name: `${plural}/${name}`,
        singular: '',
        namespaced,
        kind,
        verbs: ['get', 'patch', 'update'],
        ...of,
      });
      return [
        { ...plain, name: plural, singular, namespaced, kind, verbs, shortNames, categories },
        ...(plural === 'namespaces' ? [sub('finalize', { verbs: ['update'] })] : []),
        ...(resource.hasStatus && verbs.includes('update') ? [sub('status', {})] : []),
        ...(plural === 'serviceaccounts'
          ? [sub('token', { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] })]
          : []),
      ];
    });
  const asked = reviews
    .filter((resource) => resource.group === group)
    .map(({ plural, singular, namespaced, kind }): Entry => ({
      ...plain,
      name: plural,
      singular,
      namespaced,
      kind,
      verbs: ['create'],
    }));
  return [...stored, ...asked];
}

const optional = (name: string, list: readonly string[]): JsonRecord =>
  list.length === 0 ? {} : { [name]: [...list] };

const resourceList = (group: string): JsonRecord => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: apiVersionOf({ group, version: VERSION }),
  resources: entriesOf(group).map((entry): Json => ({
    name: entry.name,
    singularName: entry.singular,
    namespaced: entry.namespaced,
    ...(entry.group === '' ? {} : { group: entry.group, version: entry.version }),
    kind: entry.kind,
    verbs: [...entry.verbs],
    ...optional('shortNames', entry.shortNames),
    ...optional('categories', entry.categories),
  })),
});

const apiGroup = (group: string): JsonRecord => {
  const version = { groupVersion: `${group}/${VERSION}`, version: VERSION };
  return { name: group, versions: [version], preferredVersion: version };
};

/** The aggregated form: all groups and their resources in one answer. */
const aggregated = (list: readonly string[]): JsonRecord => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: 'apidiscovery.k8s.io/v2',
  metadata: {},
  items: list.map((group): Json => {
    const entries = entriesOf(group);
    return {
      metadata: group === '' ? {} : { name: group },
      versions: [
        {
          version: VERSION,
          resources: entries
            .filter((entry) => !entry.name.includes('/'))
            .map((entry) => aggregatedResource(entry, entries)),
          freshness: 'Current',
        },
      ],
    };
  }),
});

function aggregatedResource(entry: Entry, entries: readonly Entry[]): JsonRecord {
  const kindOf = ({ group, version, kind }: Entry): JsonRecord => ({ group, version, kind });
  const parts = entries.filter((other) => other.name.startsWith(`${entry.name}/`));
  return {
    resource: entry.name,
    responseKind: kindOf(entry),
    scope: entry.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: entry.singular,
    verbs: [...entry.verbs],
    ...optional('shortNames', entry.shortNames),
    ...optional('categories', entry.categories),
    ...(parts.length === 0
      ? {}
      : {
          subresources: parts.map((part): Json => ({
            subresource: part.name.slice(entry.name.length + 1),
            responseKind: kindOf(part),
            verbs: [...part.verbs],
          })),
        }),
  };
}

/** Discovery, by path without trailing slash; undefined for paths that are not discovery. */
export function discovery(path: string, form: 'json' | 'discovery', serverAddress: string): JsonRecord | undefined {
  if (path === '/api') {
    if (form === 'discovery') return aggregated(['']);
    const addresses = [{ clientCIDR: '0.0.0.0/0', serverAddress }];
    return { kind: 'APIVersions', versions: [VERSION], serverAddressByClientCIDRs: addresses };
  }
  if (path === '/apis') {
    if (form === 'discovery') return aggregated(named);
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(apiGroup) };
  }
  if (path === '/api/v1') return resourceList('');
  const [, group, version] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
  if (group === undefined || !named.includes(group)) return undefined;
  if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) };
  return version === VERSION ? resourceList(group) : undefined;
}

/** What `GET /` lists. */
export const paths = (): JsonRecord => ({
  paths: [
    '/.well-known/openid-configuration',
    '/api',
    '/api/v1',
    '/apis',
    ...named.flatMap((group) => [`/apis/${group}`, `/apis/${group}/${VERSION}`]),
    '/healthz',
    '/livez',
    '/openapi/v2',
    '/openapi/v3',
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ],
});
