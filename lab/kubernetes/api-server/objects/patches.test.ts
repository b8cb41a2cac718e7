import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyPatch, jsonPatch, mergePatch } from './patches.ts';
import { strategicMerge } from './strategic-merge.ts';
import type { Json } from './types.ts';

describe('merge patch', () => {
  test.each<[Json, Json, Json]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b', c: 'd' }, { a: null }, { c: 'd' }],
    [{ a: [1] }, { a: [2] }, { a: [2] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: 'x' }, { a: { b: null } }, { a: {} }],
  ])('of %j by %j gives %j', (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  test('by a document without nulls is contained in the result, and a second time changes nothing', () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const tree = fc.letrec<{ tree: Json }>((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, leaf, fc.dictionary(key, tie('tree'), { noNullPrototype: true })),
    })).tree;
    fc.assert(
      fc.property(tree, tree, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
        if (typeof patch === 'object') expect(once).toMatchObject(patch as object);
      }),
    );
  });
});

describe('JSON patch', () => {
  const document = { a: { 'b/c': [1, 2, 3] }, x: 'y' };
  test('adds, replaces, removes, moves, copies and tests', () => {
    expect(
      jsonPatch(document, [
        { op: 'test', path: '/a/b~1c/1', value: 2 },
        { op: 'remove', path: '/a/b~1c/0' },
        { op: 'add', path: '/a/b~1c/-', value: { z: 1 } },
        { op: 'move', from: '/x', path: '/moved' },
        { op: 'copy', from: '/moved', path: '/copied' },
        { op: 'replace', path: '/copied', value: null },
      ]),
    ).toEqual({ a: { 'b/c': [2, 3, { z: 1 }] }, moved: 'y', copied: null });
    expect(document).toEqual({ a: { 'b/c': [1, 2, 3] }, x: 'y' });
  });

  test.each([
    [{ op: 'test', path: '/x', value: 'z' }],
    [{ op: 'remove', path: '/none' }],
    [{ op: 'replace', path: '/none', value: 1 }],
    [{ op: 'add', path: '/a/b~1c/9', value: 1 }],
    [{ op: 'add', path: 'x', value: 1 }],
    [{ op: 'dance', path: '/x' }],
  ])('refuses %j', (operation) => {
    expect(() => jsonPatch(document, [operation])).toThrow(/rejected our request/);
  });

  test('does not reach into the prototype', () => {
    expect(() => jsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: 1 }])).toThrow();
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('strategic merge', () => {
  test('merges lists by their key, keeps others whole, and obeys directives', () => {
    const node = {
      metadata: { finalizers: ['a'] },
      spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] },
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Disk', status: 'False' },
        ],
        images: [1, 2],
      },
    };
    expect(
      strategicMerge(node, {
        metadata: { finalizers: ['b'] },
        spec: { taints: [{ $patch: 'delete', key: 'x' }, { key: 'y' }] },
        status: { conditions: [{ type: 'Ready', status: 'Unknown' }], images: [3] },
      }),
    ).toEqual({
      metadata: { finalizers: ['a', 'b'] },
      spec: { taints: [{ key: 'y' }] },
      status: {
        conditions: [
          { type: 'Ready', status: 'Unknown' },
          { type: 'Disk', status: 'False' },
        ],
        images: [3],
      },
    });
    expect(
      strategicMerge(
        { addresses: [{ type: 'A', address: '1' }] },
        { addresses: [{ $patch: 'replace' }, { type: 'B' }] },
      ),
    ).toEqual({
      addresses: [{ type: 'B' }],
    });
    expect(strategicMerge({ data: { a: 1, b: 2 } }, { data: { $patch: 'replace', c: 3 } })).toEqual({ data: { c: 3 } });
    expect(strategicMerge({ finalizers: ['a', 'b'] }, { '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({
      finalizers: ['b'],
    });
  });
});

test('an apply patch is refused as by a server without it', () => {
  expect(() => applyPatch('application/apply-patch+yaml', {}, {})).toThrow('415: Unsupported Media Type');
});
