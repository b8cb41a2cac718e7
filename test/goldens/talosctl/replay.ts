import type { Registry } from '@bufbuild/protobuf';
import { systemClock } from '../../../src/base/clock.ts';
import { judge, TOLERATED_WHILE_IT_GOES } from './judge.ts';
import { type Answer, NEEDS, type Told, type Use } from './needs.ts';
import { requestsOf, statusOf, wasLeft, type RecordedCall, type RecordedCommand, type Recordings } from './recordings.ts';
import { methodOf } from './registry.ts';
import { told, toldRequest } from './told.ts';
import { translateRequest } from './translate.ts';
import { sendCall, type RunningCall } from './wire.ts';
import { RECORDED, type ReplayWorld } from './world.ts';

export interface Replayed {
  readonly id: string;
  /** What was held against the recording. */
  readonly compared: readonly string[];
  readonly troubles: readonly string[];
  /** How long it took. */
  readonly ms?: number;
}

export interface ReplayPorts {
  readonly world: ReplayWorld;
  readonly registry: Registry;
  readonly blobs: Recordings['blobs'];
}

const ACTIONS: Readonly<Record<string, NonNullable<Use['action']>>> = {
  '/machine.MachineService/Reboot': 'reboot',
  '/machine.MachineService/Shutdown': 'shutdown',
  '/machine.MachineService/Reset': 'reset',
  '/machine.MachineService/Upgrade': 'upgrade',
};
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** A client that watches an action waits for this long; a stream that is only followed shows itself at once. */
const ACTION_MS = 60_000;
const FOLLOW_MS = 15_000;
const GRACE_MS = 150;
const RETRY_MS = 50;
/** A machine that is away may say nothing at all. */
const ATTEMPT_MS = 1_000;

interface Following {
  readonly call: RecordedCall;
  readonly again: boolean;
  readonly run: () => RunningCall;
  current: RunningCall;
}

/** Sends every call of a command again, in the order and on the connections of the recording, and judges the answers. */
export async function replayCommand(command: RecordedCommand, ports: ReplayPorts): Promise<Replayed> {
  const began = systemClock.now();
  const troubles: string[] = [];
  const compared = new Set<string>();
  const following: Following[] = [];
  const opened = new Set<string>();
  let action: Use['action'];
  let bootId = '';
  const say = (call: RecordedCall, found: readonly string[]): void => {
    const target = call.metadata?.['node'] ?? call.metadata?.['nodes'];
    const name = `${call.method ?? 'handshake'} at ${call.endpoint}${target === undefined ? '' : ` for ${target}`}`;
    troubles.push(...found.map((trouble) => `${name}: ${trouble}`));
  };

  for (const call of command.calls) {
    if (call.method === undefined) {
      compared.add('handshake');
      say(call, await handshake(command, call, action, ports));
      continue;
    }
    const sender = await senderOf(command, call, ports);
    if (sender === undefined) {
      say(call, ['the lab does not know this call']);
      continue;
    }
    compared.add('status').add('errors of each node');
    if (NEEDS[call.method] !== undefined) compared.add(`needs of ${call.method}`);
    if (isFollowed(call, sender.request)) {
      const key = `${call.method} ${call.metadata?.['node'] ?? ''}`;
      const again = action !== undefined && opened.has(key);
      if (again) await untilGone(following.find((entry) => entry.call.method === call.method && sameNode(entry.call, call)), sender.tell);
      opened.add(key);
      following.push({ call, again, run: sender.send, current: sender.send() });
      continue;
    }
    const use = { client: command.client, command: command.argv[0] ?? '', request: sender.request, action, again: false };
    const patient = action !== undefined && statusOf(call) === 0;
    const changed = sender.request['path'] === BOOT_ID && patient && bootId !== '' ? bootId : undefined;
    const result = await ask(call, sender, patient ? ACTION_MS : 0, changed);
    if (sender.request['path'] === BOOT_ID) bootId ||= bootIdOf(result.answer);
    say(call, judge(call, result, use, ports.world.names));
    const begun = ACTIONS[call.method];
    if (begun !== undefined && result.code === 0 && noErrors(result.answer)) action = begun;
  }

  const found = await Promise.all(
    following.map((entry) => finish(entry, command, action, ports)),
  );
  for (const [n, list] of found.entries()) if (following[n] !== undefined) say(following[n].call, list);
  return { id: `${command.client}/${command.id}`, compared: [...compared], troubles, ms: Math.round(systemClock.now() - began) };
}

