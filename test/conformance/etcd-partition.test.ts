import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemRandom } from '../../src/base/random.ts';
import { startLoopback, type LoopbackFabric } from '../../lab/fabric/loopback.ts';
import type { FabricHost } from '../../lab/fabric/types.ts';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { createEtcdClient } from '../../lab/kubernetes/etcd/client.ts';
import { findEtcd } from '../../lab/kubernetes/etcd/find.ts';
import { realEtcd } from '../../lab/kubernetes/etcd/real.ts';
import type { EtcdClient } from '../../lab/kubernetes/etcd/types.ts';
import type { EtcdPart, RunningPart } from '../../lab/kubernetes/types.ts';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import { clock, eventually, refusal } from './etcd-harness.ts';

const DAY = 86_400_000;
const found = await findEtcd(process.env);
const builtIn = { name: 'the built-in etcd', part: builtInEtcd({ clock, random: systemRandom }), skip: false };
const real =
  found === undefined
    ? {
        name: 'a real etcd (skipped: none found in KUBEBUILDER_ASSETS, PATH or the cache)',
        part: builtIn.part,
        skip: true,
      }
    : { name: `etcd ${found.version}`, part: realEtcd(found.path, found.version), skip: false };

interface Machine {
  readonly name: string;
  readonly address: string;
  readonly host: FabricHost;
  readonly client: EtcdClient;
  readonly running: RunningPart;
}

/** Three members on three machines of a loopback network, each asked behind it, as its own machine asks it. */
async function clusterOf(part: EtcdPart, cleanups: (() => unknown)[]) {
  const dir = await mkdtemp(path.join(tmpdir(), 'etcd-partition-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  const processes: { party: string; pid: number }[] = [];
  const net: LoopbackFabric = await startLoopback({ random: systemRandom, processes: () => processes });
  cleanups.push(() => net.close());
  const places = await Promise.all(
    ['m1', 'm2', 'm3'].map(async (name) => {
      const [host, address] = [net.addHost(name), net.allocate('private')];
      await host.claim(address);
      await net.route(address, host);
      await host.open(2380);
      return { name, host, address };
    }),
  );
  const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
  const ca = await createAuthority('ecdsa', { organization: 'etcd', ...validity });
  const own = await issue(ca, {
    commonName: 'etcd',
    dnsNames: ['localhost'],
    ipAddresses: places.flatMap(({ host, address }) => [host.hidden, address]),
    usages: ['serverAuth', 'clientAuth'],
    ...validity,
  });
  const files = { ca: path.join(dir, 'ca.crt'), cert: path.join(dir, 'own.crt'), key: path.join(dir, 'own.key') };
  await Promise.all([writeFile(files.ca, ca.cert), writeFile(files.cert, own.cert), writeFile(files.key, own.key)]);
  const initialCluster = places.map(({ name, address }) => ({ name, peerURL: `https://${address}:2380` }));
  const machines = await Promise.all(
    places.map(async ({ name, host, address }): Promise<Machine> => {
      const running = await part.start({
        name,
        dataDir: path.join(dir, name),
        listen: host.hidden,
        advertise: address,
        initialCluster,
        initialClusterState: 'new',
        initialClusterToken: path.basename(dir),
        server: files,
        peer: files,
        log: path.join(dir, `${name}.log`),
        restart: false,
      });
      if (running.pid !== undefined) processes.push({ party: name, pid: running.pid });
      cleanups.push(() => running.kill());
      const tls = { ca: ca.cert, ...own };
      const client = createEtcdClient({ endpoint: `https://${host.hidden}:2379`, tls, timeoutMs: 9000 });
      cleanups.push(() => client.close());
      return { name, host, address, client, running };
    }),
  );
  const cut = (from: Machine, ...to: readonly Machine[]): Promise<void> =>
    net.disturb?.(
      to.map((other) => ({ kind: 'partition' as const, from: from.name, to: other.name, oneWay: false })),
    ) ?? Promise.resolve();
  return { machines, cut, heal: async () => await net.disturb?.([]) };
}

const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

for (const { name, part, skip } of [builtIn, real]) {
  describe(name, { skip }, () => {
    test('a leader that is cut off steps down, the majority goes on, and it learns of the rest when it is back', async () => {
      const cleanups: (() => unknown)[] = [];
      try {
        const { machines, cut, heal } = await clusterOf(part, cleanups);
        const [first] = machines;
        if (first === undefined) throw new Error('no machines');
        await eventually(
          10_000,
          () => first.client.put('/key', 'before'),
          () => true,
        );
        const { leader: id } = await first.client.status();
        const ids = await Promise.all(machines.map(async ({ client }) => (await client.status()).memberId));
        const old = machines[ids.indexOf(id)];
        const rest = machines.filter((machine) => machine !== old);
        const [other, third] = rest;
        if (old === undefined || other === undefined || third === undefined) throw new Error('nobody leads');
        const lease = await other.client.leaseGrant(5);
        await other.client.put('/leased', 'x', { lease: lease.id });
        const seen: string[] = [];
        const watching = new AbortController();
        cleanups.push(() => watching.abort());
        const watch = (async () => {
          for (;;) {
            // Without a leader for long, a watch that asked for one is ended: as a client does, it begins again.
            const events = old.client.watch('/key', { fromRevision: 1n }, watching.signal);
            try {
              for await (const batch of events) seen.push(...batch.events.map(({ kv }) => text(kv.value)));
            } catch {
              if (watching.signal.aborted) return;
              await clock.sleep(100);
            }
          }
        })();

        const began = clock.now();
        await cut(old, ...rest);
        const lost = refusal(old.client.put('/key', 'lost'));
        const unread = refusal(old.client.range('/key'));
        await eventually(
          6000,
          async () => (await other.client.status()).leader,
          (leader) => leader !== id && leader !== 0n,
        );
        expect(clock.now() - began).toBeLessThan(5000);
        await eventually(
          4000,
          () => other.client.put('/key', 'during'),
          () => true,
        );
        expect(await lost).toMatch(/^etcdserver: request timed out/);
        expect((await old.client.status()).leader).toBe(0n);
        expect(await unread).toMatch(/^etcdserver: (request timed out|leader changed)/);
        const stale = await old.client.range('/key', { serializable: true });
        expect(text(stale.kvs[0]?.value)).toBe('before');
        expect(seen).not.toContain('during');
        // The new leader does not know when the lease was last renewed: it begins anew.
        expect((await third.client.range('/key')).kvs.map(({ value }) => text(value))).toEqual(['during']);

        await heal();
        await eventually(
          8000,
          async () => text((await old.client.range('/key')).kvs[0]?.value),
          (value) => value === 'during',
        );
        await eventually(
          8000,
          async () => seen,
          (values) => values.includes('during'),
        );
        expect(seen).not.toContain('lost');
        await old.client.put('/key', 'after');
        watching.abort();
        await watch;
      } finally {
        for (const cleanup of cleanups.toReversed()) await cleanup();
      }
    }, 45_000);
  });
}
