import { describe, expect, test } from 'vitest';
import { isAllowed, refusal, type Attributes } from './authorization.ts';

const user = (name: string, ...groups: readonly string[]) => ({ name, uid: '', groups, extra: {} });
const admin = user('admin', 'system:masters', 'system:authenticated');
const kubelet = user('system:node:cp-1', 'system:nodes', 'system:authenticated');
const account = user('system:serviceaccount:a:b', 'system:serviceaccounts', 'system:authenticated');
const nobody = user('system:anonymous', 'system:unauthenticated');
const on = (verb: string, plural: string, name = '', namespace = '', group = ''): Attributes => ({
  verb,
  path: '',
  resource: { group, plural, subresource: '', namespace, name },
});
const path = (text: string): Attributes => ({ verb: 'get', path: text });

describe('what each identity may do', () => {
  test.each([
    ['an administrator everything', admin, on('delete', 'namespaces', 'x'), true],
    ['a kubelet its own node', kubelet, on('patch', 'nodes', 'cp-1'), true],
    ['a kubelet no other node', kubelet, on('patch', 'nodes', 'cp-2'), false],
    [
      'a kubelet its own lease',
      kubelet,
      on('update', 'leases', 'cp-1', 'kube-node-lease', 'coordination.k8s.io'),
      true,
    ],
    ['a kubelet no lease elsewhere', kubelet, on('update', 'leases', 'cp-1', 'default', 'coordination.k8s.io'), false],
    ['a kubelet no secrets', kubelet, on('get', 'secrets', 'x', 'default'), false],
    ['a service account no nodes', account, on('list', 'nodes'), false],
    ['a service account discovery', account, path('/apis/coordination.k8s.io/v1'), true],
    ['a service account the keys', account, path('/openid/v1/jwks'), true],
    ['a service account itself', account, on('create', 'selfsubjectreviews', '', '', 'authentication.k8s.io'), true],
    ['nobody the version', nobody, path('/version'), true],
    ['nobody one check', nobody, path('/readyz/etcd'), true],
    ['nobody no discovery', nobody, path('/api'), false],
    ['nobody no metrics', nobody, path('/metrics'), false],
  ])('%s', (_title, who, asked, allowed) => {
    expect(isAllowed(who, asked)).toBe(allowed);
  });
});

test('a refusal names user, verb, resource, group and place', () => {
  expect(refusal(account, on('update', 'leases', 'l', 'n', 'coordination.k8s.io')).message).toBe(
    'leases.coordination.k8s.io "l" is forbidden: User "system:serviceaccount:a:b" cannot update resource "leases" in API group "coordination.k8s.io" in the namespace "n"',
  );
});
