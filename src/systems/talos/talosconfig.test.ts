import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issue } from '../../../lab/pki/pki.ts';
import { talosKey } from '../../../lab/pki/keys.ts';
import type { KeyPair } from '../../../lab/pki/types.ts';
import { Failure } from '../../base/failure.ts';
import { parseEndpoint } from './endpoint.ts';
import { parseTalosconfig, selectContext, selectNodes } from './talosconfig.ts';

const HOUR = 3_600_000;
const validity = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(1_900_000_000_000) };
let ca: KeyPair;
let admin: KeyPair;
let good: string;

const b64 = (text: string): string => Buffer.from(text).toString('base64');

beforeAll(async () => {
  ca = await createAuthority('ed25519', { organization: 'talos', ...validity });
  admin = await issue(ca, { commonName: '', organizations: ['os:admin'], usages: ['clientAuth'], ...validity });
  good = [
    'context: prod',
    'contexts:',
    '  prod:',
    '    endpoints: [192.0.2.1, "192.0.2.2:50001"]',
    '    nodes: [192.0.2.1]',
    `    ca: ${b64(ca.cert)}`,
    `    crt: ${b64(admin.cert)}`,
    `    key: ${b64(talosKey(admin.key))}`,
    '    auth: {siderov1: {identity: me}}',
    '  other:',
    '    endpoints: []',
    `    ca: ${b64('no certificate')}`,
    '',
  ].join('\n');
});

function failure(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    return error as Failure;
  }
  throw new Error('nothing was thrown');
}

describe('a talosconfig', () => {
  test('gives the active context with its credentials decoded, its key in a form Node can read, its expiry', () => {
    const context = selectContext(parseTalosconfig(good, 'talosconfig'));
    expect(context).toMatchObject({
      name: 'prod',
      endpoints: ['192.0.2.1', '192.0.2.2:50001'],
      ca: ca.cert,
      crt: admin.cert,
    });
    expect(context.key.reveal()).toContain('BEGIN PRIVATE KEY');
    expect(context.notAfter.getTime()).toBe(validity.notAfter.getTime());
    expect(inspect(context, { depth: 9 })).not.toContain(admin.key.split('\n')[1]);
  });

  test('keeps a broken context from spoiling the others, and says what is broken when it is selected', () => {
    const config = parseTalosconfig(good, 'talosconfig');
    expect(failure(() => selectContext(config, 'other')).why).toBe('talosconfig: context other has no crt');
    expect(failure(() => selectContext(config, 'stage'))).toMatchObject({
      code: 'talosconfig-context',
      exit: 2,
      why: 'talosconfig: there is no context "stage"; there are: prod, other',
    });
  });

  test.each([
    ['context: [', /^talosconfig:1:\d+: not YAML/],
    ['contexts:\n  a:\n    endpoints: 5\n', /^talosconfig:3:16: contexts\.a\.endpoints: /],
    ['contexts:\n  a:\n    endpoints: ["http://x"]\n', /^talosconfig:3:16: .*host:port/],
    ['contexts: 7\n', /^talosconfig:1:11: contexts: /],
    ['- a\n', /^talosconfig:1:1: /],
    ['', /^talosconfig:1:1: /],
    ['a: &a [*a, *a]\n', /talosconfig/],
  ])('%j is refused with its place', (text, why) => {
    expect(failure(() => selectContext(parseTalosconfig(text, 'talosconfig'))).why).toMatch(why);
  });

  test('says which credential is wrong, without showing it', async () => {
    const stranger = await issue(ca, { commonName: 'x', usages: ['clientAuth'], ...validity });
    const cases: [string, RegExp][] = [
      [good.replace(/^ {4}crt: .*$/m, '    crt: "%%%"'), /crt is not base64 of PEM/],
      [good.replace(/^ {4}crt: .*$/m, `    crt: ${b64('hello')}`), /crt holds no certificate/],
      [good.replace(/^ {4}key: .*$/m, `    key: ${b64(stranger.key)}`), /key does not belong to crt/],
      [good.replace(/^ {4}key: .*$/m, ''), /has no key/],
      [good.replace('context: prod', ''), /no context is active/],
    ];
    for (const [text, why] of cases) {
      const told = failure(() => selectContext(parseTalosconfig(text, 'f')));
      expect(told.why).toMatch(why);
      expect(inspect(told)).not.toContain(b64(stranger.key).slice(40, 80));
    }
  });

  test('whatever the text, the answer is a context or a Failure', () => {
    const attempt = (text: string): void => {
      try {
        const config = parseTalosconfig(text, 'f');
        for (const name of [undefined, ...config.contexts.keys(), '__proto__', 'constructor']) {
          try {
            selectContext(config, name);
          } catch (error) {
            expect(error).toBeInstanceOf(Failure);
          }
        }
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
    };
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), attempt));
    fc.assert(
      fc.property(fc.nat(), fc.nat(20), fc.string({ maxLength: 5 }), (at, cut, insert) => {
        const i = at % good.length;
        attempt(good.slice(0, i) + insert + good.slice(i + cut));
      }),
    );
    fc.assert(
      fc.property(
        fc.record({
          context: fc.jsonValue(),
          contexts: fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.jsonValue())),
        }),
        (value) => attempt(JSON.stringify(value)),
      ),
    );
  });
});

test('nodes are the named ones, else the context’s, else the endpoints', () => {
  const context = { nodes: ['n'], endpoints: ['e'] };
  expect(selectNodes(context, ['x'])).toEqual({ source: 'named', nodes: ['x'] });
  expect(selectNodes(context)).toEqual({ source: 'context', nodes: ['n'] });
  expect(selectNodes({ ...context, nodes: [] })).toEqual({ source: 'endpoints', nodes: ['e'] });
});

test.each([
  ['192.0.2.1', { host: '192.0.2.1', port: 50000 }],
  ['192.0.2.1:6000', { host: '192.0.2.1', port: 6000 }],
  ['cp.example.com', { host: 'cp.example.com', port: 50000 }],
  ['2001:db8::1', { host: '2001:db8::1', port: 50000 }],
  ['[2001:db8::1]', { host: '2001:db8::1', port: 50000 }],
  ['[2001:db8::1]:50001', { host: '2001:db8::1', port: 50001 }],
  ['https://omni.example.com', { host: 'omni.example.com', port: 443 }],
  ['https://[2001:db8::1]:8443', { host: '2001:db8::1', port: 8443 }],
  ['http://x', undefined],
  ['a:b:c', undefined],
  ['x:99999', undefined],
  ['', undefined],
  ['[not6]:1', undefined],
  ['user@host', undefined],
])('the endpoint %s', (text, expected) => {
  expect(parseEndpoint(text)).toEqual(expected);
});

const goldens = path.join(process.env['FAIRLEAD_GOLDENS'] ?? '/nonexistent', 'talos', 'gen');
describe.skipIf(!existsSync(goldens))('talosconfigs that talosctl wrote (needs FAIRLEAD_GOLDENS)', () => {
  test('every one gives a context', () => {
    const files = existsSync(goldens)
      ? readdirSync(goldens)
          .map((d) => path.join(goldens, d, 'talosconfig'))
          .filter((f) => existsSync(f))
      : [];
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const context = selectContext(parseTalosconfig(readFileSync(file, 'utf8'), file));
      expect(context.ca).toContain('BEGIN CERTIFICATE');
    }
  });
});
