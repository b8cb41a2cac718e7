import { gunzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { parseDocument } from 'yaml';

/** JSON of a protobuf message, bytes in base64. */
export type Told = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly messages: readonly Told[];
  /** The client left while it ran, or waits on it still. */
  readonly open: boolean;
  /** Connection lost or node gone, after it had begun. */
  readonly lost: boolean;
}

/** What the client does with the answer, beyond the call itself. */
export interface Use {
  readonly client: string;
  /** `get`, `reboot`, … */
  readonly command: string;
  readonly request: Told;
  /** What kind of machine action the command watches. */
  readonly action: 'reboot' | 'shutdown' | 'reset' | 'upgrade' | undefined;
  /** The stream was opened anew after the machine went away. */
  readonly again: boolean;
}

/** What is missing, in words; nothing when the client can go on. */
export type Need = (answer: Answer, use: Use) => readonly string[];

const list = (value: unknown): readonly Told[] => (Array.isArray(value) ? (value as Told[]) : []);
const field = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  );
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const bytesOf = (messages: readonly Told[]): Buffer =>
  Buffer.concat(messages.map((message) => Buffer.from(text(message['bytes']), 'base64')));

/** Messages of a unary answer that carry no error of their own. */
const good = (answer: Answer): readonly Told[] =>
  answer.messages
    .flatMap((message) => list(message['messages']))
    .filter((message) => text(field(message, 'metadata', 'error')) === '');

const each =
  (what: string, ...paths: readonly (readonly string[])[]): Need =>
  (answer) =>
    good(answer).flatMap((message) =>
      paths.filter((path) => field(message, ...path) === undefined).map((path) => `${what} without ${path.join('.')}`),
    );

const version: Need = (answer) =>
  good(answer).flatMap((message) => {
    if (field(message, 'version') === undefined) return ['Version without version: the client panics'];
    const tag = text(field(message, 'version', 'tag'));
    return /^v?\d+\.\d+(\.\d+)?/.test(tag) ? [] : [`version.tag ${JSON.stringify(tag)} is not one`];
  });

const serviceList: Need = (answer) =>
  good(answer).flatMap((message) =>
    list(message['services']).flatMap((service) =>
      ['events', 'health']
        .filter((key) => service[key] === undefined)
        .map((key) => `service ${text(service['id'])} without ${key}: the client panics`),
    ),
  );

const oneMessage: Need = (answer) =>
  answer.messages.some((message) => list(message['messages']).length > 0) ? [] : ['no message: the client gives up'];

const clientConfiguration: Need = (answer) => {
  const messages = answer.messages.flatMap((message) => list(message['messages']));
  if (messages.length !== 1) return [`${messages.length} messages, the client needs one`];
  return text(messages[0]?.['talosconfig']) === '' ? ['an empty talosconfig'] : [];
};

/** Gzip of a tar. An answer that is an error alone holds no bytes. */
const tarGz: Need = (answer) => {
  const carrying = answer.messages.filter((message) => text(field(message, 'metadata', 'error')) === '');
  if (carrying.length === 0 && answer.messages.length > 0) return [];
  try {
    const tar = gunzipSync(bytesOf(carrying));
    return tar.length % 512 === 0 ? [] : ['the archive is cut short'];
  } catch (error) {
    return [`not a gzip stream: ${String(error)}`];
  }
};

/** A bolt database with its SHA-256 behind it. */
const snapshot: Need = (answer) => {
  const all = bytesOf(answer.messages);
  if (all.length % 512 !== 32) return [`sha256 checksum not found in ${all.length} bytes`];
  const [data, sum] = [all.subarray(0, -32), all.subarray(-32)];
  if (!createHash('sha256').update(data).digest().equals(sum)) return ['the checksum is that of something else'];
  return data.readUInt32LE(16) === 0xed0cdaed ? [] : ['not a bolt database'];
};

const healthCheck: Need = (answer, { client }) => {
  const failed = answer.messages.find((message) => text(field(message, 'metadata', 'error')) !== '');
  return failed === undefined || client === '1.14' ? [] : [`error: ${text(field(failed, 'metadata', 'error'))}`];
};

