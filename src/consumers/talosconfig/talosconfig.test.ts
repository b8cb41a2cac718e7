import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Redacted } from '../../base/redacted.ts';
import { desiredTalosconfig } from './desired.ts';
import { mergeTalosconfig } from './merge.ts';
import { setTalosconfigLists } from './write.ts';

const planes = ['203.0.113.1', '203.0.113.2', '203.0.113.3'];
const own = new Set([...planes, '203.0.113.51']);

describe('what a talosconfig should list', () => {
  it('is the control planes, and it is right already in any order and with ports', () => {
    expect(
      desiredTalosconfig({ endpoints: planes.toReversed(), nodes: ['203.0.113.51'] }, planes, own),
    ).toBeUndefined();
    expect(
      desiredTalosconfig({ endpoints: planes.map((p) => `${p}:50000`), nodes: planes }, planes, own),
    ).toBeUndefined();
  });

  it('drops the endpoint and nodes that are no more', () => {
    expect(
      desiredTalosconfig({ endpoints: ['198.51.100.20'], nodes: ['203.0.113.9', '203.0.113.51'] }, planes, own),
    ).toEqual({
      endpoints: planes,
      nodes: ['203.0.113.51', ...planes],
    });
  });

  test.prop([fc.array(fc.ipV4()), fc.array(fc.ipV4())])('is settled after one change', (endpoints, nodes) => {
    const once = desiredTalosconfig({ endpoints, nodes }, planes, own);
    if (once !== undefined) expect(desiredTalosconfig(once, planes, own)).toBeUndefined();
  });
});

describe('writing a talosconfig', () => {
  const text =
    '# mine\ncontext: prod\ncontexts:\n  prod:\n    endpoints: [198.51.100.20]\n    nodes: []\n    ca: Y2E=\n  lab: # keep\n    ca: eA==\n';

  it('changes the lists of one context only', () => {
    const changed = setTalosconfigLists(text, 'prod', { endpoints: planes, nodes: planes });
    expect(changed).toContain('# mine');
    expect(changed).toContain('# keep');
    expect(parse(changed)).toMatchObject({
      context: 'prod',
      contexts: { prod: { endpoints: planes, nodes: planes, ca: 'Y2E=' }, lab: { ca: 'eA==' } },
    });
    expect(() => setTalosconfigLists(text, 'other', { endpoints: [], nodes: [] })).toThrow('no context other');
  });

  it('merges a context beside one of the same name that belongs to another cluster', () => {
    const context = {
      name: 'lab',
      endpoints: [],
      nodes: [],
      cluster: undefined,
      ca: 'CA',
      crt: 'CRT',
      key: new Redacted('KEY'),
    };
    const merged = mergeTalosconfig(text, context, { endpoints: planes, nodes: planes }, undefined);
    expect(merged.context).toBe('lab-1');
    expect(parse(merged.text)).toMatchObject({
      context: 'prod',
      contexts: { lab: { ca: 'eA==' }, 'lab-1': { endpoints: planes } },
    });
    expect(mergeTalosconfig(merged.text, context, { endpoints: planes, nodes: planes }, 'lab-1').context).toBe('lab-1');
  });
});
