import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlink, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemRandom } from '../../src/base/random.ts';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { findEtcd } from '../../lab/kubernetes/etcd/find.ts';
import { AlarmRequest_AlarmAction, AlarmType, Maintenance } from '../../lab/kubernetes/etcd/generated/etcd/rpc_pb.ts';
import { realEtcd } from '../../lab/kubernetes/etcd/real.ts';
import type { EtcdClient } from '../../lab/kubernetes/etcd/types.ts';
import type { EtcdPart } from '../../lab/kubernetes/types.ts';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import { clock, eventually, Harness, refusal, type Node } from './etcd-harness.ts';

const run = promisify(execFile);
const found = await findEtcd(process.env);
const etcdctl = await run('etcdctl', ['version'], { env: { ...process.env, ETCDCTL_API: '3' } }).then(
  () => 'etcdctl',
  () => undefined,
);

const builtIn = { name: 'the built-in etcd', part: builtInEtcd({ clock, random: systemRandom }), skip: false };
const real =
  found === undefined
    ? {
        name: 'a real etcd (skipped: none found in KUBEBUILDER_ASSETS, PATH or the cache)',
        part: builtIn.part,
        skip: true,
      }
    : { name: `etcd ${found.version}`, part: realEtcd(found.path, found.version), skip: false };

const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

// Side by side, as most of their time is waiting; the tests of each one after the other.
for (const { name, part, skip } of [builtIn, real]) {
  describe.concurrent(name, () => {
    describe('as its clients see it', { skip, concurrent: false }, () => conformance(part));
  });
}

