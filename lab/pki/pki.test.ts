import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificateFacts } from './facts.ts';
import {
  createServiceAccountKey,
  fromBase64,
  fromTalosPair,
  publicKeyOf,
  readKey,
  talosKey,
  toTalosPair,
} from './keys.ts';
import { createAuthority, issue } from './pki.ts';

const run = promisify(execFile);
const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') };
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'fairlead-pki-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe.each(['ed25519', 'ecdsa'] as const)('an authority of kind %s', (kind) => {
  it('issues certificates that OpenSSL verifies', async () => {
    const ca = await createAuthority(kind, { organization: 'talos', ...validity });
    const leaf = await issue(ca, {
      commonName: 'cp-1',
      organizations: ['os:admin', 'second'],
      dnsNames: ['cp-1', 'localhost'],
      ipAddresses: ['127.64.0.1', '2001:db8::1'],
      usages: ['serverAuth'],
      ...validity,
    });
    await Promise.all([
      writeFile(path.join(dir, `${kind}-ca.pem`), ca.cert),
      writeFile(path.join(dir, `${kind}-leaf.pem`), leaf.cert),
    ]);
    const { stdout } = await run('openssl', [
      'verify',
      '-x509_strict',
      '-attime',
      '1800000000',
      '-purpose',
      'sslserver',
      '-verify_ip',
      '127.64.0.1',
      '-CAfile',
      path.join(dir, `${kind}-ca.pem`),
      path.join(dir, `${kind}-leaf.pem`),
    ]);
    expect(stdout).toContain('OK');
    expect(certificateFacts(leaf.cert)).toMatchObject({
      commonName: 'cp-1',
      organizations: ['os:admin', 'second'],
      issuer: 'O=talos',
      dnsNames: ['cp-1', 'localhost'],
      ipAddresses: ['127.64.0.1', '2001:db8::1'],
      isAuthority: false,
      usages: ['1.3.6.1.5.5.7.3.1'],
      ...validity,
    });
    expect(certificateFacts(ca.cert)).toMatchObject({ isAuthority: true, organizations: ['talos'], commonName: '' });
  });

  it('does not verify what another authority of the same name issued', async () => {
    const [ca, other] = await Promise.all([
      createAuthority(kind, { organization: 'x', ...validity }),
      createAuthority(kind, { organization: 'x', ...validity }),
    ]);
    const leaf = await issue(other, { commonName: 'a', usages: ['clientAuth'], ...validity });
    expect(new X509Certificate(leaf.cert).verify(new X509Certificate(ca.cert).publicKey)).toBe(false);
    expect(new X509Certificate(leaf.cert).verify(new X509Certificate(other.cert).publicKey)).toBe(true);
  });

  it('serves TLS with client certificates, its key having gone through Talos spelling', async () => {
    const ca = fromTalosPair(toTalosPair(await createAuthority(kind, validity)));
    const server = await issue(ca, {
      commonName: 's',
      ipAddresses: ['127.0.0.1'],
      usages: ['serverAuth'],
      ...validity,
    });
    const client = fromTalosPair(
      toTalosPair(
        await issue(ca, { commonName: '', organizations: ['os:admin'], usages: ['clientAuth'], ...validity }),
      ),
    );
    const listener = createServer({ ...server, ca: ca.cert, requestCert: true, rejectUnauthorized: true });
    listener.on('secureConnection', (socket: TLSSocket) =>
      socket.end(JSON.stringify(socket.getPeerCertificate().subject)),
    );
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const socket = connect({ host: '127.0.0.1', port: address.port, ca: ca.cert, ...client });
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    await new Promise((resolve) => listener.close(resolve));
    expect(JSON.parse(text)).toEqual({ O: 'os:admin' });
  });
});

describe('keys', () => {
  it('are spelled as Talos spells them, and read back', async () => {
    const machine = await createAuthority('ed25519', { organization: 'talos', ...validity });
    const cluster = await createAuthority('ecdsa', { organization: 'kubernetes', ...validity });
    expect(talosKey(machine.key)).toMatch(
      /^-----BEGIN ED25519 PRIVATE KEY-----\n[^]*\n-----END ED25519 PRIVATE KEY-----\n$/,
    );
    expect(talosKey(talosKey(machine.key))).toBe(talosKey(machine.key));
    expect(talosKey(cluster.key)).toMatch(/^-----BEGIN EC PRIVATE KEY-----/);
    expect(readKey(talosKey(machine.key)).equals(readKey(machine.key))).toBe(true);
    expect(fromBase64(toTalosPair(machine).crt)).toBe(machine.cert);
  });

  it('for service accounts are RSA', () => {
    const key = createServiceAccountKey();
    expect(key).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(publicKeyOf(key)).toMatch(/^-----BEGIN PUBLIC KEY-----/);
  });

  it('have serial numbers of their own', async () => {
    const ca = await createAuthority('ecdsa', validity);
    const leaves = await Promise.all(
      Array.from({ length: 20 }, () => issue(ca, { commonName: 'a', usages: ['clientAuth'], ...validity })),
    );
    expect(new Set(leaves.map((leaf) => certificateFacts(leaf.cert).serial)).size).toBe(20);
  });
});
