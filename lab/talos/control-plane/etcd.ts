import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Code, ConnectError } from '@connectrpc/connect';
import { textOf } from '../../../src/base/failure.ts';
import { createEtcdClient } from '../../kubernetes/etcd/client.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import type { EtcdSpec, RunningPart } from '../../kubernetes/types.ts';
import { makeFolders, replaceFile } from '../files.ts';
import type { Machine } from '../machine.ts';
import type { EtcdStart } from '../types.ts';
import { joinCluster, promoteMember, type Joined, type JoinPorts } from './etcd-join.ts';
import type { PkiFiles } from './pki-files.ts';

/** `restart`: with the data on the disk, or, where a first start never came that far, as that first start. */
export type EtcdBegin = EtcdStart | { readonly kind: 'restart'; readonly first: EtcdStart };

export interface EtcdService {
  readonly part: RunningPart | undefined;
  /** A client of the local member, as Talos' own parts have one. */
  localClient(): EtcdClient;
  /** Resolves when the member answers and, where it joined, has been promoted. */
  start(begin: EtcdBegin, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Comes back with an empty disk, as a machine of its own that joins. */
  rejoin(signal: AbortSignal): Promise<void>;
  /**
   * Begins a cluster of its own, where the member waits for one to join and has none of its own yet. Rejects as Talos
   * refuses.
   */
  bootstrap(): Promise<void>;
  /** Leaves the cluster for good: the member is removed, its data is gone. */
  leave(): Promise<void>;
}

const LEAVE_MS = 300_000;

export function createEtcdService(machine: Machine, pki: PkiFiles): EtcdService {
  const { ports, facts, times, paths } = machine;
  const { clock, host } = ports;
  let part: RunningPart | undefined;
  let tls: { ca: string; cert: string; key: string } | undefined;
  let stopping = false;
  let starting: Promise<void> = Promise.resolve();
  let health: AbortController | undefined;
  /** Ends what is being tried, and what a member that ends by itself would have done next. */
  let attempts = new AbortController();
  /** Without power nothing is tried again. */
  let dead = new AbortController();
  /** Ends the wait for others to join. */
  let waiting: AbortController | undefined;
  /** What became of this disk's member: `member` since it first ran, `left` after it left. */
  const fate = path.join(ports.dir, 'state', 'etcd');

  const clientOf = (address: string): EtcdClient => {
    if (tls === undefined) throw new Error('etcd has no certificates yet');
    return createEtcdClient({ endpoint: `https://${address}:2379`, tls, localAddress: host.hidden });
  };
  const readTls = async (): Promise<void> => {
    const read = (file: string): Promise<string> => readFile(file, 'utf8');
    const { ca, adminCert, adminKey } = pki.etcd;
    tls = { ca: await read(ca), cert: await read(adminCert), key: await read(adminKey) };
  };
  const advertised = (): string => machine.active?.derived.etcdAdvertised[0] ?? facts.privateIPv4;
  const joinPorts = (): JoinPorts => ({ machine, clientOf, peerURL: `https://${advertised()}:2380` });

  const specOf = (members: EtcdSpec['initialCluster'], state: 'new' | 'existing', restart: boolean): EtcdSpec => ({
    name: facts.hostname,
    dataDir: paths.etcdData,
    ...(host.group === undefined ? {} : { group: host.group }),
    listen: host.hidden,
    advertise: advertised(),
    initialCluster: members,
    initialClusterState: state,
    initialClusterToken: machine.active?.derived.clusterName ?? 'talos',
    server: { ca: pki.etcd.ca, cert: pki.etcd.serverCert, key: pki.etcd.serverKey },
    peer: { ca: pki.etcd.ca, cert: pki.etcd.peerCert, key: pki.etcd.peerKey },
    log: path.join(paths.logs, 'etcd.log'),
    restart,
  });
  const ownMember = () => ({ name: facts.hostname, peerURL: joinPorts().peerURL });
  const restartSpec = (): EtcdSpec => specOf([ownMember()], 'existing', true);

  /** undefined: it was told to begin a cluster of its own. */
  const joinUnlessBootstrapped = async (signal: AbortSignal): Promise<Joined | undefined> => {
    machine.service('etcd', 'Preparing', undefined, 'Running pre state');
    const mine = new AbortController();
    waiting = mine;
    try {
      return await joinCluster(joinPorts(), AbortSignal.any([signal, mine.signal]));
    } catch (error) {
      if (mine.signal.aborted && !signal.aborted) return undefined;
      throw error;
    } finally {
      if (waiting === mine) waiting = undefined;
    }
  };

  /** Talos calls etcd healthy after a quorum read; it looks rarely, so the word may be old. */
  const watchHealth = async (signal: AbortSignal): Promise<void> => {
    const client = clientOf(host.hidden);
    while (!signal.aborted) {
      const well = await client.range('talos:v1:health', {}, signal).then(
        () => true,
        () => false,
      );
      const state = machine.services.get('etcd');
      if (!signal.aborted && state?.state === 'Running' && state.healthy !== well) {
        machine.service('etcd', 'Running', well, well ? 'Health check successful' : 'Health check failed');
      }
      await clock.sleep(well ? times.etcdHealthMs : Math.min(1_000, times.etcdHealthMs), signal).catch(() => {});
    }
    client.close();
  };

  const closePorts = (): Promise<unknown> => Promise.all([host.shut(2379), host.shut(2380)]);

  /** Starts the member's process and sees to it that it runs again when it ends by itself. */
  const run = async (spec: EtcdSpec, signal: AbortSignal): Promise<void> => {
    await makeFolders([paths.etcdData, paths.logs, path.dirname(fate)]);
    machine.service('etcd', 'Preparing', undefined, 'Running pre state');
    // Peers must reach each other before any of them can listen for clients.
    await host.open(2380);
    const started = await ports.parts.etcd.start(spec);
    if (signal.aborted) await started.kill();
    signal.throwIfAborted();
    part = started;
    await host.open(2379);
    await replaceFile(fate, 'member\n');
    machine.service('etcd', 'Running', undefined, 'Started task etcd');
    void started.exited.then(async () => {
      if (stopping || part !== started) return;
      machine.service('etcd', 'Failed', false, 'Task etcd ended');
      await closePorts();
      await clock.sleep(times.joinRetryMs, signal).catch(() => {});
      if (!stopping && !signal.aborted) await launch(async () => restartSpec(), signal).catch(() => {});
    });
  };

  /** Tried until it runs, each time with what the cluster looks like then. */
  const launch = async (specNow: () => Promise<EtcdSpec>, signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        const spec = await specNow();
        starting = run(spec, signal);
        await starting;
        return;
      } catch (error) {
        signal.throwIfAborted();
        const text = textOf(error);
        if (machine.services.get('etcd')?.events.at(-1)?.message !== text) {
          machine.log(`service[etcd](Failed): ${text}`);
        }
        machine.services.delete('etcd');
        machine.service('etcd', 'Failed', false, text);
      }
      await clock.sleep(times.joinRetryMs, signal);
    }
  };

  /** The member answers: it has started, and knows the others. */
  const untilAnswers = async (signal: AbortSignal): Promise<bigint> => {
    for (;;) {
      signal.throwIfAborted();
      const client = clientOf(host.hidden);
      try {
        return (await client.status()).memberId;
      } catch {
        await clock.sleep(50, signal);
      } finally {
        client.close();
      }
    }
  };

  /** Asked again while etcd refuses (another member has just come or gone), for five minutes as Talos does. */
  const removeSelf = async (id: bigint): Promise<void> => {
    const deadline = clock.now() + LEAVE_MS;
    const client = clientOf(host.hidden);
    try {
      for (;;) {
        try {
          await client.memberRemove(id);
          return;
        } catch (error) {
          if (clock.now() >= deadline || dead.signal.aborted) throw error;
          machine.log(`retrying error: error removing member: ${textOf(error)}`);
        }
        await clock.sleep(500, dead.signal);
      }
    } finally {
      client.close();
    }
  };

  /** What this start comes down to, given what is on the disk. */
  const resolve = async (begin: EtcdBegin): Promise<EtcdStart | 'data'> => {
    if (begin.kind !== 'restart') return begin;
    const was = (await readFile(fate, 'utf8').catch(() => '')).trim();
    if (was === 'member') return 'data';
    return was === 'left' ? { kind: 'join' } : begin.first;
  };

  const service: EtcdService = {
    get part() {
      return part;
    },
    localClient: () => clientOf(host.hidden),
    async start(begin, uptime) {
      stopping = false;
      dead = new AbortController();
      attempts.abort();
      attempts = new AbortController();
      const signal = AbortSignal.any([uptime, attempts.signal]);
      await readTls();
      const how = await resolve(begin);
      let learner: bigint | undefined;
      await launch(async () => {
        if (how === 'data') return restartSpec();
        if (how.kind === 'founding') {
          const url = (address: string): string => `https://${address}:2380`;
          const members = how.members.map(({ name, privateIPv4 }) => ({ name, peerURL: url(privateIPv4) }));
          return specOf(members, 'new', false);
        }
        const joined = await joinUnlessBootstrapped(signal);
        if (joined === undefined) return specOf([ownMember()], 'new', false);
        learner = joined.id;
        return specOf(joined.members, 'existing', false);
      }, signal);
      machine.etcdMemberId = await untilAnswers(signal);
      machine.changed();
      if (learner !== undefined) await promoteMember(joinPorts(), learner, signal);
      health?.abort();
      health = new AbortController();
      void watchHealth(AbortSignal.any([signal, health.signal]));
    },
    async stop() {
      stopping = true;
      attempts.abort();
      health?.abort();
      machine.services.delete('etcd');
      machine.changed();
      await Promise.all([part?.stop(times.podGraceMs), closePorts()]);
      part = undefined;
    },
    async kill() {
      stopping = true;
      dead.abort();
      await part?.kill();
      // One that was just being started has no handle yet.
      await starting.catch(() => {});
      await part?.kill();
      part = undefined;
    },
    async rejoin(signal) {
      await service.stop();
      await rm(paths.etcdData, { recursive: true, force: true });
      await replaceFile(fate, 'left\n');
      await service.start({ kind: 'restart', first: { kind: 'join' } }, signal);
    },
    async bootstrap() {
      const used = await readdir(paths.etcdData).catch(() => []);
      if (used.length > 0 || part !== undefined) {
        throw new ConnectError('etcd data directory is not empty', Code.AlreadyExists);
      }
      if (waiting === undefined) throw new ConnectError('bootstrap is not available yet', Code.FailedPrecondition);
      machine.log('bootstrap: etcd begins a cluster of its own');
      waiting.abort();
      waiting = undefined;
    },
    async leave() {
      const id = machine.etcdMemberId;
      if (id !== undefined) await removeSelf(id);
      stopping = true;
      health?.abort();
      await Promise.all([part?.stop(times.podGraceMs), closePorts()]);
      part = undefined;
      machine.etcdMemberId = undefined;
      await rm(paths.etcdData, { recursive: true, force: true });
      await replaceFile(fate, 'left\n');
      machine.service('etcd', 'Finished', undefined, 'Service finished successfully');
    },
  };
  return service;
}
