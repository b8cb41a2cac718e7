import { expect, test } from 'vitest';
import { parseRequest } from './request-path.ts';

test.each([
  ['GET', '/api/v1/nodes', 'list', 'nodes', '', '', ''],
  ['GET', '/api/v1/nodes?watch=true', 'watch', 'nodes', '', '', ''],
  ['GET', '/api/v1/nodes?watch=false', 'list', 'nodes', '', '', ''],
  ['PATCH', '/api/v1/nodes/cp-1/status', 'patch', 'nodes', '', 'cp-1', 'status'],
  ['GET', '/api/v1/namespaces/n', 'get', 'namespaces', 'n', 'n', ''],
  ['PUT', '/api/v1/namespaces/n/finalize', 'update', 'namespaces', 'n', 'n', 'finalize'],
  ['POST', '/api/v1/namespaces/n/serviceaccounts/s/token', 'create', 'serviceaccounts', 'n', 's', 'token'],
  ['DELETE', '/apis/coordination.k8s.io/v1/namespaces/n/leases', 'deletecollection', 'leases', 'n', '', ''],
])('%s %s is %s of %s', (method, url, verb, plural, namespace, name, subresource) => {
  expect(parseRequest(method, url)).toMatchObject({ verb, resource: { plural, namespace, name, subresource } });
});

test.each(['/', '/api', '/api/v1', '/apis/coordination.k8s.io/v1', '/readyz', '/api/v1/%zz'])(
  '%s names no resource',
  (url) => {
    expect(parseRequest('GET', url).resource).toBeUndefined();
  },
);