interface Sender {
  readonly request: Told;
  readonly tell: (bytes: Uint8Array) => Told;
  readonly send: () => RunningCall;
}

async function senderOf(command: RecordedCommand, call: RecordedCall, ports: ReplayPorts): Promise<Sender | undefined> {
  const { world, registry, blobs } = ports;
  const method = methodOf(registry, call.method ?? '');
  if (method === undefined) return undefined;
  const recorded = requestsOf(call, blobs);
  const names = await withContainers(command, call, ports);
  const requests = recorded.map((bytes) => translateRequest(method.input, bytes, names));
  const identity = await identityOf(command, call, world);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(call.metadata ?? {})) headers[name] = world.names.text(value);
  if (typeof call.deadline === 'string') headers['grpc-timeout'] = call.deadline;
  return {
    request: requests[0] === undefined ? {} : toldRequest(method, requests[0]),
    tell: (bytes) => told(registry, method, bytes),
    send: () =>
      sendCall({
        address: world.addressOf(call.endpoint),
        authority: world.names.text(call.authority ?? call.endpoint),
        method: call.method ?? '',
        headers,
        requests,
        identity,
      }),
  };
}

const identityOf = (command: RecordedCommand, call: RecordedCall, world: ReplayWorld): ReturnType<ReplayWorld['identity']> =>
  world.identity(
    command.talosconfig,
    call.client_roles ?? ['os:admin'],
    isInsecure(command) || /DID_NOT_RETURN_A_CERTIFICATE/.test(call.tls_refused ?? '') ? 'without one' : 'with a certificate',
  );

const isInsecure = (command: RecordedCommand): boolean =>
  command.argv.includes('--insecure') || (command.argv[0] === 'get' && command.argv.includes('-i'));

/** Containers have ids of their own in every world: one that a request names is that of the same pod, else any. */
async function withContainers(
  command: RecordedCommand,
  call: RecordedCall,
  ports: ReplayPorts,
): Promise<ReplayWorld['names']> {
  const { world, registry } = ports;
  const request = call.request ?? {};
  const id = request['id'];
  const containers = methodOf(registry, '/machine.MachineService/Containers');
  const asked = methodOf(registry, call.method ?? '');
  if (request['driver'] !== 'CRI' || typeof id !== 'string' || asked === undefined || containers === undefined) {
    return world.names;
  }
  const sender = await senderOf(
    command,
    {
      ...call,
      method: '/machine.MachineService/Containers',
      // Field 1: the namespace, field 2: the driver.
      request: {},
      request_base64: [Buffer.concat([lengthed(1, String(request['namespace'])), Buffer.from([0x10, 1])]).toString('base64')],
    },
    ports,
  );
  const running = sender?.send();
  await running?.ended;
  const ids = (running?.messages ?? [])
    .flatMap((bytes) => told(registry, containers, bytes)['messages'] ?? [])
    .flatMap((message) => (message as Told)['containers'] ?? [])
    .map((container) => String((container as Told)['id']));
  const stem = id.replace(/:[0-9a-f]+$/, '');
  const own = ids.find((candidate) => candidate.replace(/:[0-9a-f]+$/, '') === stem) ?? ids.at(-1);
  return { ...world.names, text: (value) => (value === id && own !== undefined ? own : world.names.text(value)) };
}

const lengthed = (number: number, text: string): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, text.length]), Buffer.from(text)]);

/** A stream that the client looks at beside its other calls. */
const isFollowed = (call: RecordedCall, request: Told): boolean =>
  call.kind === 'server_streaming' &&
  (wasLeft(call) || request['follow'] === true || /\/(Events|Watch)$/.test(call.method ?? ''));

const sameNode = (a: RecordedCall, b: RecordedCall): boolean => a.metadata?.['node'] === b.metadata?.['node'];

/** The stream is lost, or tells that everything is being stopped: then the client looks for the machine to come back. */
async function untilGone(entry: Following | undefined, tell: Sender['tell']): Promise<void> {
  const deadline = systemClock.now() + ACTION_MS;
  while (entry !== undefined && entry.current.status === undefined && systemClock.now() < deadline) {
    if (entry.current.messages.some((bytes) => JSON.stringify(tell(bytes)).includes('stopAllServices'))) return;
    await systemClock.sleep(RETRY_MS);
  }
}

export interface Result {
  readonly answer: Answer;
  /** undefined = it goes on. */
  readonly code: number | undefined;
  readonly message: string;
}

