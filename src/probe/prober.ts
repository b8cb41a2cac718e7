import { setMaxListeners } from 'node:events';
import type { Clock } from '../base/clock.ts';
import type { Redacted } from '../base/redacted.ts';
import { type Dial, dialOf } from './dial.ts';
import { type Answer, exchange, type ProbeRequest } from './exchange.ts';
import { keepConnection } from './kept.ts';
import { neverAnswered, outagesOf } from './outages.ts';
import { reportOf, type Segment } from './report.ts';
import type { ProbePath, Prober, ProbeSample, ProbeTarget } from './types.ts';

export interface ProberOptions {
  readonly targets: readonly ProbeTarget[];
  /** Default 100. */
  readonly readEveryMs?: number;
  /** Writes, reads on the kept connection, and token reads. Default 500. */
  readonly writeEveryMs?: number;
  /** Default 2000. */
  readonly timeoutMs?: number;
  /** A service-account token that must stay good; without one the token path is not measured. */
  readonly token?: Redacted;
  readonly namespace: string;
  /** The ConfigMap that is read and written; it must exist. */
  readonly configMap: string;
  /** Stops the prober when aborted. */
  readonly signal?: AbortSignal;
}

interface RunningTarget {
  readonly segment: Segment & { until: number | undefined };
  readonly stop: AbortController;
}

/**
 * Measures whether API servers can be used, from a client's point of view. Open loop: a request is sent when its time
 * has come, whether or not the last one has been answered, so that one hanging request does not hide the next.
 * Per target: reads of a ConfigMap (linearizable: no resourceVersion) each on a new TLS connection; writes and reads on
 * a kept one; reads with a token. A request counts as failed on time-out, broken connection, 401 and 5xx.
 */
export function startProber(ports: { readonly clock: Clock }, options: ProberOptions): Prober {
  const { clock } = ports;
  const { readEveryMs = 100, writeEveryMs = 500, timeoutMs = 2000, token } = options;
  const configMap = `/api/v1/namespaces/${options.namespace}/configmaps/${options.configMap}`;
  const running = new Map<string, RunningTarget>();
  const segments: Segment[] = [];
  const marks = new Map<string, number>();
  const loops: Promise<void>[] = [];
  let stoppedAt: number | undefined;
  let beats = 0;

  function addTarget(target: ProbeTarget): void {
    if (stoppedAt !== undefined) throw new Error('the prober has been stopped');
    if (running.has(target.name)) throw new Error(`${target.name} is being probed already`);
    const { auth } = target.context;
    if (auth.kind === 'other') throw new Error(`${target.name} cannot be probed: ${auth.why}`);
    const dial = dialOf(target.context);
    const bearer = token === undefined ? undefined : bearerOf(target, token);
    const kept = keepConnection(dial);
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    stop.signal.addEventListener('abort', () => kept.close(), { once: true });
    const segment = { target: target.name, samples: [] as ProbeSample[], until: undefined as number | undefined };

    const sampled = (path: ProbePath, everyMs: number, send: () => Promise<Answer>): void => {
      // Requests end by themselves after `timeoutMs`, so no more than this can be under way; the bound is a guard.
      const most = Math.ceil(timeoutMs / everyMs) + 2;
      let inFlight = 0;
      const once = async (): Promise<void> => {
        if (inFlight >= most) return;
        inFlight += 1;
        const startedAt = clock.now();
        const answer = await send();
        inFlight -= 1;
        if (segment.until !== undefined) return;
        segment.samples.push({ target: target.name, path, startedAt, endedAt: clock.now(), ...judge(path, answer) });
      };
      // Targets do not all dial in the same instant, and a write does not meet the read on its own connection.
      const offsetMs = ((segments.length * 37) % everyMs) + (path === 'write' ? everyMs / 2 : 0);
      loops.push(tick(clock, everyMs, offsetMs, stop.signal, () => void once()));
    };

    const read: ProbeRequest = { method: 'GET', path: configMap };
    sampled('readNewConnection', readEveryMs, () => exchange(dial, read, timeoutMs, stop.signal));
    sampled('readKeptConnection', writeEveryMs, () => kept.exchange(read, timeoutMs));
    sampled('write', writeEveryMs, () => kept.exchange(writeOf(configMap, (beats += 1)), timeoutMs));
    if (bearer !== undefined) {
      const version: ProbeRequest = { method: 'GET', path: '/version' };
      sampled('token', writeEveryMs, () => exchange(bearer, version, timeoutMs, stop.signal));
    }
    segments.push(segment);
    running.set(target.name, { segment, stop });
  }

  function removeTarget(name: string): void {
    const target = running.get(name);
    if (target === undefined) return;
    running.delete(name);
    target.segment.until = clock.now();
    target.stop.abort();
  }

  async function stop(): Promise<void> {
    stoppedAt ??= clock.now();
    for (const name of running.keys()) removeTarget(name);
    await Promise.all(loops);
  }

  for (const target of options.targets) addTarget(target);
  options.signal?.addEventListener('abort', () => void stop(), { once: true });
  if (options.signal?.aborted === true) void stop();

  return {
    addTarget,
    removeTarget,
    mark: (name) => void marks.set(name, clock.now()),
    report(sinceMark) {
      const since = sinceMark === undefined ? undefined : marks.get(sinceMark);
      if (sinceMark !== undefined && since === undefined) throw new Error(`no mark named ${sinceMark}`);
      return reportOf(segments, clock.now(), since);
    },
    outages: () => ({
      gaps: outagesOf(segments, stoppedAt ?? clock.now()),
      neverAnswered: neverAnswered(segments),
    }),
    stop,
  };
}

/** The token's own connection shows no client certificate: the token alone must be enough. */
const bearerOf = (target: ProbeTarget, token: Redacted): Dial =>
  dialOf({ ...target.context, auth: { kind: 'token', token } });

const writeOf = (path: string, beat: number): ProbeRequest => ({
  method: 'PATCH',
  path,
  contentType: 'application/merge-patch+json',
  body: JSON.stringify({ data: { beat: String(beat) } }),
});

/** What an answer says about availability. A token is judged by 401 alone: 403 means it was known and had no rights. */
function judge(path: ProbePath, answer: Answer): Pick<ProbeSample, 'ok' | 'status' | 'error'> {
  if (answer.kind === 'failed') {
    const error = answer.reason === 'tls' ? `tls: ${answer.message}` : answer.reason;
    return { ok: false, error };
  }
  const { status } = answer;
  // A conflict is another writer's success: the server stored something.
  const ok =
    (status >= 200 && status < 300) || (path === 'write' && status === 409) || (path === 'token' && status === 403);
  return ok ? { ok, status } : { ok, status, error: `HTTP ${status}` };
}

/** Calls `run` at fixed times; times that were missed because the process was busy are left out, not made up for. */
async function tick(
  clock: Clock,
  everyMs: number,
  offsetMs: number,
  signal: AbortSignal,
  run: () => void,
): Promise<void> {
  let next = clock.now() + offsetMs;
  while (!signal.aborted) {
    try {
      await clock.sleep(next - clock.now(), signal);
    } catch {
      return;
    }
    run();
    next = Math.max(next + everyMs, clock.now());
  }
}
