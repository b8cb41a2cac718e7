import { Failure } from '../base/failure.ts';
import { waitFor } from '../base/retry.ts';
import { covers, endpointUrl } from '../model/endpoint.ts';
import type { HandshakeResult } from '../probe/types.ts';
import type { KubeContext } from '../systems/kubernetes/types.ts';
import type { RestartWatch } from './restart-watch.ts';
import type { Run } from './run.ts';
import { TIMINGS } from './timings.ts';

/** The cluster's credentials at one API server's own address. */
export const contextAt = (context: KubeContext, address: string, port: number): KubeContext => ({
  ...context,
  server: endpointUrl(address, port),
  tlsServerName: undefined,
});

export interface ApiServer {
  readonly node: string;
  readonly address: string;
  readonly port: number;
}

const PROBE_MS = 3_000;

export const shake = (run: Run, { address, port }: ApiServer): Promise<HandshakeResult> =>
  run.systems.handshake(address, port, { ca: run.systems.kubeContext.ca, timeoutMs: PROBE_MS });

/**
 * Waits for what a changed machine config does to an API server. Talos answers before anything has happened and reports nothing
 * when it has, so it is seen from outside: a new certificate (another serial) with all names, the old process gone, `/readyz` good
 * three times on new connections, and the token that was minted before still accepted.
 */
export async function awaitNewApiServer(
  run: Run,
  server: ApiServer,
  before: {
    readonly serial: string | undefined;
    readonly watch: RestartWatch;
    /** Whether a new certificate is to come: for changed arguments alone Talos makes none. */
    readonly reissues: boolean;
  },
  names: readonly string[],
): Promise<readonly string[]> {
  const { clock } = run.systems;
  let seenDown = false;
  let servedSince: number | undefined;
  let last = 'nothing seen yet';
  const evidence = await waitFor(
    clock,
    {
      everyMs: TIMINGS.lookEveryMs,
      timeoutMs: TIMINGS.apiServerMs,
      ...(run.signal === undefined ? {} : { signal: run.signal }),
    },
    async () => {
      const shaken = await shake(run, server);
      if (shaken.kind === 'failed') {
        seenDown = true;
        last = `TLS ${shaken.reason}: ${shaken.message}`;
        return undefined;
      }
      const served = [...shaken.dnsNames, ...shaken.ipAddresses];
      const missing = names.filter((name) => !covers(served, name));
      if ((before.reissues && shaken.serial === before.serial) || missing.length > 0 || !shaken.trusted) {
        last = `certificate ${shaken.serial}${missing.length > 0 ? ` without ${missing.join(', ')}` : ' as before'}`;
        return undefined;
      }
      servedSince ??= clock.now();
      const restarted = before.watch.ended || seenDown || clock.now() - servedSince > TIMINGS.noRestartMs;
      if (!restarted) {
        last = 'the certificate is as it should be, the old process still runs';
        return undefined;
      }
      const trouble = await readyInARow(run, server);
      if (trouble !== undefined) {
        seenDown = true;
        last = trouble;
        return undefined;
      }
      return [
        `certificate serial ${shaken.serial}: ${served.join(', ')}`,
        before.watch.ended || seenDown ? 'the API server was restarted' : 'no restart was seen',
        `/readyz good ${TIMINGS.goodInARow} times, the token from before accepted`,
      ];
    },
  );
  if (evidence !== undefined) {
    if (before.watch.ended || seenDown) run.restarts[server.node] = (run.restarts[server.node] ?? 0) + 1;
    return evidence;
  }
  throw new Failure({
    code: 'api-server-not-back',
    what: `The API server of ${server.node} did not come back as it should`,
    why: `${last} (waited ${TIMINGS.apiServerMs / 1000} s)`,
    state: `The new machine config is on ${server.node}; the other control planes were not touched after it.`,
    next: `Look at it (talosctl -n ${server.address} logs kube-apiserver -k); when it is ready, run fairlead apply again.`,
  });
}

async function readyInARow(run: Run, server: ApiServer): Promise<string | undefined> {
  const context = contextAt(run.systems.kubeContext, server.address, server.port);
  for (let n = 0; n < TIMINGS.goodInARow; n += 1) {
    if (n > 0) await run.systems.clock.sleep(TIMINGS.lookEveryMs, run.signal);
    const answer = await run.systems.ready(context, '/readyz', { timeoutMs: PROBE_MS });
    if (answer.kind === 'failed') return `/readyz ${answer.reason}: ${answer.message}`;
    if (answer.status !== 200) return `/readyz answered ${answer.status}`;
  }
  return tokenTrouble(run, context);
}

/** A token is known (2xx or 403) or refused (401); what it may do is not the question. */
export async function tokenTrouble(run: Run, context: KubeContext): Promise<string | undefined> {
  const answer = await run.systems.ready({ ...context, auth: { kind: 'token', token: run.token } }, '/version', {
    timeoutMs: PROBE_MS,
  });
  if (answer.kind === 'failed') return `token: ${answer.reason}: ${answer.message}`;
  return answer.status === 401 || answer.status >= 500
    ? `the token from before is answered with ${answer.status}`
    : undefined;
}
