import { forbidden, pathForbidden, type ApiError } from '../objects/status.ts';
import type { Json, JsonRecord } from '../objects/types.ts';
import type { User } from './authentication.ts';

/** What is asked for, as an authorizer sees it. */
export interface Attributes {
  readonly verb: string;
  /** Absent for paths that name no resource. */
  readonly resource?: {
    readonly group: string;
    readonly plural: string;
    readonly subresource: string;
    readonly namespace: string;
    readonly name: string;
  };
  readonly path: string;
}

const publicPaths = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const discoveryPaths = [/^\/api(\/|$)/, /^\/apis(\/|$)/, /^\/openapi(\/|$)/];

/**
 * The identities that the lab knows, with the rights that RBAC's default roles and the node authorizer give them:
 * system:masters everything; a kubelet its own node, its lease, events and pods; everybody who is known discovery, the
 * version and questions about themselves; service accounts nothing more; the unknown health and version.
 */
export function isAllowed(user: User, asked: Attributes): boolean {
  if (user.groups.includes('system:masters')) return true;
  const known = user.groups.includes('system:authenticated');
  const { resource } = asked;
  if (resource === undefined) {
    if (asked.verb !== 'get') return false;
    if (publicPaths.includes(asked.path) || /^\/(healthz|livez|readyz)\//.test(asked.path)) return true;
    if (known && discoveryPaths.some((path) => path.test(asked.path))) return true;
    return (
      user.groups.includes('system:serviceaccounts') &&
      [
        '/.well-known/openid-configuration',
        '/.well-known/openid-configuration/',
        '/openid/v1/jwks',
        '/openid/v1/jwks/',
      ].includes(asked.path)
    );
  }
  if (
    known &&
    asked.verb === 'create' &&
    ((resource.group === 'authorization.k8s.io' &&
      ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'].includes(resource.plural)) ||
      (resource.group === 'authentication.k8s.io' && resource.plural === 'selfsubjectreviews'))
  )
    return true;
  const node = nodeOf(user);
  return node !== undefined && kubeletMay(node, asked.verb, resource);
}

/** The node whose kubelet asks; undefined for everybody else. */
export function nodeOf(user: User): string | undefined {
  if (!user.groups.includes('system:nodes')) return undefined;
  return /^system:node:(.+)$/.exec(user.name)?.[1];
}

const reading = ['get', 'list', 'watch'];

function kubeletMay(node: string, verb: string, resource: NonNullable<Attributes['resource']>): boolean {
  switch (`${resource.group}/${resource.plural}`) {
    case '/nodes':
      if (verb === 'create' || reading.includes(verb)) return true;
      return ['update', 'patch', 'delete'].includes(verb) && resource.name === node;
    case 'coordination.k8s.io/leases':
      if (resource.namespace !== 'kube-node-lease') return false;
      return verb === 'create' || (['get', 'update', 'patch', 'delete'].includes(verb) && resource.name === node);
    case '/events':
      return ['create', 'patch', 'update'].includes(verb);
    case '/pods':
      if (resource.subresource === 'status') return ['patch', 'update'].includes(verb);
      return reading.includes(verb) || ['create', 'delete'].includes(verb);
    case '/services':
      return reading.includes(verb);
    case 'authentication.k8s.io/tokenreviews':
    case 'authorization.k8s.io/subjectaccessreviews':
      return verb === 'create';
    default:
      return false;
  }
}

/** What somebody may do, as the rules that say so; of a kubelet's rights the node authorizer tells no list. */
export function rulesOf(user: User): JsonRecord {
  const known = user.groups.includes('system:authenticated');
  const of = (group: string, plural: string): Json => ({ verbs: ['create'], apiGroups: [group], resources: [plural] });
  const paths = (...list: string[]): Json => ({ verbs: ['get'], nonResourceURLs: list });
  const all = user.groups.includes('system:masters');
  return {
    resourceRules: [
      ...(all ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : []),
      ...(known
        ? [
            of('authorization.k8s.io', 'selfsubjectaccessreviews'),
            of('authorization.k8s.io', 'selfsubjectrulesreviews'),
            of('authentication.k8s.io', 'selfsubjectreviews'),
          ]
        : []),
    ],
    nonResourceRules: [
      ...(all ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : []),
      paths('/healthz', '/livez', '/readyz', '/version', '/version/'),
      ...(known ? [paths('/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*')] : []),
      ...(user.groups.includes('system:serviceaccounts')
        ? [paths('/.well-known/openid-configuration', '/openid/v1/jwks')]
        : []),
    ],
    incomplete: nodeOf(user) !== undefined,
  };
}

/** The refusal in kube-apiserver's words. */
export function refusal(user: User, asked: Attributes): ApiError {
  const { resource } = asked;
  if (resource === undefined) return pathForbidden(`User "${user.name}" cannot ${asked.verb} path "${asked.path}"`);
  const { group, plural, subresource, namespace, name } = resource;
  const full = subresource === '' ? plural : `${plural}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return forbidden(
    { group, plural, kind: '' },
    name,
    `User "${user.name}" cannot ${asked.verb} resource "${full}" in API group "${group}" ${where}`,
  );
}
