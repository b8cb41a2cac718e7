import { Failure, textOf } from '../base/failure.ts';
import { KubernetesError } from '../systems/kubernetes/errors.ts';
import type { KubernetesClient } from '../systems/kubernetes/types.ts';
import type { Systems } from '../observe/systems.ts';

const ROUNDS = 15;
const PAUSE_MS = 2_000;

/** An API server that decided (a conflict, no such object, no right) is not asked again elsewhere. */
const decided = (error: unknown): boolean =>
  error instanceof KubernetesError && ['conflict', 'not-found', 'forbidden', 'unauthorized'].includes(error.code);

/**
 * Runs a call at whichever control plane answers, each at its own address, and waits a while when none does: while one restarts the
 * others answer, and an election of etcd's leader silences all of them for a second or two.
 */
export function anyPlane(
  { clock }: Pick<Systems, 'clock'>,
  clients: readonly KubernetesClient[],
): <T>(call: (client: KubernetesClient) => Promise<T>) => Promise<T> {
  return async (call) => {
    const troubles: unknown[] = [];
    for (let round = 0; round < ROUNDS && clients.length > 0; round += 1) {
      for (const client of clients) {
        try {
          return await call(client);
        } catch (error) {
          if (decided(error)) throw error;
          troubles.push(error);
        }
      }
      await clock.sleep(PAUSE_MS);
    }
    throw new Failure({
      code: 'no-api-server',
      what: 'No API server answered at its own address',
      why: troubles.slice(-clients.length).map(textOf).join('; ') || 'no control plane has an address of its own',
      state: 'This call was not made; what was done before it stands.',
      next: 'Run `fairlead verify` for the cause, then the same command again.',
    });
  };
}
