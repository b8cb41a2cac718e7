import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { Failure, textOf } from '../../../src/base/failure.ts';
import { privileges } from '../privileges.ts';
import type { EtcdPart, EtcdSpec, RunningPart } from '../types.ts';

const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
const LOOK_EVERY_MS = 25;
/** Until an etcd that has started listens; seconds on a busy machine. */
const LISTEN_WITHIN_MS = 30_000;

function newerThan(version: string, major: number, minor: number): boolean {
  const [ours = 0, theirs = 0] = version.split('.').map(Number);
  return ours > major || (ours === major && theirs >= minor);
}

/** Arguments for one member, as Talos implies them; heartbeat and election stay etcd's own (100 ms, 1000 ms). */
export function etcdArguments(spec: EtcdSpec, version: string): string[] {
  const at = (address: string, port: number): string => `https://${address}:${port}`;
  const flags = {
    name: spec.name,
    'data-dir': spec.dataDir,
    'listen-client-urls': at(spec.listen, CLIENT_PORT),
    'listen-peer-urls': at(spec.listen, PEER_PORT),
    'advertise-client-urls': at(spec.advertise, CLIENT_PORT),
    'initial-advertise-peer-urls': at(spec.advertise, PEER_PORT),
    'initial-cluster': spec.initialCluster.map(({ name, peerURL }) => `${name}=${peerURL}`).join(','),
    'initial-cluster-state': spec.initialClusterState,
    'initial-cluster-token': spec.initialClusterToken,
    'client-cert-auth': 'true',
    'trusted-ca-file': spec.server.ca,
    'cert-file': spec.server.cert,
    'key-file': spec.server.key,
    'peer-client-cert-auth': 'true',
    'peer-trusted-ca-file': spec.peer.ca,
    'peer-cert-file': spec.peer.cert,
    'peer-key-file': spec.peer.key,
    // Where a fabric cannot tell whose packets these are, they come from another address than the peer's certificate names.
    ...(spec.group === undefined
      ? {
          [newerThan(version, 3, 6)
            ? 'peer-skip-client-san-verification'
            : 'experimental-peer-skip-client-san-verification']: 'true',
        }
      : {}),
    // Our client asks for signs of life more often than etcd would bear by default.
    'grpc-keepalive-min-time': '500ms',
    // Nobody in the lab speaks JSON to it, and its connection to itself needs a client certificate of its own.
    'enable-grpc-gateway': 'false',
    logger: 'zap',
    'log-outputs': 'stderr',
    // What a lab keeps must survive a killed process, not a machine without power.
    ...(newerThan(version, 3, 5) ? { 'unsafe-no-fsync': 'true' } : {}),
  };
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

async function accepts(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** The end of the log: why it ended. */
async function lastWords(log: string): Promise<string> {
  const lines = await readFile(log, 'utf8').then(
    (text) => text.trim().split('\n'),
    () => [],
  );
  return lines.slice(-3).join('\n');
}

/** Ends a process: TERM, then KILL when it takes longer than `graceMs`. */
async function stop(child: ChildProcess, exited: Promise<void>, graceMs: number): Promise<void> {
  const over = new AbortController();
  child.kill('SIGTERM');
  void systemClock.sleep(graceMs, over.signal).then(
    () => child.kill('SIGKILL'),
    () => {},
  );
  await exited;
  over.abort();
}

async function start(binary: string, version: string, spec: EtcdSpec): Promise<RunningPart> {
  const failed = (why: string, cause?: unknown): Failure =>
    new Failure({
      code: 'etcd-start-failed',
      what: `etcd member ${spec.name} did not start`,
      why,
      state: `its data directory ${spec.dataDir} is as etcd left it`,
      next: `read ${spec.log}`,
      cause,
    });
  if (await accepts(spec.listen, CLIENT_PORT))
    throw failed(`something listens on ${spec.listen}:${CLIENT_PORT} already`);
  // Without a kept machine there is no kept data.
  if (!spec.restart) await rm(spec.dataDir, { recursive: true, force: true });
  await mkdir(spec.dataDir, { recursive: true, mode: 0o700 });
  await mkdir(path.dirname(spec.log), { recursive: true });
  const log = await open(spec.log, 'a');
  let child: ChildProcess;
  const { promise: exited, resolve: exit } = Promise.withResolvers<void>();
  let spawnError: Error | undefined;
  try {
    // setpriv becomes etcd (the pid stays) and has the kernel kill it when we end, however we end.
    child = spawn('setpriv', [...privileges(spec.group), '--', binary, ...etcdArguments(spec, version)], {
      stdio: ['ignore', log.fd, log.fd],
      // A Ctrl-C at the lab's terminal is the lab's to handle.
      detached: true,
      // ETCD_* of the user's environment must not change what runs here.
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...(process.arch === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {}),
      },
    });
    child.once('exit', () => exit());
    child.once('error', (error) => {
      spawnError = error;
      exit();
    });
  } finally {
    await log.close();
  }
  let ended = false;
  void exited.then(() => (ended = true));
  const deadline = systemClock.now() + LISTEN_WITHIN_MS;
  while (!(await accepts(spec.listen, CLIENT_PORT)) || ended) {
    if (spawnError !== undefined) throw failed(`setpriv could not be run: ${textOf(spawnError)}`, spawnError);
    if (ended) throw failed(`it ended before it listened; its last words: ${await lastWords(spec.log)}`);
    if (systemClock.now() > deadline) {
      await stop(child, exited, 0);
      throw failed(`nothing listens on ${spec.listen}:${CLIENT_PORT} after ${LISTEN_WITHIN_MS} ms`);
    }
    await systemClock.sleep(LOOK_EVERY_MS);
  }
  return {
    backing: `real ${version}`,
    pid: child.pid,
    exited,
    stop: async (graceMs) => await stop(child, exited, graceMs),
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}

/**
 * The etcd found on this machine, one child process per member. It listens on `spec.listen` and says it is at
 * `spec.advertise`; it dies with this process. `start` rejects with a Failure when it ends before it listens.
 */
export const realEtcd = (binary: string, version: string): EtcdPart => ({
  backing: `real ${version}`,
  start: async (spec) => await start(binary, version, spec),
});
