import { expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';

const needed = [
  '--etcd-servers=https://127.0.0.1:2379',
  '--etcd-cafile=ca',
  '--etcd-certfile=cert',
  '--etcd-keyfile=key',
  '--tls-cert-file=tls',
  '--tls-private-key-file=tls-key',
  '--service-account-signing-key-file=sa',
];

test('issuers add up, the first signs; audiences default to them', () => {
  const args = parseArguments([...needed, '--service-account-issuer=https://a', '--service-account-issuer=https://b']);
  expect(args).toMatchObject({
    issuers: ['https://a', 'https://b'],
    audiences: ['https://a', 'https://b'],
    anonymous: true,
  });
  expect(args.serviceAccountKeys).toEqual(['sa']);
});

test('audiences come in one list or several; later plain flags replace earlier ones', () => {
  const args = parseArguments([
    ...needed,
    '--service-account-issuer=https://a',
    '--api-audiences=x,y',
    '--api-audiences=z',
    '--secure-port=1',
    '--secure-port=7443',
    '--anonymous-auth=false',
    '--enable-admission-plugins=A,NodeRestriction',
    '--profiling',
  ]);
  expect(args).toMatchObject({ audiences: ['x', 'y', 'z'], port: 7443, anonymous: false, nodeRestriction: true });
});

test('a server without issuer or etcd says which flag it lacks', () => {
  expect(() => parseArguments(needed)).toThrow('--service-account-issuer is not among its arguments');
  expect(() => parseArguments(['--service-account-issuer=https://a', '--service-account-signing-key-file=sa'])).toThrow(
    '--etcd-servers',
  );
});