const upgraded: Need = (answer) =>
  answer.messages
    .map((message) => field(message, 'progress', 'exitCode'))
    .filter((code) => typeof code === 'number' && code !== 0)
    .map((code) => `exit code ${String(code)}`);

/** Talos opens the stream of each node with an event that holds nothing, so that the client knows it stands. */
function isGreeting(message: Told, greeted: Set<string>): boolean {
  const host = text(field(message, 'metadata', 'hostname'));
  if (greeted.has(host)) return false;
  greeted.add(host);
  return text(field(message, 'data', 'typeUrl')) === '';
}

const EVENT = /^talos\/runtime\/machine\.\w+$/;

/** Types as talosctl reads them; and, where it watches an action, the step it waits for. */
const events: Need = (answer, { action, again }) => {
  const greeted = new Set<string>();
  const wrong = answer.messages
    .filter((message) => text(field(message, 'metadata', 'error')) === '' && !isGreeting(message, greeted))
    .map((message) => text(field(message, 'data', 'typeUrl')))
    .filter((url) => !EVENT.test(url))
    .map((url) => `event of the type ${JSON.stringify(url)}: not supported by the client`);
  if (wrong.length > 0 || action === undefined) return wrong;
  const has = (name: string, holds: (value: Told) => boolean): boolean =>
    answer.messages.some(
      (message) =>
        text(field(message, 'data', 'typeUrl')).endsWith(`.${name}`) && holds((field(message, 'data', 'value') ?? {}) as Told),
    );
  if (again) {
    return has('MachineStatusEvent', (value) => value['stage'] === 'RUNNING' && field(value, 'status', 'ready') === true)
      ? []
      : ['no MachineStatusEvent that says running and ready'];
  }
  const stopped = has('TaskEvent', (value) => value['task'] === 'stopAllServices');
  if (stopped || (answer.lost && action !== 'shutdown')) return [];
  return ['no TaskEvent stopAllServices'];
};

// --- COSI

/** What every resource must have that `get` prints or typed code reads. */
function resource(value: unknown): string[] {
  const metadata = field(value, 'metadata');
  const spec = field(value, 'spec');
  if (metadata === undefined) return ['metadata is missing'];
  const name = `${text(field(metadata, 'type'))}/${text(field(metadata, 'id'))}`;
  if (spec === undefined) return [`${name}: spec is missing`];
  const troubles: string[] = [];
  const version = text(field(metadata, 'version'));
  const phase = text(field(metadata, 'phase'));
  if (!/^(\d+|undefined)$/.test(version)) troubles.push(`${name}: version ${JSON.stringify(version)}`);
  if (phase !== 'running' && phase !== 'tearingDown') troubles.push(`${name}: phase ${JSON.stringify(phase)}`);
  const yaml = text(field(spec, 'yamlSpec'));
  if (yaml === '') return [...troubles, `${name}: YAML spec is not specified`];
  const document = parseDocument(yaml, { uniqueKeys: false });
  const isConfig = field(metadata, 'type') === 'MachineConfigs.config.talos.dev';
  if (document.errors.length > 0 && !(isConfig && document.errors.every(({ code }) => code === 'MULTIPLE_DOCS'))) {
    return [...troubles, `${name}: YAML spec is no YAML: ${document.errors[0]?.message ?? ''}`];
  }
  if (isConfig) return [...troubles, ...machineConfig(name, metadata, document.toJS() as unknown)];
  if (text(field(spec, 'protoSpec')) === '' && !isBlank(document.toJS() as unknown)) troubles.push(`${name}: no proto spec`);
  return troubles;
}

/** Protobuf has no bytes for what has its zero value. */
const isBlank = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === '' ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && Object.values(value).every(isBlank));

