import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { textOf } from '../../../src/base/failure.ts';
import { createEtcdClient } from '../../kubernetes/etcd/client.ts';
import type { EtcdClient, EtcdMemberInfo } from '../../kubernetes/etcd/types.ts';
import type { EtcdSpec, RunningPart } from '../../kubernetes/types.ts';
import { makeFolders } from '../files.ts';
import type { Machine } from '../machine.ts';
import type { EtcdStart } from '../types.ts';
import type { PkiFiles } from './pki-files.ts';

export type EtcdBegin = EtcdStart | { readonly kind: 'restart' };

export interface EtcdService {
  readonly part: RunningPart | undefined;
  /** A client of the local member, as Talos' own parts have one. */
  localClient(): EtcdClient;
  start(begin: EtcdBegin, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Leaves the cluster for good: the member is removed, its data is gone. */
  leave(): Promise<void>;
}

export function createEtcdService(machine: Machine, pki: PkiFiles): EtcdService {
  const { ports, facts, times, paths } = machine;
  const { clock, host } = ports;
  let part: RunningPart | undefined;
  let tls: { ca: string; cert: string; key: string } | undefined;
  let stopping = false;
  let health: AbortController | undefined;
  let starting: Promise<void> = Promise.resolve();

  const readTls = async (): Promise<void> => {
    const [ca, cert, key] = await Promise.all([
      readFile(pki.etcd.ca, 'utf8'),
      readFile(pki.etcd.adminCert, 'utf8'),
      readFile(pki.etcd.adminKey, 'utf8'),
    ]);
    tls = { ca, cert, key };
  };
  const clientOf = (address: string): EtcdClient => {
    if (tls === undefined) throw new Error('etcd has no certificates yet');
    return createEtcdClient({ endpoint: `https://${address}:2379`, tls });
  };
  const advertised = (): string => machine.active?.derived.etcdAdvertised[0] ?? facts.privateIPv4;
  const peerURL = (address: string): string => `https://${address}:2380`;

  const specOf = (
    members: EtcdSpec['initialCluster'],
    state: EtcdSpec['initialClusterState'],
    restart: boolean,
  ): EtcdSpec => ({
    name: facts.hostname,
    dataDir: paths.etcdData,
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

  /** As Talos: ask a control plane that is up to add this one as a learner; ask again while etcd refuses. */
  const join = async (signal: AbortSignal): Promise<{ members: readonly EtcdMemberInfo[]; id: bigint }> => {
    for (let n = 0; ; n += 1) {
      signal.throwIfAborted();
      const planes = ports.peers().filter((candidate) => candidate.role === 'control-plane');
      const peer = planes[n % Math.max(1, planes.length)];
      if (peer === undefined) machine.log('etcd: waiting for a control plane to join');
      else {
        const client = clientOf(peer.privateIPv4);
        try {
          const known = await client.members({ linearizable: true });
          // A member of this name that is still listed is taken as this one, as Talos does.
          const own = known.find((member) => member.name === facts.hostname);
          if (own !== undefined) return { members: known, id: own.id };
          const added = await client.memberAdd([peerURL(advertised())], true);
          machine.log(`etcd: added as learner {"member": "${added.member.id.toString(16)}", "via": "${peer.name}"}`);
          return { members: added.members, id: added.member.id };
        } catch (error) {
          machine.log(`retrying error: error adding member: ${textOf(error)}`);
        } finally {
          client.close();
        }
      }
      await clock.sleep(times.joinRetryMs, signal);
    }
  };

  /** Asks the other control planes in turn: a learner does not promote itself. */
  const promote = async (id: bigint, signal: AbortSignal): Promise<void> => {
    for (let n = 0; ; n += 1) {
      signal.throwIfAborted();
      const others = ports.peers().filter((candidate) => candidate.role === 'control-plane');
      const peer = others[n % Math.max(1, others.length)];
      if (peer !== undefined) {
        const client = clientOf(peer.privateIPv4);
        try {
          await client.memberPromote(id);
          machine.log(`etcd: successfully promoted etcd member {"member": "${id.toString(16)}"}`);
          return;
        } catch (error) {
          if (/not a learner|not found/.test(textOf(error))) return;
          machine.log(`retrying error: error promoting member: ${textOf(error)}`);
        } finally {
          client.close();
        }
      }
      await clock.sleep(times.promoteRetryMs, signal);
    }
  };

  /** Talos calls etcd healthy after a quorum read; it looks rarely, so the word may be old. */
  const watchHealth = async (signal: AbortSignal): Promise<void> => {
    const client = clientOf(host.hidden);
    try {
      while (!signal.aborted) {
        const well = await client.range('talos:v1:health').then(
          () => true,
          () => false,
        );
        const state = machine.services.get('etcd');
        if (!signal.aborted && state !== undefined && state.healthy !== well) {
          machine.service('etcd', 'Running', well, well ? 'Health check successful' : 'Health check failed');
        }
        await clock.sleep(well ? times.etcdHealthMs : Math.min(1_000, times.etcdHealthMs), signal);
      }
    } catch {
      // The machine stops.
    } finally {
      client.close();
    }
  };

  /** Starts the member's process and sees to it that it runs again when it ends by itself. */
  const run = async (spec: EtcdSpec, signal: AbortSignal): Promise<void> => {
    await makeFolders([paths.etcdData, paths.logs]);
    machine.service('etcd', 'Preparing', undefined, 'Running pre state');
    // Peers must reach each other before any of them can listen for clients.
    await host.open(2380);
    const started = await ports.parts.etcd.start(spec);
    part = started;
    signal.throwIfAborted();
    await host.open(2379);
    machine.service('etcd', 'Running', undefined, 'Started task etcd');
    void started.exited.then(async () => {
      if (stopping || part !== started) return;
      machine.service('etcd', 'Failed', false, 'Task etcd ended');
      await Promise.all([host.shut(2379), host.shut(2380)]);
      await clock.sleep(times.joinRetryMs, signal).catch(() => {});
      if (!stopping && !signal.aborted) await launch({ ...spec, restart: true }, signal).catch(() => {});
    });
  };

  /** Tried until it runs; a member that ends at once leaves its reason in the log. */
  const launch = async (spec: EtcdSpec, signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        starting = run(spec, signal);
        await starting;
        return;
      } catch (error) {
        signal.throwIfAborted();
        const text = textOf(error);
        if (machine.services.get('etcd')?.events.at(-1)?.message !== text) {
          machine.log(`service[etcd](Failed): ${text}`);
        }
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

  return {
    get part() {
      return part;
    },
    localClient: () => clientOf(host.hidden),
    async start(begin, signal) {
      stopping = false;
      await readTls();
      let learner: bigint | undefined;
      if (begin.kind === 'founding') {
        const members = begin.members.map((member) => ({ name: member.name, peerURL: peerURL(member.privateIPv4) }));
        await launch(specOf(members, 'new', false), signal);
      } else if (begin.kind === 'restart') {
        const self = [{ name: facts.hostname, peerURL: peerURL(advertised()) }];
        await launch(specOf(self, 'existing', true), signal);
      } else {
        const { members, id } = await join(signal);
        learner = id;
        const cluster = members.flatMap((member) =>
          member.peerURLs.map((url) => ({
            name: member.id === id ? facts.hostname : member.name || member.id.toString(16),
            peerURL: url,
          })),
        );
        await launch(specOf(cluster, 'existing', false), signal);
      }
      machine.etcdMemberId = await untilAnswers(signal);
      machine.changed();
      if (learner !== undefined) await promote(learner, signal);
      health?.abort();
      health = new AbortController();
      void watchHealth(AbortSignal.any([signal, health.signal]));
    },
    async stop() {
      stopping = true;
      health?.abort();
      machine.services.delete('etcd');
      machine.changed();
      await Promise.all([part?.stop(times.podGraceMs), host.shut(2379), host.shut(2380)]);
      part = undefined;
    },
    async kill() {
      stopping = true;
      await part?.kill();
      // One that was just being started has no handle yet.
      await starting.catch(() => {});
      await part?.kill();
      part = undefined;
    },
    async leave() {
      const client = clientOf(host.hidden);
      try {
        if (machine.etcdMemberId !== undefined) await client.memberRemove(machine.etcdMemberId);
      } finally {
        client.close();
      }
      stopping = true;
      health?.abort();
      await Promise.all([part?.stop(times.podGraceMs), host.shut(2379), host.shut(2380)]);
      part = undefined;
      machine.etcdMemberId = undefined;
      await rm(paths.etcdData, { recursive: true, force: true });
      machine.service('etcd', 'Finished', undefined, 'Service finished successfully');
    },
  };
}
