import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../src/base/clock.ts';
import { EXIT, type ExitCode, Failure, textOf } from '../../src/base/failure.ts';
import { waitFor } from '../../src/base/retry.ts';
import { unshared } from '../fabric/netns/unshared.ts';
import type { FaultReport } from '../faults/types.ts';
import type { Knob } from '../knobs/types.ts';
import type { RequestRecord } from './audit.ts';
import { callControl } from './control-call.ts';
import type { Cut, CutReport } from './cuts.ts';
import type { IncidentReport } from './incidents/types.ts';
import type { DaemonMessage, LabInfo, LabOptions, LabRecord } from './info.ts';
import { leftInside } from './places.ts';
import type { SnapshotReport } from './snapshot/take.ts';
import { isAlive, killQuietly, killRecorded, type ProcessRecord } from './processes.ts';

/** The running lab, as commands see it. */
export interface LabClient {
  info(): Promise<LabInfo>;
  requests(since?: string): Promise<{ mark: number; requests: RequestRecord[] }>;
  operate(node: string, verb: string): Promise<Record<string, unknown>>;
  faults(): Promise<readonly FaultReport[]>;
  /** With what is in force. */
  knobs(): Promise<readonly Knob[]>;
  setFault(kind: string, parameters: Readonly<Record<string, unknown>>): Promise<FaultReport>;
  /** One, or all. */
  clearFaults(id?: string): Promise<readonly FaultReport[]>;
  /** Kills a process of the caller's at its k-th side effect; `id` names it to the other two. */
  armCut(cut: Cut): Promise<CutReport>;
  cut(id: string): Promise<CutReport>;
  disarmCut(id: string): Promise<CutReport>;
  /** Writes the whole world into one file; the path is absolute. */
  snapshot(file: string): Promise<SnapshotReport>;
  /** Brings the world up to where an incident was noticed. */
  runIncident(name: string): Promise<IncidentReport>;
  /** What is not as it has to be in any lab, a sentence each. */
  check(): Promise<readonly string[]>;
  /** Where commands run as `client` or as a node: the lab's process, and the namespace's file as that process sees it. */
  place(name: string): Promise<{ readonly pid: number; readonly file?: string }>;
}

const recordFile = (state: string): string => path.join(state, 'lab.json');
const LOCK = 'lab.lock';

async function readRecord(state: string): Promise<LabRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(state), 'utf8')) as LabRecord;
  } catch {
    return undefined;
  }
}

/** Finds the lab of a state folder again. Throws a Failure when none runs there. */
export async function findLab(state: string): Promise<LabClient> {
  const record = await readRecord(state);
  if (record === undefined || !(await isAlive(record))) throw noLab(state);
  const call = async (method: string, where: string, content?: unknown): Promise<unknown> => {
    let answer: Awaited<ReturnType<typeof callControl>>;
    try {
      answer = await callControl(record, method, where, content === undefined ? {} : { body: content });
    } catch (error) {
      throw new Failure({
        code: 'lab-silent',
        what: 'The lab does not answer',
        why: textOf(error),
        state: `Its process ${record.pid} runs.`,
        next: `Look into ${path.join(state, 'lab.log')}, or end it with \`fairlead lab down\`.`,
      });
    }
    if (!answer.ok) throw failureOf(answer.body);
    return answer.body;
  };
  return {
    info: async () => (await call('GET', '/info')) as LabInfo,
    requests: async (since) =>
      (await call('GET', `/requests${since === undefined ? '' : `?since=${encodeURIComponent(since)}`}`)) as {
        mark: number;
        requests: RequestRecord[];
      },
    operate: async (node, verb) =>
      (await call('POST', `/nodes/${encodeURIComponent(node)}/${verb}`)) as Record<string, unknown>,
    knobs: async () => ((await call('GET', '/knobs')) as { knobs: readonly Knob[] }).knobs,
    faults: async () => ((await call('GET', '/faults')) as { faults: readonly FaultReport[] }).faults,
    setFault: async (kind, parameters) =>
      (await call('POST', `/faults/${encodeURIComponent(kind)}`, parameters)) as FaultReport,
    clearFaults: async (id) => {
      const where = id === undefined ? '/faults' : `/faults/${encodeURIComponent(id)}`;
      return ((await call('DELETE', where)) as { cleared: readonly FaultReport[] }).cleared;
    },
    armCut: async (cut) => (await call('POST', '/kills', cut)) as CutReport,
    cut: async (id) => (await call('GET', `/kills/${encodeURIComponent(id)}`)) as CutReport,
    disarmCut: async (id) => (await call('DELETE', `/kills/${encodeURIComponent(id)}`)) as CutReport,
    snapshot: async (file) => (await call('POST', '/snapshot', { file })) as SnapshotReport,
    runIncident: async (name) => (await call('POST', `/incidents/${encodeURIComponent(name)}`)) as IncidentReport,
    check: async () => ((await call('GET', '/check')) as { violations: readonly string[] }).violations,
    place: async (name) =>
      (await call('GET', `/places/${encodeURIComponent(name)}`)) as { readonly pid: number; readonly file?: string },
  };
}

