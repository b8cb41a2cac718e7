import type { Subject } from './status.ts';

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

/** A kind of object that this server stores. */
export interface Resource extends Subject {
  readonly version: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs: readonly Verb[];
  /** The folder under /registry, as kube-apiserver names it. */
  readonly folder: string;
  readonly hasStatus: boolean;
  /** Seconds after which etcd forgets the object (events: an hour). */
  readonly ttlSeconds?: number;
}

/** A call that stores nothing: reviews and TokenRequest. */
export interface ReviewResource extends Subject {
  readonly version: string;
  readonly singular: string;
  readonly namespaced: boolean;
}

const all: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const without = (...verbs: readonly Verb[]): readonly Verb[] => all.filter((verb) => !verbs.includes(verb));

const reading: readonly Verb[] = ['get', 'list', 'watch'];

const core = { group: '', version: 'v1', namespaced: true, hasStatus: false, verbs: all, shortNames: [] } as const;

const workload = (singular: string, kind: string, shortName: string): Resource => ({
  ...core,
  group: 'apps',
  plural: `${singular}s`,
  singular,
  kind,
  verbs: reading,
  shortNames: [shortName],
  categories: ['all'],
  folder: `${singular}s`,
  hasStatus: true,
});

/**
 * What the built-in server knows. A pod that is no kubelet's own stays Pending: nothing here would run it. Services and
 * endpoints are those of the API server itself; workloads of `apps` are looked for (by talosctl, for one), and there are none.
 */
export const resources: readonly Resource[] = [
  { ...core, plural: 'configmaps', singular: 'configmap', kind: 'ConfigMap', shortNames: ['cm'], folder: 'configmaps' },
  {
    ...core,
    plural: 'endpoints',
    singular: 'endpoints',
    kind: 'Endpoints',
    verbs: reading,
    shortNames: ['ep'],
    folder: 'services/endpoints',
  },
  {
    ...core,
    plural: 'events',
    singular: 'event',
    kind: 'Event',
    shortNames: ['ev'],
    folder: 'events',
    ttlSeconds: 3600,
  },
  {
    ...core,
    plural: 'namespaces',
    singular: 'namespace',
    kind: 'Namespace',
    namespaced: false,
    shortNames: ['ns'],
    verbs: without('deletecollection'),
    folder: 'namespaces',
    hasStatus: true,
  },
  {
    ...core,
    plural: 'nodes',
    singular: 'node',
    kind: 'Node',
    namespaced: false,
    shortNames: ['no'],
    folder: 'minions',
    hasStatus: true,
  },
  {
    ...core,
    plural: 'pods',
    singular: 'pod',
    kind: 'Pod',
    shortNames: ['po'],
    categories: ['all'],
    folder: 'pods',
    hasStatus: true,
  },
  { ...core, plural: 'secrets', singular: 'secret', kind: 'Secret', folder: 'secrets' },
  {
    ...core,
    plural: 'serviceaccounts',
    singular: 'serviceaccount',
    kind: 'ServiceAccount',
    shortNames: ['sa'],
    folder: 'serviceaccounts',
  },
  {
    ...core,
    plural: 'services',
    singular: 'service',
    kind: 'Service',
    verbs: reading,
    shortNames: ['svc'],
    categories: ['all'],
    folder: 'services/specs',
    hasStatus: true,
  },
  workload('daemonset', 'DaemonSet', 'ds'),
  workload('deployment', 'Deployment', 'deploy'),
  workload('replicaset', 'ReplicaSet', 'rs'),
  workload('statefulset', 'StatefulSet', 'sts'),
  { ...core, group: 'coordination.k8s.io', plural: 'leases', singular: 'lease', kind: 'Lease', folder: 'leases' },
  {
    ...core,
    group: 'discovery.k8s.io',
    plural: 'endpointslices',
    singular: 'endpointslice',
    kind: 'EndpointSlice',
    verbs: reading,
    folder: 'endpointslices',
  },
];

const review = (group: string, singular: string, kind: string, namespaced = false): ReviewResource => ({
  group,
  version: 'v1',
  plural: `${singular}s`,
  singular,
  kind,
  namespaced,
});

export const reviews: readonly ReviewResource[] = [
  review('authentication.k8s.io', 'selfsubjectreview', 'SelfSubjectReview'),
  review('authentication.k8s.io', 'tokenreview', 'TokenReview'),
  review('authorization.k8s.io', 'selfsubjectaccessreview', 'SelfSubjectAccessReview'),
  review('authorization.k8s.io', 'selfsubjectrulesreview', 'SelfSubjectRulesReview'),
  review('authorization.k8s.io', 'subjectaccessreview', 'SubjectAccessReview'),
];

export const tokenRequest: Subject = { group: 'authentication.k8s.io', plural: 'tokenrequests', kind: 'TokenRequest' };

/** API groups by name ('' = core), in the order discovery lists them. */
export const groups: readonly string[] = [
  ...new Set([...resources, ...reviews].map((resource) => resource.group)),
].sort();

export const resourceNamed = (group: string, version: string, plural: string): Resource | undefined =>
  resources.find((one) => one.group === group && one.version === version && one.plural === plural);

export function mustKnow(plural: string): Resource {
  const resource = resources.find((one) => one.plural === plural);
  if (resource === undefined) throw new RangeError(`no resource ${plural}`);
  return resource;
}

/** `v1`, `coordination.k8s.io/v1`. */
export const apiVersionOf = (resource: { readonly group: string; readonly version: string }): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
