import net from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { KeyPair } from '../../lab/pki/types.ts';
import { createAuthority } from '../../lab/pki/pki.ts';
import { handshake, subjectNames } from './handshake.ts';
import { EXPIRED, serverFor, testPki, type TestPki, VALID } from '../../test/support/cluster-pki.ts';

let pki: TestPki;
beforeAll(async () => {
  pki = await testPki();
});

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

const tlsServer = (pair: KeyPair, options: tls.TlsOptions = {}): tls.Server =>
  tls.createServer({ key: pair.key, cert: pair.cert, ...options }, (socket) => socket.on('error', () => {}));

const look = (port: number, options: { ca?: string; servername?: string; timeoutMs?: number } = {}) =>
  handshake('127.0.0.1', port, { ca: pki.ca.cert, timeoutMs: 2000, ...options });

describe('what is served', () => {
  test('a good certificate is trusted, and its facts are told', async () => {
    const result = await look(await listen(tlsServer(pki.server)));
    expect(result).toMatchObject({
      kind: 'served',
      trusted: true,
      ipAddresses: ['127.0.0.1'],
      dnsNames: ['api.lab.test'],
    });
    expect(result.kind === 'served' && result.serial).toMatch(/^[0-9A-F]+$/);
    expect(result).not.toHaveProperty('problem');
  });

  test('another authority, a missing name and an expired certificate are named, and the certificate is still shown', async () => {
    const other = await createAuthority('ecdsa', { organization: 'kubernetes', ...VALID });
    const foreign = await look(await listen(tlsServer(await serverFor(other, ['127.0.0.1']))));
    const misnamed = await look(await listen(tlsServer(await serverFor(pki.ca, ['192.0.2.7'], ['a.test']))));
    const expired = await look(await listen(tlsServer(await serverFor(pki.ca, ['127.0.0.1'], [], EXPIRED))));
    expect(foreign).toMatchObject({
      kind: 'served',
      trusted: false,
      problem: expect.stringContaining('another authority'),
    });
    expect(misnamed).toMatchObject({
      kind: 'served',
      trusted: false,
      problem: 'the certificate does not cover 127.0.0.1; it covers a.test, 192.0.2.7',
    });
    expect(expired).toMatchObject({ kind: 'served', trusted: false, problem: 'the certificate has expired' });
  });

  test('a name is asked for by SNI, an address never is', async () => {
    const asked: (string | false | null)[] = [];
    const server = tlsServer(pki.server);
    server.on('secureConnection', (socket: tls.TLSSocket) => asked.push(socket.servername));
    const port = await listen(server);
    await look(port);
    expect(await look(port, { servername: 'api.lab.test' })).toMatchObject({ trusted: true });
    expect(await look(port, { servername: 'other.lab.test' })).toMatchObject({ trusted: false });
    await expect.poll(() => asked).toEqual([false, 'api.lab.test', 'other.lab.test']);
  });
});

describe('why there is no handshake', () => {
  test('refused', async () => {
    const port = await listen(net.createServer());
    open.splice(0).forEach((close) => close());
    expect(await look(port)).toMatchObject({ kind: 'failed', reason: 'refused' });
  });

  test('silence is a timeout, bounded', async () => {
    const port = await listen(net.createServer());
    const started = performance.now();
    expect(await look(port, { timeoutMs: 150 })).toEqual({
      kind: 'failed',
      reason: 'timeout',
      message: 'no answer within 150 ms',
    });
    expect(performance.now() - started).toBeLessThan(1500);
  });

  test('a connection that is cut is a reset', async () => {
    const cut = await listen(net.createServer((socket) => socket.destroy()));
    const reset = await listen(net.createServer((socket) => socket.resetAndDestroy()));
    expect(await look(cut)).toMatchObject({ kind: 'failed', reason: 'reset' });
    expect(await look(reset)).toMatchObject({ kind: 'failed', reason: 'reset' });
  });

  test('plain text instead of TLS, and TLS 1.1, are tls', async () => {
    const plain = await listen(
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      }),
    );
    expect(await look(plain)).toMatchObject({
      kind: 'failed',
      reason: 'tls',
      message: expect.stringContaining('does not speak TLS'),
    });
    const old = await listen(
      tlsServer(pki.server, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    );
    expect(await look(old)).toMatchObject({ kind: 'failed', reason: 'tls' });
  });

  test('an authority that is no certificate, or empty, trusts nobody', async () => {
    const port = await listen(tlsServer(pki.server));
    for (const ca of ['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
      expect(await look(port, { ca })).not.toMatchObject({ trusted: true });
    }
  });
});

test('subject names are read in every form Node writes them', () => {
  expect(subjectNames('DNS:a.test, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1')).toEqual({
    dnsNames: ['a.test'],
    ipAddresses: ['192.0.2.1', '2001:db8::1'],
  });
  expect(subjectNames('DNS:"a\\u002c DNS:evil.test", DNS:b.test').dnsNames).toEqual(['a, DNS:evil.test', 'b.test']);
  expect(subjectNames('')).toEqual({ dnsNames: [], ipAddresses: [] });
  fc.assert(fc.property(fc.string(), (text) => void subjectNames(text)));
});
