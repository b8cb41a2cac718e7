import { Failure, textOf } from '../base/failure.ts';
import { KubernetesError } from '../systems/kubernetes/errors.ts';
import type { KubernetesClient } from '../systems/kubernetes/types.ts';
import type { Systems } from '../observe/systems.ts';

const ROUNDS = 15;
const PAUSE_MS = 2_000;
const CALL_MS = 3_000;

/** No control plane answered; each in its own words. */
export class NoneAnswered extends Error {
  override readonly name = 'NoneAnswered';
  constructor(troubles: readonly unknown[]) {
    super(troubles.map(textOf).join('; ') || 'no control plane has an address of its own');
  }
}

/** What an API server decided (a conflict, no such object, no right) is not asked again elsewhere. */
const decided = (error: unknown): boolean =>
  error instanceof KubernetesError && ['conflict', 'not-found', 'forbidden', 'unauthorized'].includes(error.code);

/**
 * Asks one control plane after the other, each at its own address and for a few seconds only, until one answers. Throws what an API
 * server decided, the signal's reason, or NoneAnswered.
 */
export async function firstPlane<T>(
  clients: readonly KubernetesClient[],
  ask: (client: KubernetesClient, limit: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const troubles: unknown[] = [];
  for (const client of clients) {
    signal?.throwIfAborted();
    const limit = AbortSignal.timeout(CALL_MS);
    try {
      return await ask(client, signal === undefined ? limit : AbortSignal.any([limit, signal]));
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (decided(error)) throw error;
      troubles.push(error);
    }
  }
  throw new NoneAnswered(troubles);
}

/**
 * The same, waiting a while when none answers: while one restarts the others answer, and an election of etcd's leader silences all of
 * them for a second or two.
 */
export function anyPlane(
  { clock }: Pick<Systems, 'clock'>,
  clients: readonly KubernetesClient[],
): <T>(call: (client: KubernetesClient, limit: AbortSignal) => Promise<T>) => Promise<T> {
  return async (call) => {
    for (let round = 1; ; round += 1) {
      try {
        return await firstPlane(clients, call);
      } catch (error) {
        if (!(error instanceof NoneAnswered)) throw error;
        if (clients.length === 0 || round === ROUNDS) throw noApiServer(error);
        await clock.sleep(PAUSE_MS);
      }
    }
  };
}

const noApiServer = (cause: NoneAnswered): Failure =>
  new Failure({
    code: 'no-api-server',
    what: 'No API server answered at its own address',
    why: cause.message,
    state: 'This call was not made; what was done before it stands.',
    next: 'Run `fairlead verify` for the cause, then the same command again.',
    cause,
  });