/** A Failure that came as JSON from the lab's process. */
function failureOf(body: unknown): Failure {
  const parts =
    typeof body === 'object' && body !== null && 'failure' in body && typeof body.failure === 'object'
      ? (body.failure as Record<string, unknown>)
      : {};
  const text = (key: string, otherwise: string): string => (typeof parts[key] === 'string' ? parts[key] : otherwise);
  return new Failure({
    code: text('code', 'lab-failure'),
    exit: typeof parts['exit'] === 'number' ? (parts['exit'] as ExitCode) : EXIT.failure,
    what: text('what', 'The lab failed'),
    why: text('why', JSON.stringify(body)),
    state: text('state', 'Unknown.'),
    next: text('next', 'See lab.log in its state folder.'),
  });
}

const noLab = (state: string): Failure =>
  new Failure({
    code: 'lab-absent',
    what: 'There is no lab here',
    why: `${state} holds no running lab`,
    state: 'Nothing was changed.',
    next: 'Start one with `fairlead lab up`, or name its folder with --state DIR.',
  });

/**
 * Starts a lab in the background and waits until it is up. Progress lines come as they happen. When `signal` aborts,
 * what was started is ended and the folder removed.
 */
export async function startLab(
  ports: { clock: Clock },
  state: string,
  options: LabOptions,
  progress: (text: string) => void,
  signal: AbortSignal,
  /** A snapshot to go on with; absolute. */
  snapshot?: string,
): Promise<LabInfo> {
  const before = inNamespaces(options);
  await claimState(state);
  const log = await open(path.join(state, 'lab.log'), 'a', 0o600);
  // Beside this file: as source in a checkout, bundled in dist.
  const source = fileURLToPath(new URL('./daemon.ts', import.meta.url));
  const daemon = existsSync(source) ? source : fileURLToPath(new URL('./daemon.js', import.meta.url));
  const own = [daemon, state, JSON.stringify(options), ...(snapshot === undefined ? [] : [snapshot])];
  const [program = process.execPath, ...args] = before.length === 0 ? [] : [...before, process.execPath];
  const child = spawn(program, [...args, ...own], {
    cwd: state,
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    // A lab never looks at the user's own cluster credentials.
    env: { ...process.env, KUBECONFIG: '/dev/null', TALOSCONFIG: '/dev/null' },
  });
  await log.close();
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('message', (message: DaemonMessage) => {
        if (message.kind === 'progress') progress(message.text);
        else if (message.kind === 'ready') resolve();
        else reject(failureOf(message));
      });
      child.once('error', reject);
      child.once('exit', (code, by) => {
        reject(
          signal.aborted
            ? signal.reason
            : new Failure({
                code: 'lab-start',
                what: 'The lab did not start',
                why: `its process ended (${by ?? `exit ${code}`}) before it was up`,
                state: 'Nothing of it is left running.',
                next: `Read ${path.join(state, 'lab.log')}.`,
              }),
        );
      });
    });
  } catch (error) {
    stop();
    const why = await readFile(path.join(state, 'lab.log'), 'utf8').catch(() => '');
    if (signal.aborted) await rm(state, { recursive: true, force: true });
    else await rm(path.join(state, LOCK), { force: true });
    if (error instanceof Failure && why !== '' && error.code === 'lab-start') {
      throw new Failure({
        ...error.toJSON(),
        code: error.code,
        exit: error.exit,
        what: error.what,
        why: `${error.why}\n${why.trimEnd().split('\n').slice(-3).join('\n')}`,
        state: error.state,
        next: error.next,
      });
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  child.removeAllListeners();
  if (child.connected) child.disconnect();
  child.unref();
  // From here on its record says whose folder this is.
  await rm(path.join(state, LOCK), { force: true });
  return (await findLab(state)).info();
}

/** In namespaces of its own, where the fabric is one of namespaces; `unshare` becomes the program, the pid stays. */
function inNamespaces(options: LabOptions): readonly string[] {
  if (options.fabric === 'loopback') return [];
  const how = unshared(process.env);
  if (typeof how !== 'string') return ['unshare', ...how.args];
  throw new Failure({
    code: 'lab-no-namespaces',
    exit: EXIT.refused,
    what: 'The lab cannot be built of network namespaces here',
    why: how,
    state: 'Nothing was started.',
    next: 'Use --fabric loopback, which needs neither root nor namespaces.',
  });
}

/** One lab a folder: refuses a folder that holds a running lab, or files that are not a lab's. */
async function claimState(state: string): Promise<void> {
  const record = await readRecord(state);
  if (record !== undefined && (await isAlive(record))) {
    throw new Failure({
      code: 'lab-exists',
      exit: EXIT.refused,
      what: 'A lab already runs here',
      why: `${state} belongs to the lab of process ${record.pid}`,
      state: 'That lab was not touched.',
      next: 'Use it, end it with `fairlead lab down`, or choose another folder with --state DIR.',
    });
  }
  const there = await readdir(state).catch((): string[] => []);
  // What a lab left that was killed, or did not come up, is nobody's any more; one that is being started has the lock.
  if (there.includes('lab.log') && !there.includes(LOCK)) await removeState(state);
  else if (there.length > 0 && !there.includes(LOCK)) {
    throw new Failure({
      code: 'lab-folder',
      exit: EXIT.refused,
      what: 'This folder is not a lab’s',
      why: `${state} holds other files (${there.slice(0, 3).join(', ')})`,
      state: 'Nothing was changed.',
      next: 'Choose an empty or new folder with --state DIR.',
    });
  }
  await mkdir(state, { recursive: true, mode: 0o700 });
  const lock = path.join(state, LOCK);
  for (;;) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      // Somebody starts a lab here at this moment, or a start was killed: an old lock is nobody's.
      const age = Date.now() - (await stat(lock)).mtimeMs;
      if (age < 60_000) {
        throw new Failure({
          code: 'lab-starting',
          exit: EXIT.refused,
          what: 'A lab is being started here',
          why: `${lock} is ${Math.round(age / 1000)} s old`,
          state: 'Nothing was changed.',
          next: 'Wait for it, or remove the folder when you know that no lab is being started.',
        });
      }
      await removeState(state);
      await mkdir(state, { recursive: true, mode: 0o700 });
    }
  }
}