function conformance(part: EtcdPart): void {
  let harness: Harness;
  let nodes: readonly [Node, Node, Node];
  let etcd: EtcdClient;

  beforeAll(async () => {
    harness = await Harness.create(part);
    nodes = await harness.cluster();
    etcd = nodes[0].client;
  });
  afterAll(async () => await harness.close());

  test('a range sees what was put, in key order, with its count and whether there is more', async () => {
    const first = await etcd.put('/range/a', '1');
    await etcd.put('/range/b', '2');
    const last = await etcd.put('/range/a', '3');
    const all = await nodes[1].client.range('/range/', { prefix: true });
    expect(all.kvs.map(({ key, value, version }) => [key, text(value), version])).toEqual([
      ['/range/a', '3', 2n],
      ['/range/b', '2', 1n],
    ]);
    expect(all.kvs[0]).toMatchObject({ createRevision: first.revision, modRevision: last.revision });
    expect(all.revision).toBe(last.revision);
    const page = await etcd.range('/range/', { prefix: true, limit: 1 });
    expect(page).toMatchObject({ more: true, count: 2n });
    expect(page.kvs.map(({ key }) => key)).toEqual(['/range/a']);
    const rest = await etcd.range('/range/', { prefix: true, limit: 1, after: '/range/a' });
    expect(rest).toMatchObject({ more: false });
    expect(rest.kvs.map(({ key }) => key)).toEqual(['/range/b']);
    expect((await etcd.range('/range/', { prefix: true, countOnly: true })).count).toBe(2n);
    const newest = await etcd.range('/range/', { prefix: true, maxCreateRevision: first.revision });
    expect(newest.kvs.map(({ key }) => key)).toEqual(['/range/a']);
  });

  test('a range at an earlier revision sees what was there then; compaction and the future are refused', async () => {
    const { revision } = await etcd.put('/history', 'old');
    const { revision: after } = await etcd.put('/history', 'new');
    expect(text((await etcd.range('/history', { revision })).kvs[0]?.value)).toBe('old');
    expect(await refusal(etcd.range('/history', { revision: after + 1000n }))).toBe(
      'etcdserver: mvcc: required revision is a future revision',
    );
    await etcd.compact(after);
    expect(text((await etcd.range('/history', { revision: after })).kvs[0]?.value)).toBe('new');
    const gone = etcd.range('/history', { revision });
    expect(await refusal(gone)).toBe('etcdserver: mvcc: required revision has been compacted');
    await expect(gone).rejects.toMatchObject({ code: Code.OutOfRange });
    expect(await refusal(etcd.compact(after))).toBe('etcdserver: mvcc: required revision has been compacted');
  });

  test('a deletion counts what it took and leaves nothing behind', async () => {
    await etcd.put('/gone/a', '1');
    await etcd.put('/gone/b', '2');
    expect((await etcd.delete('/gone/', { prefix: true })).deleted).toBe(2n);
    expect(await etcd.delete('/gone/a')).toMatchObject({ deleted: 0n });
    expect((await etcd.range('/gone/', { prefix: true })).kvs).toEqual([]);
  });

  test('a transaction happens whole or not at all', async () => {
    const claim = (value: string) => ({
      compare: [{ key: '/txn', createRevision: 0n }],
      success: [
        { kind: 'put' as const, key: '/txn', value },
        { kind: 'put' as const, key: '/txn/other', value },
      ],
      failure: [{ kind: 'get' as const, key: '/txn' }],
    });
    const won = await etcd.txn(claim('first'));
    expect(won.succeeded).toBe(true);
    const lost = await nodes[2].client.txn(claim('second'));
    expect(lost.succeeded).toBe(false);
    expect(lost.gets.map(([kv]) => [text(kv?.value), kv?.modRevision])).toEqual([['first', won.revision]]);
    // Both keys were written at one revision.
    expect((await etcd.range('/txn/other')).kvs[0]?.modRevision).toBe(won.revision);
    const update = { key: '/txn', modRevision: won.revision };
    const put = { kind: 'put' as const, key: '/txn', value: 'updated' };
    expect((await etcd.txn({ compare: [update], success: [put], failure: [] })).succeeded).toBe(true);
    expect((await etcd.txn({ compare: [update], success: [put], failure: [] })).succeeded).toBe(false);
    expect(await refusal(etcd.txn({ compare: [], success: [put, put], failure: [] }))).toBe(
      'etcdserver: duplicate key given in txn request',
    );
    const unleased = { kind: 'put' as const, key: '/txn/none', value: '', lease: 4711n };
    expect(
      await refusal(etcd.txn({ compare: [], success: [{ ...put, key: '/txn/half' }, unleased], failure: [] })),
    ).toBe('etcdserver: requested lease not found');
    expect((await etcd.range('/txn/half')).kvs).toEqual([]);
  });

  test('an empty key is refused', async () => {
    expect(await refusal(etcd.put('', 'x'))).toBe('etcdserver: key is not provided');
  });

  test('a watch tells the past from its revision and then the present, in order', async () => {
    const { revision } = await etcd.put('/watch/a', '1');
    await etcd.put('/watch/a', '2');
    const abort = new AbortController();
    const seen: string[] = [];
    const watch = nodes[1].client.watch(
      '/watch/',
      { prefix: true, fromRevision: revision, previous: true },
      abort.signal,
    );
    for await (const { events, revision: at } of watch) {
      for (const { type, kv, previous } of events)
        seen.push(`${type} ${kv.key} ${text(kv.value)} (${text(previous?.value)})`);
      if (seen.length === 2) {
        await etcd.put('/unrelated', 'x');
        await etcd.delete('/watch/a');
      }
      if (seen.length === 3) {
        expect(at).toBe(revision + 3n);
        break;
      }
    }
    expect(seen).toEqual(['put /watch/a 1 ()', 'put /watch/a 2 (1)', 'delete /watch/a  (2)']);
  });

  test('a watch that is aborted throws the reason, one that begins before the compaction says so', async () => {
    const abort = new AbortController();
    const quiet = nodes[0].client.watch('/quiet', {}, abort.signal)[Symbol.asyncIterator]();
    const next = quiet.next();
    abort.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
    const late = nodes[0].client.watch('/watch/', { fromRevision: 1n }, new AbortController().signal);
    const failed = late[Symbol.asyncIterator]().next();
    await expect(failed).rejects.toMatchObject({ code: Code.OutOfRange });
    expect(await refusal(failed)).toMatch('required revision has been compacted');
  });

  test('a lease has at least two seconds, its keys go when it is revoked or has run out', async () => {
    const short = await etcd.leaseGrant(1);
    expect(short.ttlSeconds).toBe(2);
    const revoked = await etcd.leaseGrant(60);
    await etcd.put('/lease/short', 'x', { lease: short.id });
    const granted = clock.now();
    await etcd.put('/lease/revoked', 'x', { lease: revoked.id });
    await etcd.leaseRevoke(revoked.id);
    expect((await etcd.range('/lease/', { prefix: true })).kvs.map(({ key, lease }) => [key, lease])).toEqual([
      ['/lease/short', short.id],
    ]);
    await eventually(
      6000,
      async () => (await etcd.range('/lease/short')).kvs.length,
      (left) => left === 0,
    );
    expect(clock.now() - granted).toBeGreaterThan(1900);
    expect(await refusal(etcd.leaseRevoke(short.id))).toBe('etcdserver: requested lease not found');
    expect(await refusal(etcd.put('/lease/none', 'x', { lease: short.id }))).toBe(
      'etcdserver: requested lease not found',
    );
  });

  test('a lease lives as long as it is kept alive; keeping a dead one alive says 0', async () => {
    const { id } = await etcd.leaseGrant(2);
    await etcd.put('/alive', 'x', { lease: id });
    const abort = new AbortController();
    const began = clock.now();
    const left: number[] = [];
    // Through another member: leases are the leader's, whoever is asked.
    for await (const ttl of nodes[1].client.leaseKeepAlive(id, 400, abort.signal)) {
      left.push(ttl);
      if (clock.now() - began > 3500) break;
    }
    expect(new Set(left)).toEqual(new Set([2]));
    expect((await etcd.range('/alive')).kvs).toHaveLength(1);
    await etcd.leaseRevoke(id);
    const dead: number[] = [];
    for await (const ttl of etcd.leaseKeepAlive(id, 100, abort.signal)) dead.push(ttl);
    expect(dead).toEqual([0]);
  });

  test('an election by creation is won in the order of arrival, and the next learns of the end by watching', async () => {
    const leases = [await etcd.leaseGrant(60), await etcd.leaseGrant(60)];
    const keys: string[] = [];
    for (const [n, { id }] of leases.entries()) {
      const key = `/election/${id.toString(16)}`;
      keys.push(key);
      const { succeeded } = await etcd.txn({
        compare: [{ key, createRevision: 0n }],
        success: [{ kind: 'put', key, value: `candidate ${n}`, lease: id }],
        failure: [],
      });
      expect(succeeded).toBe(true);
    }
    const queue = await etcd.range('/election/', { prefix: true, sort: 'create-ascending' });
    expect(queue.kvs.map(({ key }) => key)).toEqual(keys);
    const abort = new AbortController();
    const watch = nodes[2].client.watch(keys[0] ?? '', { fromRevision: queue.revision + 1n }, abort.signal);
    await etcd.leaseRevoke(leases[0]?.id ?? 0n);
    for await (const { events } of watch) {
      expect(events.map(({ type, kv }) => [type, kv.key])).toEqual([['delete', keys[0]]]);
      break;
    }
    const left = await etcd.range('/election/', { prefix: true, sort: 'create-ascending' });
    expect(left.kvs.map(({ value }) => text(value))).toEqual(['candidate 1']);
  });

  test('all members name the same leader, each other, and themselves', async () => {
    const statuses = await Promise.all(nodes.map(({ client }) => client.status()));
    expect(new Set(statuses.map(({ leader }) => leader)).size).toBe(1);
    expect(statuses.map(({ leader }) => leader)).not.toContain(0n);
    expect(new Set(statuses.map(({ raftTerm }) => raftTerm)).size).toBe(1);
    const lists = await Promise.all(nodes.map(({ client }) => client.members({ linearizable: true })));
    for (const list of lists) {
      expect(new Set(list.map(({ id }) => id))).toEqual(new Set(statuses.map(({ memberId }) => memberId)));
      expect(new Set(list.map(({ id: _id, ...rest }) => rest))).toEqual(
        new Set(
          nodes.map(({ name, address }) => ({
            name,
            peerURLs: [`https://${address}:2380`],
            clientURLs: [`https://${address}:2379`],
            isLearner: false,
          })),
        ),
      );
    }
    expect(await etcd.alarms()).toEqual([]);
  });

  test('a client that is closed ends its watches and makes no more calls', async () => {
    const client = harness.clientOf(nodes[0].address);
    await client.status();
    const watch = client.watch('/x', {}, new AbortController().signal)[Symbol.asyncIterator]().next();
    client.close();
    await expect(watch).rejects.toThrow(ConnectError);
    await expect(client.status()).rejects.toMatchObject({ rawMessage: 'the etcd client was closed' });
  });

  test('who shows no certificate of the CA is turned away', async () => {
    const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 60_000) };
    const foreign = await createAuthority('ecdsa', { organization: 'another', ...validity });
    const pair = await issue(foreign, { commonName: 'stranger', usages: ['clientAuth'], ...validity });
    const { ca } = harness.tls;
    const stranger = harness.clientOf(nodes[0].address, { ca, ...pair }, 3000);
    await expect(stranger.range('/x')).rejects.toThrow(ConnectError);
    stranger.close();
  });

  test.skipIf(etcdctl === undefined)(
    'etcdctl lists, asks, writes, reads and saves a snapshot it finds whole',
    async () => {
      const { ca, cert, key } = harness.files;
      const ctl = async (...args: string[]): Promise<string> => {
        const endpoints = nodes.map(({ address }) => `https://${address}:2379`).join(',');
        const tls = ['--cacert', ca, '--cert', cert, '--key', key];
        const { stdout } = await run('etcdctl', [...args, '--endpoints', endpoints, ...tls], {
          env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
          timeout: 15_000,
        });
        return stdout;
      };
      expect((await ctl('member', 'list')).trim().split('\n')).toHaveLength(3);
      expect((await ctl('endpoint', 'status')).trim().split('\n')).toHaveLength(3);
      expect(await ctl('put', '/etcdctl', 'hello')).toBe('OK\n');
      expect(await ctl('get', '/etcdctl', '--print-value-only')).toBe('hello\n');
      const value = 'x'.repeat(10_000);
      await Promise.all(Array.from({ length: 60 }, (_, n) => etcd.put(`/many/${n}`, n % 20 === 0 ? value : `${n}`)));
      const file = path.join(harness.dir, 'etcdctl.db');
      const { address } = nodes[0];
      const tls = ['--cacert', ca, '--cert', cert, '--key', key];
      const env = { PATH: process.env['PATH'], ETCDCTL_API: '3' };
      await run('etcdctl', ['snapshot', 'save', file, '--endpoints', `https://${address}:2379`, ...tls], { env });
      const ours = path.join(harness.dir, 'ours.db');
      const { revision } = await etcd.range('/many/', { prefix: true });
      const blobs: Uint8Array[] = [];
      for await (const blob of etcd.snapshot()) blobs.push(blob);
      await writeFile(ours, Buffer.concat(blobs));
      for (const saved of [file, ours]) {
        const { stdout } = await run('etcdctl', ['snapshot', 'status', saved, '--write-out', 'json'], { env });
        expect(JSON.parse(stdout)).toMatchObject({ revision: Number(revision) });
      }
      // And a cluster can be made from it again.
      const restored = path.join(harness.dir, 'restored');
      await run('etcdctl', ['snapshot', 'restore', ours, '--data-dir', restored], { env });
    },
  );

  test('an alarm is raised once, is seen by all, closes writing as its kind has it, and ends for who disarms it', async () => {
    const sessions = nodes.map(({ address }) => new Http2SessionManager(`https://${address}:2379`, {}, harness.tls));
    try {
      const [one, two] = sessions.map((sessionManager, n) =>
        createClient(
          Maintenance,
          createGrpcTransport({ baseUrl: `https://${nodes[n]?.address ?? ''}:2379`, sessionManager }),
        ),
      );
      if (one === undefined || two === undefined) throw new Error('no clients');
      const { ACTIVATE, DEACTIVATE, GET } = AlarmRequest_AlarmAction;
      const memberID = await harness.idOf(nodes[1]);
      await etcd.put('/alarm', 'before');
      const listed = async () =>
        (await two.alarm({ action: GET })).alarms.map((found) => [found.memberID, found.alarm]);
      const full = 'etcdserver: mvcc: database space exceeded';
      const corrupt = 'etcdserver: corrupt cluster';
      for (const [name, alarm, put, removal] of [
        ['NOSPACE', AlarmType.NOSPACE, full, 'no refusal'],
        ['CORRUPT', AlarmType.CORRUPT, corrupt, corrupt],
      ] as const) {
        const raised = await one.alarm({ action: ACTIVATE, memberID, alarm });
        expect(raised.alarms).toMatchObject([{ memberID, alarm }]);
        await one.alarm({ action: ACTIVATE, memberID, alarm });
        expect(await listed()).toEqual([[memberID, alarm]]);
        expect(await refusal(etcd.put('/alarm', 'after'))).toBe(put);
        const txn = { compare: [], success: [{ kind: 'put' as const, key: '/alarm', value: 'after' }], failure: [] };
        expect(await refusal(nodes[2].client.txn(txn))).toBe(put);
        expect(await refusal(etcd.delete('/alarm/nothing'))).toBe(removal);
        expect(await refusal(etcd.leaseGrant(60))).toBe(put);
        expect(text((await etcd.range('/alarm')).kvs[0]?.value)).toBe('before');
        expect((await one.status({})).errors.join()).toContain(name);
        // Another kind, and another member's, is not this one.
        await one.alarm({ action: DEACTIVATE, memberID: 1n, alarm });
        expect(await listed()).toHaveLength(1);
        expect((await one.alarm({ action: DEACTIVATE, memberID, alarm })).alarms).toMatchObject([{ memberID, alarm }]);
        expect(await listed()).toEqual([]);
        expect(await refusal(etcd.put('/alarm', 'before'))).toBe('no refusal');
      }
    } finally {
      for (const session of sessions) session.abort();
    }
  });

  test('a leader gives up its place when asked, and only a leader can', async () => {
    const leader = await harness.leader(nodes[0]);
    const [heir, third] = nodes.filter((node) => node !== leader);
    if (heir === undefined || third === undefined) throw new Error('three members have two followers');
    const target = await harness.idOf(heir);
    expect(await refusal(third.client.moveLeader(target))).toBe('etcdserver: not leader');
    await leader.client.moveLeader(target);
    await eventually(
      3000,
      async () => (await third.client.status()).leader,
      (now) => now === target,
    );
    await third.client.put('/moved', 'x');
  });

  test('a leader that is killed is missed for one to two seconds, and leases begin anew with the next one', async () => {
    const leader = await harness.leader(nodes[0]);
    const [one, other] = nodes.filter((node) => node !== leader);
    if (one === undefined || other === undefined) throw new Error('three members have two followers');
    const { id } = await one.client.leaseGrant(2);
    await one.client.put('/rearmed', 'x', { lease: id });
    const granted = clock.now();
    const abort = new AbortController();
    const watch = one.client.watch('/gap', {}, abort.signal);
    const watched = (async () => {
      for await (const { events } of watch) return events.length;
      return 0;
    })();
    // Time for the lease to be half over and the watch to be made.
    await clock.sleep(1000);
    const killed = clock.now();
    await harness.kill(leader);
    const ends: number[] = [];
    // Open loop: those on their way to the dead leader would be answered only after etcd's own time-out.
    const impatient = harness.clientOf(one.address, harness.tls, 1000);
    const writes: Promise<void>[] = [];
    while (ends.length < 3 && clock.now() - killed < 8000) {
      writes.push(
        impatient.put('/gap', 'x').then(
          () => void ends.push(clock.now() - killed),
          () => {},
        ),
      );
      await clock.sleep(100);
    }
    expect(ends[0]).toBeGreaterThan(800);
    expect(ends[0]).toBeLessThan(4000);
    expect(await harness.leader(one)).not.toBe(leader);
    // A watch on a member that lives does not notice.
    expect(await watched).toBeGreaterThan(0);
    abort.abort();
    // Granted for 2 s, and begun anew when the next leader came.
    expect(clock.now() - granted).toBeGreaterThan(2000);
    expect((await other.client.range('/rearmed')).kvs).toHaveLength(1);
    await eventually(
      6000,
      async () => (await other.client.range('/rearmed')).kvs.length,
      (left) => left === 0,
    );
    expect(clock.now() - killed).toBeGreaterThan(2800);
    await harness.start(leader, nodes, 'new', true);
    await eventually(
      10_000,
      async () => (await leader.client.range('/gap', { serializable: true })).kvs.length,
      (length) => length === 1,
    );
    await Promise.all(writes);
    impatient.close();
  });

  test('without a quorum nothing is decided, leases stay, and all goes on when it is back', async () => {
    const [stays, ...fall] = nodes;
    const { id } = await stays.client.leaseGrant(2);
    await stays.client.put('/quorum', 'before', { lease: id });
    await Promise.all(fall.map((node) => harness.kill(node)));
    const began = clock.now();
    const [write, read, watchEnd] = await Promise.all([
      refusal(stays.client.put('/quorum', 'during')),
      refusal(stays.client.range('/quorum')),
      refusal(stays.client.watch('/quorum', {}, AbortSignal.timeout(9000))[Symbol.asyncIterator]().next()),
    ]);
    expect(write).toMatch(/^etcdserver: request timed out/);
    expect(read).toMatch(/^etcdserver: request timed out/);
    expect(watchEnd).toBe('etcdserver: no leader');
    expect(clock.now() - began).toBeGreaterThan(6000);
    expect((await stays.client.status()).leader).toBe(0n);
    const local = await stays.client.range('/quorum', { serializable: true });
    expect(local.kvs.map(({ value }) => text(value))).toEqual(['before']);
    expect(await refusal(stays.client.memberAdd(['https://127.1.1.1:2380'], true))).toBe(
      'etcdserver: unhealthy cluster',
    );
    await Promise.all(fall.map((node) => harness.start(node, nodes, 'new', true)));
    await eventually(
      8000,
      () => stays.client.put('/returned', 'x'),
      () => true,
    );
  });

  test('a dead member is removed, its successor joins as a learner, is promoted, and the next change has to wait', async () => {
    const dead = nodes[2];
    const id = await harness.idOf(dead);
    await harness.kill(dead);
    const rest = [nodes[0], nodes[1]];
    // A change of members that is on its way to a dead leader hangs until the caller gives up: first wait for another.
    await eventually(
      5000,
      async () => (await etcd.status()).leader,
      (leader) => leader !== id && leader !== 0n,
    );
    await eventually(
      10_000,
      () => etcd.memberRemove(id),
      () => true,
    );
    const successor = harness.node();
    const url = harness.peerURL(successor);
    const { member } = await eventually(
      15_000,
      () => etcd.memberAdd([url], true),
      () => true,
    );
    expect(member).toMatchObject({ name: '', peerURLs: [url], isLearner: true });
    expect(await refusal(etcd.memberPromote(member.id))).toBe(
      'etcdserver: can only promote a learner member which is in sync with leader',
    );
    expect(await refusal(etcd.memberAdd(['https://127.1.1.1:2380'], true))).toBe(
      'etcdserver: too many learner members in cluster',
    );
    const started = clock.now();
    await harness.start(successor, [...rest, successor], 'existing');
    await eventually(
      10_000,
      async () => (await successor.client.status()).isLearner,
      (learner) => learner,
    );
    expect(await refusal(successor.client.range('/quorum'))).toBe('etcdserver: rpc not supported for learner');
    await eventually(
      10_000,
      () => etcd.memberPromote(member.id),
      () => true,
    );
    const another = 'https://127.1.1.2:2380';
    expect(await refusal(etcd.memberAdd([another], true))).toBe('etcdserver: unhealthy cluster');
    expect(await refusal(etcd.memberPromote(member.id))).toBe('etcdserver: can only promote a learner member');
    await eventually(
      5000,
      async () => (await etcd.members()).find((one) => one.id === member.id),
      (one) => one?.isLearner === false && one.name === successor.name,
    );
    await eventually(
      5000,
      async () => (await successor.client.range('/returned')).kvs.length,
      (length) => length === 1,
    );
    const next = await eventually(
      15_000,
      () => etcd.memberAdd([another], true),
      () => true,
    );
    // Only when the newest voter has been connected for five seconds.
    expect(clock.now() - started).toBeGreaterThan(4500);
    await etcd.memberRemove(next.member.id);
    expect(await refusal(etcd.memberRemove(next.member.id))).toBe('etcdserver: member not found');
  });

  test('a member that is removed while it runs ends by itself, and does not come back', async () => {
    const members = await etcd.members();
    const leaving = nodes[1];
    const id = await harness.idOf(leaving);
    const { exited } = leaving.running ?? { exited: undefined };
    await eventually(
      10_000,
      () => etcd.memberRemove(id),
      () => true,
    );
    await exited;
    leaving.running = undefined;
    expect(members).toHaveLength(3);
    await eventually(
      8000,
      async () => (await etcd.members({ linearizable: true })).length,
      (length) => length === 2,
    );
    const back = await harness.start(leaving, nodes, 'new', true).then(
      async () => {
        // etcd itself notices after it has begun to listen.
        await leaving.running?.exited;
        return 'ended';
      },
      () => 'ended',
    );
    expect(back).toBe('ended');
    leaving.running = undefined;
  });

  test('a member asked to stop hands over, so that nobody waits for an election', async () => {
    await eventually(
      10_000,
      () => etcd.put('/handover', '0'),
      () => true,
    );
    const leader = await harness.leader(nodes[0]);
    const running = leader.running;
    const left = harness.nodes.find((node) => node !== leader && node.running !== undefined);
    if (running === undefined || left === undefined) throw new Error('two members are left');
    const heir = await harness.idOf(left);
    // Alone it cannot decide anything: but it is told to lead before the other goes.
    await Promise.all([
      running.stop(5000),
      eventually(
        900,
        async () => (await left.client.status()).leader,
        (now) => now === heir,
      ),
    ]);
    leader.running = undefined;
    expect(running.pid === undefined || !alive(running.pid)).toBe(true);
  });
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test.skipIf(found === undefined)('a real etcd dies with the process that started it, however that ends', async () => {
  const harness = await Harness.create(builtIn.part);
  const node = harness.node();
  const spec = harness.spec(node, [node], 'new');
  const lab = fileURLToPath(new URL('../../lab/kubernetes/etcd/', import.meta.url));
  const script = `
    import { realEtcd } from ${JSON.stringify(`${lab}real.ts`)};
    const part = realEtcd(${JSON.stringify(found?.path)}, ${JSON.stringify(found?.version)});
    const { pid } = await part.start(${JSON.stringify(spec)});
    console.log(pid);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(chunk.toString());
    expect(await readlink(`/proc/${pid}/exe`)).toBe(await realpath(found?.path ?? ''));
    parent.kill('SIGKILL');
    await eventually(
      5000,
      async () => alive(pid),
      (lives) => !lives,
    );
  } finally {
    parent.kill('SIGKILL');
    await harness.close();
  }
});
