import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EtcdSpec } from '../types.ts';
import { findEtcd } from './find.ts';
import { etcdArguments, realEtcd } from './real.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'real-etcd-'));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

const spec = (): EtcdSpec => ({
  name: 'cp-1',
  dataDir: path.join(dir, 'data'),
  listen: '127.131.7.7',
  advertise: '203.0.113.7',
  initialCluster: [{ name: 'cp-1', peerURL: 'https://203.0.113.7:2380' }],
  initialClusterState: 'new',
  initialClusterToken: 'token',
  server: { ca: 'ca', cert: 'cert', key: 'key' },
  peer: { ca: 'ca', cert: 'cert', key: 'key' },
  log: path.join(dir, 'log', 'etcd.log'),
  restart: false,
});

describe('a real etcd', () => {
  it('listens on the hidden address and is known by the other', () => {
    const args = etcdArguments(spec(), '3.4.23');
    expect(args).toContain('--listen-client-urls=https://127.131.7.7:2379');
    expect(args).toContain('--advertise-client-urls=https://203.0.113.7:2379');
    expect(args).toContain('--initial-advertise-peer-urls=https://203.0.113.7:2380');
    expect(args).toContain('--initial-cluster=cp-1=https://203.0.113.7:2380');
  });

  it('is given the flags its version knows', () => {
    expect(etcdArguments(spec(), '3.4.23')).toContain('--experimental-peer-skip-client-san-verification=true');
    expect(etcdArguments(spec(), '3.6.16')).toContain('--peer-skip-client-san-verification=true');
    expect(etcdArguments(spec(), '3.4.23').join(' ')).not.toContain('fsync');
  });

  it('that ends before it listens fails the start with its last words', async () => {
    const program = path.join(dir, 'etcd');
    await writeFile(program, '#!/bin/sh\necho "no, thank you" >&2\nexit 1\n', { mode: 0o755 });
    await expect(realEtcd(program, '3.4.23').start(spec())).rejects.toMatchObject({
      code: 'etcd-start-failed',
      why: expect.stringContaining('no, thank you') as string,
    });
    expect(await readFile(spec().log, 'utf8')).toBe('no, thank you\n');
  });
});

describe('looking for etcd', () => {
  it('takes the first that says its version, KUBEBUILDER_ASSETS before PATH', async () => {
    const etcd = path.join(dir, 'etcd');
    await writeFile(etcd, '#!/bin/sh\necho "etcd Version: 3.9.9"\n', { mode: 0o755 });
    expect(await findEtcd({ KUBEBUILDER_ASSETS: dir, PATH: process.env['PATH'], HOME: dir })).toEqual({
      path: etcd,
      version: '3.9.9',
    });
    expect(await findEtcd({ PATH: `/nowhere:${dir}`, HOME: dir })).toEqual({ path: etcd, version: '3.9.9' });
  });

  it('finds none where there is none, or where it does not run', async () => {
    await writeFile(path.join(dir, 'etcd'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    expect(await findEtcd({ PATH: dir, HOME: dir })).toBeUndefined();
    expect(await findEtcd({ HOME: dir })).toBeUndefined();
  });
});
