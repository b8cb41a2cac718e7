import { appendFile, readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Clock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import type { Random } from '../../../src/base/random.ts';
import { createEtcdClient } from '../etcd/client.ts';
import type { EtcdClient } from '../etcd/types.ts';
import { createFreezer } from '../freezer.ts';
import type { ApiServerPart, ApiServerSpec, RunningPart } from '../types.ts';
import type { AccountLookup, AuthenticationRules } from './access/authentication.ts';
import { createSigner, readPublicKeys } from './access/tokens.ts';
import { parseArguments, type ServerArguments } from './arguments.ts';
import { accountHasUid, createSystemObjects, keepEndpoint, leaveEndpoints } from './objects/bootstrap.ts';
import { createStorage, type Storage } from './objects/storage.ts';
import { isRecord, listAt, recordAt, stringAt, type JsonRecord } from './objects/types.ts';
import { handle } from './serving/handler.ts';
import type { Check } from './serving/health.ts';
import type { RoutePorts } from './serving/routes.ts';
import { certificatesOf, listen } from './serving/server.ts';
import { within } from './within.ts';

export interface BuiltInOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** What `/version` says (default v1.36.3). */
  readonly version?: string;
}

const DEFAULT_VERSION = 'v1.36.3';
/** kube-apiserver's --etcd-healthcheck-timeout, milliseconds. */
const HEALTH_MS = 2000;
/** kube-apiserver's --request-timeout, milliseconds; etcd itself gives most calls up after 7 s. */
const REQUEST_MS = 60_000;
/** How long an account that was seen is taken to be there, milliseconds (kube-apiserver remembers good tokens for 10 s). */
const REMEMBER_MS = 10_000;

/**
 * A small API server inside the lab's process: the same arguments, files, addresses and answers as kube-apiserver for what
 * the lab's clients use, with its objects in etcd.
 */
export function builtInApiServer(options: BuiltInOptions): ApiServerPart {
  const version = options.version ?? DEFAULT_VERSION;
  return { backing: 'built-in', version, start: (spec) => start(spec, options, version) };
}

async function start(spec: ApiServerSpec, { clock, random }: BuiltInOptions, version: string): Promise<RunningPart> {
  const args = parseArguments(spec.args);
  const log = (line: string): void => {
    // A full disk must not take the server down.
    void appendFile(spec.log, `${clock.wall().toISOString()} ${line}\n`).catch(() => {});
  };
  const etcd = await connect(args);
  const storage = createStorage(etcd);
  const stopping = new AbortController();
  const freezer = createFreezer();
  const state = { bootstrapped: false, stopping: false };
  const signer = createSigner(await readFile(args.serviceAccountSigningKey, 'utf8'));
  const keys = await Promise.all(
    args.serviceAccountKeys.map(async (file) => readPublicKeys(await readFile(file, 'utf8'))),
  );
  const accountExists = rememberAccounts(storage, clock);
  let rules: AuthenticationRules = {
    clientCas: [],
    requestHeader: { ...args.requestHeader, cas: [] },
    issuers: args.issuers,
    audiences: args.audiences,
    tokenKeys: keys.flat(),
    anonymousOn: await anonymousPaths(args),
  };
  const pinged = (ms: number) => async (): Promise<void> => {
    if (!(await within(clock, ms, storage.ping()))) throw new Error('etcd did not answer in time');
  };
  const checks = checksOf({ live: pinged(HEALTH_MS), ready: pinged(args.readyCheckMs) }, state);
  const routes = (): RoutePorts => ({
    etcd,
    storage,
    clock,
    random,
    rules,
    signer,
    accountExists,
    nodeRestriction: args.nodeRestriction,
    version: versionBody(version),
    gitVersion: version,
    serverAddress: `${args.advertiseAddress}:${args.port}`,
    ...checks,
  });
  const server = await listen(args, {
    clock,
    log,
    handle: (incoming) =>
      handle(
        {
          routes,
          node: spec.node,
          audit: spec.audit,
          accountExists,
          log,
          pass: () => freezer.pass(),
          stopping: stopping.signal,
        },
        incoming,
      ),
    freezer,
    onClientCas: (texts) => {
      rules = {
        ...rules,
        clientCas: certificatesOf(texts.client),
        requestHeader: { ...rules.requestHeader, cas: certificatesOf(texts.requestHeader) },
      };
    },
  }).catch((error: unknown) => {
    etcd.close();
    throw error;
  });
  log(`serving on ${args.bindAddress}:${args.port}, version ${version}`);
  const endpointPorts = { etcd, storage, clock };
  const background = prepare(
    { storage, clock, log, signal: stopping.signal, serviceRange: args.serviceRange },
    state,
  ).then(() => keepEndpoint(endpointPorts, args.advertiseAddress, args.port, stopping.signal));

  let over: (() => void) | undefined;
  const exited = new Promise<void>((resolve) => (over = resolve));
  let ending: Promise<void> | undefined;
  const end = (work: () => Promise<void>): Promise<void> =>
    (ending ??= work().finally(() => {
      freezer.thaw();
      etcd.close();
      over?.();
    }));
  return {
    backing: 'built-in',
    pid: undefined,
    exited,
    stop: (graceMs) =>
      end(async () => {
        state.stopping = true;
        stopping.abort();
        log('stopping');
        const leave = leaveEndpoints(endpointPorts, args.advertiseAddress, args.port).catch(() => {});
        await server.stop(graceMs);
        await within(clock, 500, Promise.all([leave, background]));
      }),
    kill: () =>
      end(async () => {
        stopping.abort();
        await server.kill();
      }),
    freeze: () => {
      if (ending === undefined) freezer.freeze();
    },
    thaw: () => freezer.thaw(),
  };
}

