import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { actionMatches, globMatches, requestMatches } from './match.ts';

const segment = fc.stringMatching(/^[a-z0-9_.+()]{1,8}$/);

describe('a pattern', () => {
  test.prop([fc.array(segment, { minLength: 1, maxLength: 5 })])('without a star stands for itself', (segments) => {
    const path = `/${segments.join('/')}`;
    expect(globMatches(path, path)).toBe(true);
    expect(globMatches(path, `${path}x`)).toBe(false);
    expect(globMatches(path, path.slice(1))).toBe(false);
  });

  test.prop([fc.array(segment, { minLength: 1, maxLength: 5 }), fc.nat()])(
    'with a star takes one segment there, with two anything',
    (segments, n) => {
      const at = n % segments.length;
      const path = `/${segments.join('/')}`;
      const starred = `/${segments.with(at, '*').join('/')}`;
      expect(globMatches(starred, path)).toBe(true);
      expect(globMatches(starred, `/${segments.with(at, 'a/b').join('/')}`)).toBe(false);
      expect(globMatches(`/${segments.with(at, '**').join('/')}`, `/${segments.with(at, 'a/b').join('/')}`)).toBe(true);
      expect(globMatches('**', path)).toBe(true);
    },
  );
});

describe('a request', () => {
  const assign = { method: 'POST', path: '/v1/floating_ips/7/actions/assign', by: 'fairlead' };

  test.each([
    [{}, true],
    [{ path: '/floating_ips/*/actions/assign' }, true],
    [{ path: '/v1/floating_ips/*/actions/*' }, true],
    [{ path: '/floating_ips/*' }, false],
    [{ method: 'post' }, true],
    [{ method: 'write' }, true],
    [{ method: 'GET' }, false],
    [{ party: 'fairlead' }, true],
    [{ party: 'node/*' }, false],
  ])('%j: %s', (scope, expected) => {
    expect(requestMatches(scope, assign)).toBe(expected);
  });

  test('the query does not matter, reading is no writing, and senders may be named by a part', () => {
    const list = { method: 'GET', path: '/v1/servers?page=1', by: 'hcloud-go/1.30 (linux; amd64)' };
    expect(requestMatches({ path: '/servers' }, list)).toBe(true);
    expect(requestMatches({ method: 'write' }, list)).toBe(false);
    expect(requestMatches({ party: 'hcloud-go/*' }, list)).toBe(true);
    expect(requestMatches({ party: 'node/*' }, { ...list, by: 'node/cp-1' })).toBe(true);
  });

  test('the lab is meant only by its name', () => {
    expect(requestMatches({}, { ...assign, by: 'lab' })).toBe(false);
    expect(requestMatches({ party: 'lab' }, { ...assign, by: 'lab' })).toBe(true);
  });
});

test('an action is meant by its command and its server', () => {
  const action = { command: 'assign_floating_ip', server: 'cp-1' };
  expect(actionMatches({ action: '*' }, action)).toBe(true);
  expect(actionMatches({ action: 'assign_*', node: 'cp-1' }, action)).toBe(true);
  expect(actionMatches({ action: 'assign_*', node: 'cp-2' }, action)).toBe(false);
  expect(actionMatches({ action: 'delete_server' }, action)).toBe(false);
  expect(actionMatches({ node: 'cp-1' }, { command: 'change_protection' })).toBe(false);
});