/** With the annotation the spec is a YAML string, without it the documents themselves. */
function machineConfig(name: string, metadata: unknown, spec: unknown): string[] {
  const annotated = field(metadata, 'annotations', 'talos.dev/yaml-spec') !== undefined;
  if (annotated) return typeof spec === 'string' ? [] : [`${name}: cannot construct a mapping into string`];
  return typeof spec === 'object' && spec !== null ? [] : [`${name}: expected a YAML document`];
}

/** Types that talosctl's own code reads when it asks for them, and which must then be there. */
const READ_BY_CODE = new Set([
  'ResourceDefinitions.meta.cosi.dev',
  'Members.cluster.talos.dev',
  'MachineStatuses.runtime.talos.dev',
]);

const listed: Need = (answer, { request, command }) => {
  const type = text(request['type']);
  const found = answer.messages.map((message) => message['resource']);
  const troubles = found.flatMap(resource);
  if (found.length === 0 && READ_BY_CODE.has(type)) troubles.push(`no ${type}`);
  const isDefinition = type === 'ResourceDefinitions.meta.cosi.dev';
  if (isDefinition) {
    for (const value of found) {
      if (text(field(value, 'spec', 'protoSpec')) === '') {
        troubles.push(`definition ${text(field(value, 'metadata', 'id'))} without proto spec: it is not registered`);
      }
    }
  }
  if (command === 'patch' || command === 'edit') {
    const wanted = type === 'MachineConfigs.config.talos.dev';
    if (wanted && !found.some((value) => field(value, 'metadata', 'id') === 'v1alpha1')) troubles.push('no config v1alpha1');
  }
  return troubles;
};

const got: Need = (answer) => {
  const [message] = answer.messages;
  return message === undefined ? ['no resource'] : resource(message['resource']);
};

/** A first message that carries nothing, at once, for the client drops it; then what is there. */
const watched: Need = (answer, { request }) => {
  const [first, ...rest] = answer.messages;
  if (first === undefined) return ['no first message: the client waits for it for ever'];
  const troubles = list(first['event']).length > 0 ? ['the first message holds an event, which the client drops'] : [];
  const events = rest.flatMap((message) => list(message['event']));
  for (const event of events) {
    if (event['eventType'] === 'ERRORED') troubles.push('an ERRORED event');
    if (event['eventType'] !== 'BOOTSTRAPPED' && event['eventType'] !== 'NOOP') troubles.push(...resource(event['resource']));
  }
  if (text(request['id']) !== '') {
    if (!events.some((event) => isNow(event['eventType']))) troubles.push('the current state of the resource did not come');
  } else if (field(request, 'options', 'bootstrapContents') === true && events.length === 0) {
    troubles.push('what is there did not come');
  }
  return troubles;
};

/** CREATED is the zero value, which JSON leaves out. */
const isNow = (type: unknown): boolean => type === undefined || type === 'CREATED' || type === 'DESTROYED';

/** What talosctl needs of each call's answer, by call. A call that is not here needs an answer of its status and no more. */
export const NEEDS: Readonly<Record<string, Need>> = {
  '/machine.MachineService/Version': version,
  '/machine.MachineService/ServiceList': serviceList,
  '/machine.MachineService/Memory': each('Memory', ['meminfo']),
  '/machine.MachineService/GenerateClientConfiguration': clientConfiguration,
  '/machine.MachineService/Kubeconfig': tarGz,
  '/machine.MachineService/Copy': tarGz,
  '/machine.MachineService/EtcdSnapshot': snapshot,
  '/machine.MachineService/Reboot': oneMessage,
  '/machine.MachineService/Shutdown': oneMessage,
  '/machine.MachineService/Reset': oneMessage,
  '/machine.MachineService/Upgrade': oneMessage,
  '/machine.MachineService/Events': events,
  '/machine.LifecycleService/Upgrade': upgraded,
  '/cluster.ClusterService/HealthCheck': healthCheck,
  '/time.TimeService/Time': each('Time', ['localtime'], ['remotetime']),
  '/time.TimeService/TimeCheck': each('TimeCheck', ['localtime'], ['remotetime']),
  '/cosi.resource.State/List': listed,
  '/cosi.resource.State/Get': got,
  '/cosi.resource.State/Watch': watched,
};