async function connect(args: ServerArguments): Promise<EtcdClient> {
  const [ca, cert, key] = await Promise.all(
    [args.etcdCa, args.etcdCert, args.etcdKey].map((file) => readFile(file, 'utf8')),
  );
  return createEtcdClient({
    endpoint: args.etcdServers[0] ?? '',
    tls: { ca: ca ?? '', cert: cert ?? '', key: key ?? '' },
    timeoutMs: REQUEST_MS,
  });
}

/** Makes the system's objects as soon as etcd lets it. */
async function prepare(
  ports: {
    readonly storage: Storage;
    readonly clock: Clock;
    readonly log: (line: string) => void;
    readonly signal: AbortSignal;
    readonly serviceRange: string;
  },
  state: { bootstrapped: boolean },
): Promise<void> {
  while (!ports.signal.aborted) {
    try {
      await createSystemObjects(ports.storage, ports.clock, ports.serviceRange);
      state.bootstrapped = true;
      return;
    } catch (error) {
      ports.log(`system objects: ${textOf(error)}`);
      await ports.clock.sleep(250, ports.signal).catch(() => {});
    }
  }
}

function checksOf(
  etcd: { readonly live: () => Promise<void>; readonly ready: () => Promise<void> },
  state: { readonly bootstrapped: boolean; readonly stopping: boolean },
): { liveness: readonly Check[]; readiness: readonly Check[] } {
  const good = async (): Promise<void> => {};
  const holds = (fact: () => boolean) => async (): Promise<void> => {
    if (!fact()) throw new Error('not yet');
  };
  const started: Check = {
    name: 'poststarthook/start-system-namespaces-controller',
    run: holds(() => state.bootstrapped),
  };
  const first: Check[] = [
    { name: 'ping', run: good },
    { name: 'log', run: good },
    { name: 'etcd', run: etcd.live },
  ];
  return {
    liveness: [...first, started],
    readiness: [
      ...first,
      { name: 'etcd-readiness', run: etcd.ready },
      started,
      { name: 'shutdown', run: holds(() => !state.stopping) },
    ],
  };
}

const versionBody = (gitVersion: string): JsonRecord => {
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: 'linux/amd64',
  };
};

/** Where nobody may be anonymous, anybody, or (an authentication configuration file) only on some paths. */
async function anonymousPaths(args: ServerArguments): Promise<(path: string) => boolean> {
  if (args.authenticationConfig === undefined) return () => args.anonymous;
  const config: unknown = parse(await readFile(args.authenticationConfig, 'utf8'));
  const anonymous = recordAt(config, 'anonymous');
  if (anonymous === undefined) return () => args.anonymous;
  if (anonymous['enabled'] !== true) return () => false;
  const paths = listAt(anonymous, 'conditions')
    .filter(isRecord)
    .map((condition) => stringAt(condition, 'path'));
  return paths.length === 0 ? () => true : (path) => paths.includes(path);
}

function rememberAccounts(storage: Storage, clock: Clock): AccountLookup {
  const seen = new Map<string, number>();
  return async (namespace, name, uid) => {
    const key = `${namespace}/${name}/${uid}`;
    const until = seen.get(key);
    if (until !== undefined && clock.now() < until) return true;
    seen.delete(key);
    // As there: when the account cannot be looked up, the token is not accepted.
    const exists = await accountHasUid(storage, namespace, name, uid).catch(() => false);
    if (exists) seen.set(key, clock.now() + REMEMBER_MS);
    return exists;
  };
}
