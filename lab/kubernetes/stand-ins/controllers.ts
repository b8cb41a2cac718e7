import type { Clock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import { createApiClient, type ApiAccess, type ApiClient } from '../http.ts';
import { reconcileNamespaces } from './namespaces.ts';
import { createHeartbeats, reconcileNodes } from './nodes.ts';

/** An API server the controllers may use, as system:masters. */
export interface Candidate {
  readonly node: string;
  readonly access: ApiAccess;
}

export interface ControllerPorts {
  readonly clock: Clock;
  readonly speed: number;
  /** The control planes that are up now; tried in turn until one is ready. */
  readonly candidates: () => readonly Candidate[];
  /** Ids of the cloud's servers: a machine made anew has the name of the old one, never its id. */
  readonly serverIds: () => readonly number[];
  readonly log: (line: string) => void;
}

export interface Controllers {
  /** Resolves once the namespace `default` has its account: whoever is handed a cluster may ask it for a token. */
  readonly furnished: Promise<void>;
  close(): Promise<void>;
}

const USER_AGENT = 'fairlead-lab/controllers';
/** How often kube-controller-manager looks at the nodes, milliseconds at speed 1. */
const MONITOR_MS = 5_000;
const RESYNC_MS = 30_000;
const RETRY_MS = 500;

/**
 * Does, once for the whole lab, what users see of kube-controller-manager: default ServiceAccounts and root certificates,
 * the end of namespaces, nodes that are lost or gone. Works through any API server that is ready, and through the next
 * one when that stops answering.
 */
export function startControllers(ports: ControllerPorts): Controllers {
  const over = new AbortController();
  const heartbeats = createHeartbeats(ports.clock);
  const rules = { ...ports, heartbeats };
  const furnished = Promise.withResolvers<void>();
  let last = '';

  const connect = async (): Promise<{ readonly client: ApiClient; readonly candidate: Candidate } | undefined> => {
    for (const candidate of ports.candidates()) {
      const client = createApiClient(candidate.access, { userAgent: USER_AGENT, timeoutMs: 5_000 });
      const ready = await client
        .request('GET', '/readyz', { signal: AbortSignal.any([over.signal, AbortSignal.timeout(2_000)]) })
        .catch(() => undefined);
      if (ready?.status === 200) return { client, candidate };
      client.close();
    }
    return undefined;
  };

  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const connected = await connect();
      if (connected !== undefined) {
        const { client, candidate } = connected;
        if (candidate.node !== last) ports.log(`controllers: working through ${candidate.node}`);
        last = candidate.node;
        heartbeats.forget();
        const session = new AbortController();
        const signal = AbortSignal.any([over.signal, session.signal]);
        try {
          await Promise.race([
            keepNamespaces(ports, client, candidate.access.ca, furnished.resolve, signal),
            every(ports.clock, MONITOR_MS / ports.speed, signal, () => reconcileNodes(client, rules, signal)),
          ]);
        } catch (error) {
          if (!over.signal.aborted) ports.log(`controllers: ${candidate.node}: ${textOf(error)}`);
        } finally {
          session.abort();
          client.close();
        }
      }
      await ports.clock.sleep(RETRY_MS, over.signal).catch(() => {});
    }
  };
  const running = run();

  return {
    furnished: furnished.promise,
    async close() {
      over.abort();
      await running;
    },
  };
}

async function every(clock: Clock, ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await clock.sleep(ms, signal).catch(() => {});
  }
}

/** Looks whenever a watch says that something changed, and now and then all the same. */
async function keepNamespaces(
  ports: ControllerPorts,
  client: ApiClient,
  rootCa: string,
  furnished: () => void,
  signal: AbortSignal,
): Promise<void> {
  let wake = (): void => {};
  let dirty = true;
  const follow = async (path: string): Promise<void> => {
    while (!signal.aborted) {
      for await (const _event of client.watch(path, signal)) {
        dirty = true;
        wake();
      }
    }
  };
  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      if (dirty) {
        dirty = false;
        if ((await reconcileNamespaces(client, rootCa, signal)).has('default')) furnished();
        continue;
      }
      const woken = new Promise<void>((resolve) => (wake = resolve));
      const slept = new AbortController();
      await Promise.race([
        woken,
        ports.clock.sleep(RESYNC_MS, AbortSignal.any([signal, slept.signal])).catch(() => {}),
      ]);
      slept.abort();
      // Several changes at once are one look.
      await ports.clock.sleep(20, signal).catch(() => {});
      dirty = true;
    }
  };
  await Promise.race([
    follow('/api/v1/namespaces?watch=1'),
    follow('/api/v1/serviceaccounts?watch=1&fieldSelector=metadata.name%3Ddefault'),
    follow('/api/v1/configmaps?watch=1&fieldSelector=metadata.name%3Dkube-root-ca.crt'),
    look(),
  ]);
}
