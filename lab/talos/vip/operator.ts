import type { Clock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import type { VipOperatorSpec } from '../config/types.ts';
import {
  currentLeader,
  electionPrefix,
  openSession,
  resign,
  standForElection,
  untilElected,
  untilOtherLeader,
  type Candidacy,
  type Session,
} from './election.ts';
import type { VipHandler } from './hcloud.ts';

export interface OperatorPorts {
  readonly clock: Clock;
  readonly hostname: string;
  readonly sessionTtlSeconds: number;
  readonly retryMs: number;
  /** A client of the local etcd member; closed by the operator. */
  readonly etcd: () => EtcdClient;
  readonly handler: VipHandler | undefined;
  /** etcd runs and is healthy, and the kubelet is not being stopped. Resolves when that holds. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  /** Releases before the lease revoke leave the key of an aborted candidacy in the queue until its lease runs out. */
  readonly revokesLeases: boolean;
  readonly claim: (ip: string, link: string) => Promise<void>;
  readonly unclaim: (ip: string) => Promise<void>;
  /** A session to go on with, asked once: its key is in the queue already, or it had the address. */
  readonly kept?: { readonly lease: bigint; readonly leading: boolean } | undefined;
  readonly log: (line: string) => void;
}

export interface VipOperator {
  readonly spec: VipOperatorSpec;
  readonly leading: boolean;
  /** Its session in etcd, while it has one. */
  readonly lease: bigint | undefined;
  /** The etcd service or the API server's pod object is gone: lets the address go, then stands again. */
  letGo(): void;
  /** `graceful`: the whole order of release. `cancelled` (the spec is gone): the cloud is not asked. */
  stop(how: 'graceful' | 'cancelled'): Promise<void>;
  /** The machine is dead: nothing more is said to anyone, the lease has to run out. */
  kill(): void;
}

/** Runs one shared IP: stands for election, holds the address while it leads, stands again after any failure. */
export function startVipOperator(spec: VipOperatorSpec, ports: OperatorPorts): VipOperator {
  const ended = new AbortController();
  let how: 'graceful' | 'cancelled' | 'killed' = 'graceful';
  let round = new AbortController();
  let leading = false;
  let lease: bigint | undefined;
  let { kept } = ports;

  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      try {
        await ports.ready(ended.signal);
        round = new AbortController();
        await standOnce(AbortSignal.any([ended.signal, round.signal]));
      } catch (error) {
        if (!ended.signal.aborted && !round.signal.aborted) {
          ports.log(`warn campaign failure {"link": "${spec.link}", "ip": "${spec.ip}", "error": "${textOf(error)}"}`);
        }
      }
      await ports.clock.sleep(ports.retryMs, ended.signal).catch(() => {});
    }
  };

  const standOnce = async (signal: AbortSignal): Promise<void> => {
    const client = ports.etcd();
    let session: Session | undefined;
    let candidacy: Candidacy | undefined;
    let elected = false;
    const before = kept;
    kept = undefined;
    try {
      const prefix = electionPrefix(spec.ip);
      session = await openSession(client, ports.clock, ports.sessionTtlSeconds, before?.lease);
      if (before === undefined) await resignEarlierSelf(client, prefix);
      lease = session.lease;
      signal.throwIfAborted();
      candidacy = await standForElection(client, session, prefix, ports.hostname);
      await orLost(session, signal, (either) =>
        untilElected(client, ports.clock, prefix, candidacy as Candidacy, either),
      );
      elected = true;
      // Where the cloud leads the address was kept too, whatever it was.
      if (before?.leading !== true) await ports.handler?.acquire(signal);
      await ports.claim(spec.ip, spec.link);
      leading = true;
      ports.log(`enabled shared IP {"link": "${spec.link}", "ip": "${spec.ip}"}`);
      await holdUntilLost(client, session, prefix, signal);
    } finally {
      if (how !== 'killed') {
        if (leading) await release();
        if (elected && candidacy !== undefined) await resign(client, candidacy).catch(() => {});
        await session?.close(elected || ports.revokesLeases);
      } else await session?.close(false);
      leading = false;
      lease = undefined;
      client.close();
    }
  };

  /** A key of an earlier run of this machine that still leads would keep the queue waiting. */
  const resignEarlierSelf = async (client: EtcdClient, prefix: string): Promise<void> => {
    const leader = await currentLeader(client, prefix);
    if (leader === undefined || new TextDecoder().decode(leader.value) !== ports.hostname) return;
    ports.log(`resigning from previous election {"key": "${leader.key}"}`);
    await resign(client, { key: leader.key, revision: leader.createRevision });
  };

  const holdUntilLost = async (
    client: EtcdClient,
    session: Session,
    prefix: string,
    signal: AbortSignal,
  ): Promise<void> => {
    await orLost(session, signal, async (either) => {
      const other = await untilOtherLeader(client, ports.clock, prefix, ports.hostname, either);
      ports.log(`detected new leader {"leader": "${other}"}`);
    });
  };

  const orLost = async (
    session: Session,
    signal: AbortSignal,
    work: (either: AbortSignal) => Promise<void>,
  ): Promise<void> => {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    try {
      await Promise.race([
        work(either),
        session.lost.then(() => {
          if (!stop.signal.aborted && how !== 'killed' && !signal.aborted) ports.log('etcd session closed');
          throw new Error('etcd session closed');
        }),
        aborted(signal),
      ]);
    } finally {
      stop.abort();
    }
  };

  const release = async (): Promise<void> => {
    const where = `"link": "${spec.link}", "ip": "${spec.ip}"`;
    if (how !== 'cancelled') {
      await ports.handler?.release(new AbortController().signal).catch((error: unknown) => {
        ports.log(`failed disabling shared IP {${where}, "error": "${textOf(error)}"}`);
      });
    }
    await ports.unclaim(spec.ip);
    ports.log(`removing shared IP {${where}}`);
  };

  const done = run();
  return {
    spec,
    get leading() {
      return leading;
    },
    get lease() {
      return lease;
    },
    letGo() {
      round.abort();
    },
    async stop(reason) {
      if (how !== 'killed') how = reason;
      ended.abort();
      await done;
    },
    kill() {
      how = 'killed';
      leading = false;
      ended.abort();
    },
  };
}

/** Rejects with the signal's reason; never resolves. */
const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    const stop = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
