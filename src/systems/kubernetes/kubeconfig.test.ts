import { inspect } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { testPki, type TestPki } from '../../../test/support/cluster-pki.ts';
import { Failure } from '../../base/failure.ts';
import { parseKubeconfig, resolveContext } from './kubeconfig.ts';

let pki: TestPki;
let good: string;
const b64 = (text: string): string => Buffer.from(text).toString('base64');

beforeAll(async () => {
  pki = await testPki();
  good = `apiVersion: v1
kind: Config
current-context: admin@prod
clusters:
  - name: prod
    cluster:
      server: https://192.0.2.1:6443
      certificate-authority-data: ${b64(pki.ca.cert)}
  - name: files
    cluster:
      server: https://[2001:db8::1]:6443/
      certificate-authority: pki/ca.crt
      tls-server-name: api.example.com
  - name: open
    cluster: {server: "https://192.0.2.9:6443", insecure-skip-tls-verify: true}
  - name: plain
    cluster: {server: "http://192.0.2.9:6443"}
contexts:
  - {name: admin@prod, context: {cluster: prod, user: admin}}
  - {name: files, context: {cluster: files, user: files}}
  - {name: open, context: {cluster: open, user: admin}}
  - {name: plain, context: {cluster: plain, user: admin}}
  - {name: lost, context: {cluster: nowhere, user: admin}}
  - {name: exec, context: {cluster: prod, user: exec}}
  - {name: token, context: {cluster: prod, user: token}}
  - {name: half, context: {cluster: prod, user: half}}
  - {name: nobody, context: {cluster: prod, user: nobody}}
users:
  - name: admin
    user:
      client-certificate-data: ${b64(pki.admin.cert)}
      client-key-data: ${b64(pki.admin.key)}
  - name: files
    user: {client-certificate: /etc/admin.crt, client-key: admin.key}
  - name: exec
    user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}
  - name: token
    user: {token: s3cr3t-t0ken}
  - name: half
    user: {client-certificate-data: ${b64(pki.admin.cert)}}
`;
});

const noFiles = (file: string): Promise<string> => Promise.reject(new Error(`ENOENT: ${file}`));
const resolve = (text: string, name?: string, readFile = noFiles) =>
  resolveContext(parseKubeconfig(text, '/home/me/.kube/config'), name, readFile);

async function failure(run: () => Promise<unknown>): Promise<Failure> {
  const error: unknown = await run().then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(Failure);
  return error as Failure;
}

describe('resolving a context', () => {
  test('the current one, with inline credentials', async () => {
    const context = await resolve(good);
    expect(context).toMatchObject({
      name: 'admin@prod',
      cluster: 'prod',
      user: 'admin',
      server: 'https://192.0.2.1:6443',
      tlsServerName: undefined,
      ca: pki.ca.cert,
      auth: { kind: 'certificate', cert: pki.admin.cert },
    });
    expect(context.auth.kind === 'certificate' && context.auth.key.reveal()).toBe(pki.admin.key);
  });

  test('files are read by the name that is written', async () => {
    const asked: string[] = [];
    const files: Record<string, string> = {
      'pki/ca.crt': pki.ca.cert,
      '/etc/admin.crt': pki.admin.cert,
      'admin.key': pki.admin.key,
    };
    const context = await resolve(good, 'files', (file) => {
      asked.push(file);
      const content = files[file];
      return content === undefined ? Promise.reject(new Error('ENOENT')) : Promise.resolve(content);
    });
    expect(asked.toSorted()).toEqual(Object.keys(files).toSorted());
    expect(context).toMatchObject({
      server: 'https://[2001:db8::1]:6443',
      tlsServerName: 'api.example.com',
      auth: { kind: 'certificate' },
    });
    expect((await failure(() => resolve(good, 'files'))).why).toContain('pki/ca.crt cannot be read: ENOENT');
  });

  test('tokens, and users whose credentials fairlead cannot have', async () => {
    const token = await resolve(good, 'token');
    expect(token.auth.kind === 'token' && token.auth.token.reveal()).toBe('s3cr3t-t0ken');
    expect(await resolve(good, 'exec')).toMatchObject({
      auth: { kind: 'other', why: 'user exec gets its credentials from a program (exec), which fairlead does not run' },
    });
    expect(await resolve(good, 'nobody')).toMatchObject({
      auth: { kind: 'other', why: 'user nobody is not in the file' },
    });
  });

  test.each([
    ['stage', /there is no context "stage"; there are: admin@prod, files, open/],
    ['open', /not verified \(insecure-skip-tls-verify\)/],
    ['plain', /not an https URL/],
    ['lost', /names cluster nowhere, which is not in the file/],
    ['half', /only one half/],
  ])('%s is refused', async (name, why) => {
    const told = await failure(() => resolve(good, name));
    expect(told).toMatchObject({ code: 'kubeconfig-context', exit: 2 });
    expect(told.why).toMatch(why);
    expect(told.why).toMatch(/^\/home\/me\/\.kube\/config: /);
  });

  test('a key that does not belong to the certificate, and an authority that is none, are refused', async () => {
    const other = await testPki();
    expect((await failure(() => resolve(good.replace(b64(pki.admin.key), b64(other.admin.key))))).why).toContain(
      'does not belong',
    );
    expect((await failure(() => resolve(good.replace(b64(pki.ca.cert), b64('nothing'))))).why).toContain(
      'no certificate',
    );
  });
});

