import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { mustKnow } from './resources.ts';
import { conflict, forbidden, fromStorage, invalid, notFound } from './status.ts';

test.each([
  [new ConnectError('etcdserver: request timed out', Code.Unavailable), 500, 'etcdserver: request timed out'],
  [new ConnectError('etcdserver: leader changed', Code.Unavailable), 500, 'etcdserver: leader changed'],
  [
    new ConnectError('context deadline exceeded', Code.Unknown),
    500,
    'rpc error: code = Unknown desc = context deadline exceeded',
  ],
  [
    new ConnectError('the operation timed out', Code.DeadlineExceeded),
    504,
    'Timeout: request did not complete within requested timeout - context deadline exceeded',
  ],
  [
    new ConnectError('etcdserver: mvcc: required revision has been compacted', Code.OutOfRange),
    410,
    'The resourceVersion for the provided list is too old.',
  ],
])('a failure of etcd (%s) reaches the client as %i', (error, code, message) => {
  expect(fromStorage(error)).toMatchObject({ code, message });
});

test('an unreachable etcd is a 500 that says so', () => {
  expect(fromStorage(new ConnectError('connect ECONNREFUSED 127.0.0.1:2379', Code.Unavailable))).toMatchObject({
    code: 500,
  });
});

test('messages name resources of other groups with their group', () => {
  const leases = mustKnow('leases');
  expect(notFound(leases, 'l').toStatus()).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'leases.coordination.k8s.io "l" not found',
    reason: 'NotFound',
    details: { name: 'l', group: 'coordination.k8s.io', kind: 'leases' },
    code: 404,
  });
  expect(conflict(leases, 'l', 'why').message).toBe(
    'Operation cannot be fulfilled on leases.coordination.k8s.io "l": why',
  );
  expect(forbidden(leases, '', 'why').message).toBe('leases.coordination.k8s.io is forbidden: why');
  expect(invalid(leases, 'l', [{ reason: 'r', message: 'm', field: 'f' }]).message).toBe(
    'Lease.coordination.k8s.io "l" is invalid: f: m',
  );
});