const resultOf = (running: RunningCall, tell: Sender['tell']): Result => ({
  answer: {
    messages: running.messages.map(tell),
    open: running.status === undefined,
    lost: running.status?.transport === true,
  },
  code: running.status?.code,
  message: running.status?.message ?? '',
});

/** One answer; asked again while the machine is away, and while it still says the boot id it had. */
async function ask(
  call: RecordedCall,
  sender: Sender,
  patienceMs: number,
  formerBootId: string | undefined,
): Promise<Result> {
  const began = systemClock.now();
  const deadline = began + patienceMs;
  for (;;) {
    const running = sender.send();
    await Promise.race([running.ended, systemClock.sleep(patienceMs > 0 ? ATTEMPT_MS : ACTION_MS)]);
    const result = resultOf(running, sender.tell);
    running.cancel();
    const away = (result.code === 14 || (result.code === undefined && patienceMs > 0)) && statusOf(call) === 0;
    const same = formerBootId !== undefined && bootIdOf(result.answer) === formerBootId;
    // etcd changes its members only once it has seen all of them for a while; the recorded cluster was no new one.
    const said = JSON.stringify(result.answer.messages) + result.message;
    const young = /unhealthy cluster/.test(said);
    // One of the lab's machines had no time for another: the recorded ones had.
    const busy = /i\/o timeout|context deadline exceeded/.test(said) && !JSON.stringify([call.answers, call.status]).includes('timeout');
    if ((young || busy) && systemClock.now() < began + ACTION_MS) {
      await systemClock.sleep(RETRY_MS * 4);
      continue;
    }
    if ((!away && !same) || systemClock.now() >= deadline) return result;
    await systemClock.sleep(RETRY_MS);
  }
}

const bootIdOf = (answer: Answer): string => JSON.stringify(answer.messages.map((message) => message['bytes']));

const noErrors = (answer: Answer): boolean =>
  answer.messages.every(
    (message) =>
      !((message['messages'] ?? []) as readonly Told[]).some(
        (part) => ((part['metadata'] as Told | undefined)?.['error'] ?? '') !== '',
      ),
  );

/** Waits for what the client waits for, then leaves as it did. */
async function finish(
  entry: Following,
  command: RecordedCommand,
  action: Use['action'],
  ports: ReplayPorts,
): Promise<readonly string[]> {
  const { call } = entry;
  const sender = await senderOf(command, call, ports);
  if (sender === undefined) return [];
  const use = { client: command.client, command: command.argv[0] ?? '', request: sender.request, action, again: entry.again };
  const deadline = systemClock.now() + (action === undefined ? FOLLOW_MS : ACTION_MS);
  await systemClock.sleep(GRACE_MS);
  let attempt = systemClock.now();
  for (;;) {
    const result = resultOf(entry.current, sender.tell);
    const troubles = judge(call, result, use, ports.world.names, TOLERATED_WHILE_IT_GOES(action));
    const over = systemClock.now() >= deadline;
    if (troubles.length === 0 || over) {
      entry.current.cancel();
      return troubles;
    }
    // talosctl opens it anew whenever the machine is away.
    const silent = systemClock.now() - attempt > ATTEMPT_MS;
    if (entry.again && (result.code === 14 || silent)) {
      entry.current.cancel();
      entry.current = entry.run();
      attempt = systemClock.now();
    }
    await systemClock.sleep(RETRY_MS);
  }
}

async function handshake(
  command: RecordedCommand,
  call: RecordedCall,
  action: Use['action'],
  { world }: ReplayPorts,
): Promise<readonly string[]> {
  const running = sendCall({
    address: world.addressOf(call.endpoint),
    authority: world.addressOf(call.endpoint),
    method: '/machine.MachineService/Version',
    headers: {},
    requests: [new Uint8Array()],
    identity: await identityOf(command, call, world),
  });
  await Promise.race([running.ended, systemClock.sleep(FOLLOW_MS)]);
  const refused = running.status?.transport === true;
  running.cancel();
  // The client looks whether the machine has come back without a config: it may, or may not yet.
  if (action === 'reset') return [];
  // The client itself turned away from a machine whose certificate it did not expect.
  const ownRefusal = /BAD_CERTIFICATE/.test(call.tls_refused ?? '') && call.endpoint === RECORDED.maintenance;
  if (ownRefusal) return refused ? ['the handshake fails'] : [];
  return refused ? [] : ['the handshake succeeds'];
}
