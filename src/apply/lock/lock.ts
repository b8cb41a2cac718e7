import type { Clock } from '../../base/clock.ts';
import type { ProcessTable } from '../../base/processes.ts';
import { EXIT, Failure, textOf } from '../../base/failure.ts';
import { KubernetesError } from '../../systems/kubernetes/errors.ts';
import type { KubernetesClient, LeaseRecord } from '../../systems/kubernetes/types.ts';
import { firstPlane, NoneAnswered } from '../any-plane.ts';
import { judgeLock, LOCK, LOCK_SECONDS } from './judge.ts';
import { isDeadHere, ownerText, ownerWords, parseOwner } from './owner.ts';

export interface LockPorts {
  readonly clock: Clock;
  readonly processes: ProcessTable;
  /** One client for each control plane, at its own address: the lock must not hang on the endpoint that is being changed. */
  readonly clients: readonly KubernetesClient[];
  readonly signal: AbortSignal | undefined;
  /** Says what is waited for. */
  readonly waiting: (what: string) => void;
}

/** The lock of a cluster, while this process has it. */
export interface Lock {
  /** How it was come by, for the record. */
  readonly how: string;
  /** Why it no longer counts as this process's; undefined while it does. */
  trouble(): string | undefined;
  /** Throws a Failure (exit 4) unless the lock is still this process's; asked before every change. */
  stillMine(): Promise<void>;
  release(): Promise<void>;
}

const LOOK_MS = 1_000;
const RENEW_MS = 5_000;
/** Past this without a renewal nothing more is begun: another machine may count us dead at LOCK_SECONDS. */
const TRUST_MS = (LOCK_SECONDS * 1000 * 2) / 3;

/**
 * Takes the lock of the cluster: a Lease, so that two people, or two CI jobs, never both apply. Waits for the lock of an owner who may
 * be dead, at most until that is proven; refuses (exit 4) when the owner shows a sign of life.
 */
export async function takeLock(ports: LockPorts): Promise<Lock> {
  try {
    return await take(ports);
  } catch (error) {
    throw error instanceof NoneAnswered || error instanceof KubernetesError ? unreachable(error) : error;
  }
}

async function take(ports: LockPorts): Promise<Lock> {
  const { clock, processes, signal } = ports;
  const { read, write } = leaseAt(ports);
  const me = ownerText(await processes.self());
  let watched: { readonly version: string | undefined; readonly since: number } | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const lease = await read();
    const now = clock.now();
    const alive = watched !== undefined && watched.version !== lease?.resourceVersion;
    if (alive && lease !== undefined && lease.holder !== '') throw held(lease);
    watched ??= { version: lease?.resourceVersion, since: now };
    const owner = lease === undefined ? undefined : parseOwner(lease.holder);
    const state = judgeLock(lease, {
      me,
      deadHere: owner !== undefined && (await isDeadHere(processes, owner)),
      unchangedMs: now - watched.since,
    });
    if (state.kind === 'held') {
      ports.waiting(
        `the lock: ${ownerWords(lease?.holder ?? '')} has it, and is given ${LOCK_SECONDS} s to show a sign of life`,
      );
      await clock.sleep(LOOK_MS, signal);
      continue;
    }
    const how = state.kind === 'dead' ? `taken over from ${ownerWords(lease?.holder ?? '')}: ${state.why}` : 'taken';
    try {
      return keep(ports, me, how, await write(next(clock, me, lease)));
    } catch (error) {
      // Somebody was faster, or the answer was lost: look again.
      if (!overtaken(error)) throw error;
      watched = undefined;
    }
  }
}

const next = (clock: Clock, holder: string, before: LeaseRecord | undefined): LeaseRecord => {
  const now = clock.wall();
  return {
    holder,
    durationSeconds: LOCK_SECONDS,
    acquired: before?.holder === holder ? before.acquired : now,
    renewed: now,
    transitions: (before?.transitions ?? -1) + (before?.holder === holder ? 0 : 1),
    resourceVersion: before?.resourceVersion,
  };
};

