import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fileFromTarGz } from './archive.ts';
import { tarOf } from './tar.testing.ts';

test('reads what tar writes', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'fairlead-tar-'));
  try {
    writeFileSync(path.join(folder, 'other'), 'x'.repeat(700));
    writeFileSync(path.join(folder, 'kubeconfig'), 'apiVersion: v1\n');
    for (const format of ['ustar', 'gnu', 'v7']) {
      const archive = execFileSync('tar', ['czf', '-', `--format=${format}`, './other', './kubeconfig'], {
        cwd: folder,
      });
      expect(Buffer.from(fileFromTarGz(archive, 'kubeconfig')).toString()).toBe('apiVersion: v1\n');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('any content of any length comes back whole, from behind any other file', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 1500 }), fc.string({ maxLength: 1500 }), (before, content) => {
      const archive = gzipSync(
        tarOf([
          { name: 'first', content: before },
          { name: 'kubeconfig', content },
        ]),
      );
      expect(Buffer.from(fileFromTarGz(archive, 'kubeconfig')).toString('utf8')).toBe(
        Buffer.from(content, 'utf8').toString('utf8'),
      );
    }),
    { numRuns: 50 },
  );
});

test('a broken archive is an Error with a reason, never a wrong file', () => {
  const good = tarOf([{ name: 'kubeconfig', content: 'server: https://192.0.2.10:6443' }]);
  expect(() => fileFromTarGz(new Uint8Array(), 'kubeconfig')).toThrow('not a gzip stream');
  expect(() => fileFromTarGz(gzipSync(Buffer.alloc(1024)), 'kubeconfig')).toThrow('holds no file named kubeconfig');
  expect(() => fileFromTarGz(gzipSync(good.subarray(0, 520)), 'kubeconfig')).toThrow('cut short');
  fc.assert(
    fc.property(fc.nat(511), fc.nat(255), (at, value) => {
      const broken = Buffer.from(good);
      broken[at] = value;
      try {
        expect(Buffer.from(fileFromTarGz(gzipSync(broken), 'kubeconfig')).toString()).toBe(
          'server: https://192.0.2.10:6443',
        );
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect((error as Error).constructor).toBe(Error);
      }
    }),
  );
});