describe('reading the file', () => {
  test.each([
    ['contexts: {a: 1}\n', /^f:1:11: contexts: /],
    ['clusters:\n  - name: a\n    cluster: {server: 5}\n', /^f:3:23: clusters\[0\]\.cluster\.server: /],
    ['clusters:\n  - cluster: {server: x}\n', /^f:2:5: clusters\[0\]\.name: /],
    ['kind: Pod\n', /^f:1:7: kind: /],
    ['a: [\n', /^f:\d+:\d+: not YAML/],
    ['', /^f:1:1: /],
  ])('%j is refused with its place', async (text, why) => {
    expect((await failure(async () => parseKubeconfig(text, 'f'))).why).toMatch(why);
  });

  test('secrets are not printed, neither from the parsed file nor from an error', async () => {
    const parsed = parseKubeconfig(good, 'f');
    expect(inspect(parsed, { depth: 9 }) + JSON.stringify(parsed)).not.toContain('s3cr3t');
    const told = await failure(async () =>
      parseKubeconfig(good.replace('{token: s3cr3t-t0ken}', '{token: [s3cr3t]}'), 'f'),
    );
    expect(inspect(told)).not.toContain('s3cr3t');
  });

  test('whatever the text, the answer is a context or a Failure', async () => {
    const attempt = async (text: string): Promise<void> => {
      try {
        const parsed = parseKubeconfig(text, 'f');
        for (const name of [undefined, ...parsed.contextNames]) {
          await resolveContext(parsed, name, noFiles).catch((error: unknown) => expect(error).toBeInstanceOf(Failure));
        }
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
      }
    };
    await fc.assert(fc.asyncProperty(fc.string({ unit: 'grapheme' }), attempt));
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(20), fc.string({ maxLength: 5 }), (at, cut, insert) => {
        const i = at % good.length;
        return attempt(good.slice(0, i) + insert + good.slice(i + cut));
      }),
    );
    const entry = (key: string) => fc.array(fc.record({ name: fc.constantFrom('a', 'b'), [key]: fc.jsonValue() }));
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          'current-context': fc.constantFrom('a', 'b'),
          clusters: fc.oneof(entry('cluster'), fc.constant([{ name: 'a', cluster: { server: 'https://x' } }])),
          contexts: fc.oneof(entry('context'), fc.constant([{ name: 'a', context: { cluster: 'a', user: 'a' } }])),
          users: entry('user'),
        }),
        (value) => attempt(JSON.stringify(value)),
      ),
    );
  });
});
