import { expect, test } from 'vitest';
import { mustKnow } from './resources.ts';
import { fieldSelector, labelSelector } from './selectors.ts';

const withLabels = (labels: { [key: string]: string }) => ({ metadata: { name: 'x', namespace: 'n', labels } });

test.each([
  ['a=1', { a: '1' }, true],
  ['a==1', { a: '2' }, false],
  ['a!=1', {}, true],
  ['a!=1', { a: '1' }, false],
  ['a', { a: '' }, true],
  ['!a', { a: '' }, false],
  ['a in (1, 2),b', { a: '2', b: '' }, true],
  ['a in (1,2)', {}, false],
  ['a notin (1,2)', {}, true],
  ['a notin (1,2)', { a: '1' }, false],
  ['node-role.kubernetes.io/control-plane=', { 'node-role.kubernetes.io/control-plane': '' }, true],
])('the label selector %j on %j', (text, labels, matches) => {
  expect(labelSelector(text)(withLabels(labels))).toBe(matches);
});

test.each(['a===1', 'a in 1', '=1', 'a=1 b=2'])('%j is no label selector', (text) => {
  expect(() => labelSelector(text)).toThrow(/unable to parse requirement/);
});

test('fields are selected by the names that the resource knows', () => {
  const object = { metadata: { name: 'x', namespace: 'n' }, status: { phase: 'Active' } };
  expect(fieldSelector('metadata.name=x', mustKnow('configmaps'))(object)).toBe(true);
  expect(fieldSelector('metadata.name!=x,metadata.namespace=n', mustKnow('configmaps'))(object)).toBe(false);
  expect(fieldSelector('status.phase=Active', mustKnow('namespaces'))(object)).toBe(true);
  expect(() => fieldSelector('data.a=1', mustKnow('configmaps'))).toThrow(
    '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
  );
});
