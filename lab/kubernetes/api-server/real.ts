import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, readFile, readlink, rm, symlink, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { connect } from 'node:tls';
import type { Clock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { Failure, textOf } from '../../../src/base/failure.ts';
import { privileges } from '../privileges.ts';
import type { ApiServerPart, ApiServerSpec, RunningPart } from '../types.ts';
import { AUDIT_POLICY, followAuditLog } from './audit-log.ts';

const LOOK_EVERY_MS = 25;
/** Until one that has started listens; it takes 3 s alone and much longer among three on a busy machine. */
const LISTEN_WITHIN_MS = 90_000;

/** The last `--name=value` of an argument list. */
const valueOf = (args: readonly string[], name: string): string | undefined =>
  args.findLast((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);

/** The arguments as the node decides them, and what the lab adds: its audit log, and no delay at the end. */
export function realArguments(args: readonly string[], policy: string, log: string): string[] {
  const ours = {
    'audit-policy-file': policy,
    'audit-log-path': log,
    'audit-log-mode': 'blocking',
    'audit-log-maxbackup': '1',
    'shutdown-delay-duration': '0s',
  };
  const names = new Set(Object.keys(ours));
  const kept = args.filter((arg) => !names.has(/^--([^=]+)/.exec(arg)?.[1] ?? ''));
  return [...kept, ...Object.entries(ours).map(([name, value]) => `--${name}=${value}`)];
}

/** Whether a TLS handshake succeeds there; who answers is not asked. */
async function answersTls(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: 2000 });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('secureConnect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}

/** The end of what it has logged since this start, in bytes from the file's begin: errors, if there are any. */
async function lastWords(log: string, from: number): Promise<string> {
  const lines = await readFile(log).then(
    (bytes) => bytes.subarray(from).toString().trim().split('\n'),
    () => [],
  );
  const errors = lines.filter((line) => /^[EF]\d{4} |^Error:/.test(line));
  return (errors.length > 0 ? errors : lines).slice(-3).join('\n');
}

async function stop(child: ChildProcess, exited: Promise<void>, graceMs: number, clock: Clock): Promise<void> {
  const over = new AbortController();
  child.kill('SIGTERM');
  void clock.sleep(graceMs, over.signal).then(
    () => child.kill('SIGKILL'),
    () => {},
  );
  await exited;
  over.abort();
}

/**
 * It names itself to others by the file it is started as, and `kube-apiserver` is the name it has on a node; the program
 * file in the cache carries its version, so it is started through a link.
 */
async function namedLink(binary: string, dir: string): Promise<string> {
  const link = path.join(dir, 'kube-apiserver');
  if ((await readlink(link).catch(() => undefined)) === binary) return link;
  await rm(link, { force: true });
  await symlink(binary, link);
  return link;
}

async function start(binary: string, version: string, spec: ApiServerSpec): Promise<RunningPart> {
  const clock = systemClock;
  const host = valueOf(spec.args, 'bind-address') ?? '0.0.0.0';
  const port = Number(valueOf(spec.args, 'secure-port') ?? '6443');
  const failed = (why: string, cause?: unknown): Failure =>
    new Failure({
      code: 'kube-apiserver-start-failed',
      what: `The API server of ${spec.node} did not start`,
      why,
      state: 'No API server runs on this node; etcd keeps its data.',
      next: `Read ${spec.log}`,
      ...(cause === undefined ? {} : { cause }),
    });
  await mkdir(spec.dir, { recursive: true });
  await mkdir(path.dirname(spec.log), { recursive: true });
  if (await answersTls(host, port)) throw failed(`something listens on ${host}:${port} already`);
  const policy = path.join(spec.dir, 'audit-policy.yaml');
  const auditLog = path.join(spec.dir, 'audit.log');
  await writeFile(policy, AUDIT_POLICY);
  const begin = await appendable(auditLog);
  const program = await namedLink(binary, spec.dir);
  const logged = await appendable(spec.log);
  const log = await open(spec.log, 'a');
  const given = realArguments(spec.args, policy, auditLog);
  const { child, exited, failure } = await launch(program, given, spec.dir, log, spec.group);
  const tail = followAuditLog(auditLog, begin, spec.node, { clock, audit: spec.audit });
  let ended = false;
  const over = exited.then(async () => {
    ended = true;
    await tail.close();
  });
  const deadline = clock.now() + LISTEN_WITHIN_MS;
  while (!(await answersTls(host, port)) || ended) {
    const why = failure();
    if (why !== undefined) throw failed(`setpriv could not be run: ${textOf(why)}`, why);
    if (ended) throw failed(`it ended before it listened; its last words: ${await lastWords(spec.log, logged)}`);
    if (clock.now() > deadline) {
      await stop(child, over, 0, clock);
      throw failed(`nothing listens on ${host}:${port} after ${LISTEN_WITHIN_MS} ms`);
    }
    await clock.sleep(LOOK_EVERY_MS);
  }
  return {
    backing: `real ${version}`,
    pid: child.pid,
    exited: over,
    stop: async (graceMs) => await stop(child, over, graceMs, clock),
    kill: async () => {
      child.kill('SIGKILL');
      await over;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}

/** Makes sure that the file is there, and says how long it is. */
async function appendable(file: string): Promise<number> {
  const handle = await open(file, 'a', 0o600);
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function launch(
  program: string,
  args: readonly string[],
  cwd: string,
  log: FileHandle,
  group: number | undefined,
): Promise<{ child: ChildProcess; exited: Promise<void>; failure: () => Error | undefined }> {
  const { promise: exited, resolve } = Promise.withResolvers<void>();
  let failure: Error | undefined;
  try {
    // setpriv becomes the API server (the pid stays) and has the kernel kill it when we end, however we end.
    const child = spawn('setpriv', [...privileges(group), '--', program, ...args], {
      cwd,
      stdio: ['ignore', log.fd, log.fd],
      // A Ctrl-C at the lab's terminal is the lab's to handle.
      detached: true,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    });
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      failure = error;
      resolve();
    });
    return { child, exited, failure: () => failure };
  } finally {
    await log.close();
  }
}

/**
 * The kube-apiserver found on this machine, one child process per control plane. It dies with this process; its requests
 * are read from its audit log (metadata only) into `spec.audit`.
 */
export const realApiServer = (binary: string, version: string): ApiServerPart => ({
  backing: `real ${version}`,
  version,
  start: async (spec) => await start(binary, version, spec),
});
