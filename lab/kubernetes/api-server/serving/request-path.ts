/** What a request is about, as kube-apiserver reads it from verb and path. */
export interface RequestInfo {
  /** HTTP verb. */
  readonly method: string;
  /** Kubernetes' verb: get, list, watch, create, update, patch, delete, deletecollection; for other paths the HTTP verb in small letters. */
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Absent for paths that name no resource. */
  readonly resource?: {
    readonly group: string;
    readonly version: string;
    readonly plural: string;
    readonly subresource: string;
    readonly namespace: string;
    readonly name: string;
  };
}

const isTrue = (text: string | null): boolean => text !== null && !['false', '0', ''].includes(text.toLowerCase());

export function parseRequest(method: string, url: string): RequestInfo {
  const cut = url.indexOf('?');
  const path = cut < 0 ? url : url.slice(0, cut);
  const query = new URLSearchParams(cut < 0 ? '' : url.slice(cut + 1));
  const other = { method, verb: method.toLowerCase(), path, query };
  let parts: string[];
  try {
    parts = path
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
  } catch {
    return other;
  }
  const head = prefixOf(parts);
  if (head === undefined) return other;
  let rest = head.rest;
  let namespace = '';
  // /namespaces/NAME/RESOURCE… is inside a namespace; /namespaces/NAME[/status|/finalize] is the namespace itself.
  if (rest[0] === 'namespaces' && rest[1] !== undefined) {
    namespace = rest[1];
    if (rest[2] !== undefined && rest[2] !== 'status' && rest[2] !== 'finalize') rest = rest.slice(2);
  }
  const [plural, name = '', ...subresource] = rest;
  if (plural === undefined) return other;
  return {
    method,
    verb: verbOf(method, name, query),
    path,
    query,
    resource: {
      group: head.group,
      version: head.version,
      plural,
      subresource: subresource.join('/'),
      namespace,
      name,
    },
  };
}

function prefixOf(parts: readonly string[]): { group: string; version: string; rest: string[] } | undefined {
  const [first, second, third, ...rest] = parts;
  if (first === 'api' && second !== undefined && third !== undefined)
    return { group: '', version: second, rest: [third, ...rest] };
  if (first === 'apis' && second !== undefined && third !== undefined && rest.length > 0)
    return { group: second, version: third, rest };
  return undefined;
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isTrue(query.get('watch'))) return 'watch';
      return name === '' ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}