/** Ends the lab of a folder and removes everything it had on disk; also what a killed lab left behind. */
export async function stopLab(ports: { clock: Clock }, state: string): Promise<{ wasRunning: boolean }> {
  const record = await readRecord(state);
  if (record === undefined) {
    const there = await readdir(state).catch((): string[] => []);
    if (!there.includes('lab.log') || there.includes(LOCK)) throw noLab(state);
    await removeState(state);
    return { wasRunning: false };
  }
  const alive = await isAlive(record);
  if (alive) {
    await callControl(record, 'POST', '/down', { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    const gone = await waitFor(ports.clock, { everyMs: 50, timeoutMs: 15_000 }, async () =>
      (await isAlive(record)) ? undefined : true,
    );
    if (gone === undefined) await killRecorded(record);
  }
  for (const child of await readChildren(state)) await killRecorded(child);
  await removeState(state);
  return { wasRunning: alive };
}

async function readChildren(state: string): Promise<ProcessRecord[]> {
  try {
    return JSON.parse(await readFile(path.join(state, 'children.json'), 'utf8')) as ProcessRecord[];
  } catch {
    return [];
  }
}

async function removeState(state: string): Promise<void> {
  for (const pid of await leftInside(state)) killQuietly(pid);
  await rm(state, { recursive: true, force: true, maxRetries: 5 });
}