function keep(ports: LockPorts, me: string, how: string, taken: LeaseRecord): Lock {
  const { clock, clients } = ports;
  const ended = new AbortController();
  const renewal = leaseAt({ clients, signal: ended.signal });
  let lease = taken;
  let renewedAt = clock.now();
  let lost: string | undefined;
  let renewing: Promise<void> | undefined;

  /** Never rejects: what a renewal that did not come means is told by `trouble`. */
  async function renew(): Promise<void> {
    const began = clock.now();
    try {
      lease = await renewal.write(next(clock, me, lease));
      renewedAt = began;
    } catch (error) {
      if (!overtaken(error)) return;
      // A lost answer of our own last renewal looks the same as another's hand.
      const now = await renewal.read().catch(() => undefined);
      if (now?.holder === me) lease = now;
      else if (now !== undefined)
        lost = now.holder === '' ? 'somebody released it' : `${ownerWords(now.holder)} has it`;
    }
  }
  const once = (): Promise<void> => (renewing ??= renew().finally(() => (renewing = undefined)));

  const beat = (async () => {
    for (;;) {
      await clock.sleep(RENEW_MS, ended.signal);
      if (lost === undefined) await once();
    }
  })();
  // It ends with the signal, and in no other way.
  beat.catch(() => {});

  const trouble = (): string | undefined => {
    const silent = clock.now() - renewedAt;
    return lost ?? (silent > TRUST_MS ? `it could not be renewed for ${Math.round(silent / 1000)} s` : undefined);
  };
  return {
    how,
    trouble,
    async stillMine() {
      if (lost === undefined && clock.now() - renewedAt > RENEW_MS * 2) await once();
      const why = trouble();
      if (why !== undefined) throw gone(why);
    },
    async release() {
      ended.abort();
      await renewing;
      if (lost !== undefined) return;
      const { read, write } = leaseAt({ clients, signal: undefined });
      const free = (now: LeaseRecord): LeaseRecord => ({ ...next(clock, me, now), holder: '', acquired: undefined });
      try {
        await write(free(lease));
      } catch (error) {
        if (!overtaken(error)) throw error;
        // The answer of our own last renewal was lost, or somebody has taken it over: then it is theirs.
        const now = await read();
        if (now?.holder === me) await write(free(now));
      }
    },
  };
}

/** Whether an API server said that the Lease is not as it was read. */
const overtaken = (error: unknown): boolean =>
  error instanceof KubernetesError && (error.code === 'conflict' || error.code === 'not-found');

/** The Lease at whichever control plane answers. */
const leaseAt = ({ clients, signal }: Reach) => ({
  read: () => firstPlane(clients, (client, limit) => client.lease(LOCK.namespace, LOCK.name, limit), signal),
  write: (lease: LeaseRecord) =>
    firstPlane(clients, (client, limit) => client.writeLease(LOCK.namespace, LOCK.name, lease, limit), signal),
});

type Reach = Pick<LockPorts, 'clients' | 'signal'>;

const unreachable = (cause: unknown): Failure =>
  new Failure({
    code: 'lock-unreachable',
    exit: EXIT.refused,
    what: 'The lock of the cluster cannot be reached',
    why: textOf(cause),
    state: 'Nothing was begun after that.',
    next: 'Make one API server answer at its own address. Where none can, --without-lock REASON goes without, and the record keeps the reason.',
    cause,
  });

const held = (lease: LeaseRecord): Failure =>
  new Failure({
    code: 'locked',
    exit: EXIT.refused,
    what: 'Somebody else is changing this cluster',
    why: `${ownerWords(lease.holder)} has the lock since ${lease.acquired?.toISOString() ?? 'a time it does not say'}, last renewed ${lease.renewed?.toISOString() ?? 'never'}`,
    state: 'Nothing was changed.',
    next: `Wait until that run has ended (Lease ${LOCK.namespace}/${LOCK.name}); a dead owner is recognised after ${LOCK_SECONDS} s.`,
  });

const gone = (why: string): Failure =>
  new Failure({
    code: 'lock-lost',
    exit: EXIT.refused,
    what: 'The lock of the cluster was lost',
    why,
    state: 'No further change was begun; those before stand.',
    next: 'Find out who else works on the cluster, then run the same command again: it looks first.',
  });
