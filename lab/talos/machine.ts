import { createHash } from 'node:crypto';
import path from 'node:path';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { ServiceStateEvent_Action, ServiceStateEventSchema } from './api/generated/machine/machine_pb.ts';
import { hostPrefix } from './config/prefix.ts';
import { readConfig } from './config/read.ts';
import { type Ailments, clockOf, factsOf } from './ailments.ts';
import type { ConfigVerdict, Derived, NodeFacts } from './config/types.ts';
import type { KeptNode } from './life/kept.ts';
import { timingsAt, type Timings } from './timings.ts';
import { createEventLog, type EventLog } from './events.ts';
import type { MachineFacts, NodePorts, NodeStage, TalosVersion } from './types.ts';

export interface ServiceEvent {
  readonly state: string;
  readonly message: string;
  readonly at: Date;
}

export interface ServiceState {
  readonly id: string;
  state: string;
  /** undefined = unknown. */
  healthy: boolean | undefined;
  lastChange: Date;
  events: ServiceEvent[];
}

export type PodName = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** What the kubelet runs of a static pod. */
export interface StaticPod {
  readonly name: PodName;
  /** Annotations: the pod is recreated when they change. */
  secretsVersion: number;
  configVersion: number;
  ready: boolean;
  restarts: number;
  startedAt: Date;
}

export interface ActiveConfig {
  readonly text: string;
  readonly derived: Derived;
  readonly warnings: readonly string[];
}

/** Talos keeps two releases on the disk: the one that runs, and the one before or after it. */
export interface Releases {
  running: TalosVersion;
  /** Boots next. */
  next: TalosVersion;
  /** What a rollback goes back to. */
  previous: TalosVersion | undefined;
}

/** Names of what lies on the machine's disk. */
export interface Paths {
  readonly config: string;
  readonly secrets: string;
  readonly kubernetes: string;
  readonly etcdSecrets: string;
  readonly etcdData: string;
  readonly logs: string;
  readonly nodeLog: string;
}

/** What a machine knows while it runs. Everything but `persistent` is memory: a power cut clears it. */
export interface Machine {
  readonly facts: MachineFacts;
  /** Before there is a config: what its maker reckons with. Then what its config says. */
  role: 'control-plane' | 'worker';
  /** `version` is the one that runs. */
  readonly ports: NodePorts;
  readonly times: Timings;
  readonly paths: Paths;
  /** Cluster discovery's name of this machine. */
  readonly nodeId: string;
  /** What is wrong with it on purpose. */
  readonly ailments: Ailments;
  /** Where it goes on from, when its world was kept; until it goes down. */
  kept: KeptNode | undefined;
  stage: NodeStage;
  /** The Talos releases on its disk. */
  readonly releases: Releases;
  readonly events: EventLog;
  bootTime: Date;
  bootId: string;
  active: ActiveConfig | undefined;
  /** The config on disk. */
  persistent: string | undefined;
  /** Its META partition: survives a reboot. */
  readonly meta: Map<number, Uint8Array>;
  /** Address -> link, beyond the machine's own. */
  readonly claims: Map<string, string>;
  /** Addresses that were bound for a while since boot and are gone. */
  readonly earlier: Set<string>;
  readonly services: Map<string, ServiceState>;
  readonly pods: Map<PodName, StaticPod>;
  /** What Talos last saw of the kubelet's pods; emptied when the kubelet stops. */
  readonly podStatuses: Map<PodName, StaticPod>;
  etcdMemberId: bigint | undefined;
  readonly recentLog: string[];
  log(line: string): void;
  onLog(listener: (line: string) => void): () => void;
  /** Something that a resource shows has changed. */
  changed(): void;
  onChange(listener: () => void): () => void;
  service(id: string, state: string, healthy: boolean | undefined, message: string): void;
  derive(text: string): ConfigVerdict;
  /** Clears what a power cut clears. */
  forget(): void;
}

const ACTIONS: Readonly<Record<string, ServiceStateEvent_Action>> = {
  Waiting: ServiceStateEvent_Action.WAITING,
  Preparing: ServiceStateEvent_Action.PREPARING,
  Running: ServiceStateEvent_Action.RUNNING,
  Stopping: ServiceStateEvent_Action.STOPPING,
  Finished: ServiceStateEvent_Action.FINISHED,
  Failed: ServiceStateEvent_Action.FAILED,
  Skipped: ServiceStateEvent_Action.SKIPPED,
};

const LOG_LINES = 2_000;

/** Discovery's name of a machine. Talos draws it at random; here every machine can tell that of its peers. */
export const nodeIdOf = (name: string, privateIPv4: string): string =>
  createHash('sha256').update(`${name}/${privateIPv4}`).digest('base64url').replaceAll(/[-_]/g, 'x');

export function createMachine(own: MachineFacts, role: 'control-plane' | 'worker', given: NodePorts): Machine {
  const ailments: Ailments = {};
  const releases: Releases = { running: given.version, next: given.version, previous: undefined };
  const ports: NodePorts = {
    ...given,
    clock: clockOf(given.clock, ailments),
    get version() {
      return releases.running;
    },
  };
  const facts = factsOf(own, ailments);
  const listeners = new Set<() => void>();
  const readers = new Set<(line: string) => void>();
  const secrets = path.join(ports.dir, 'secrets');
  const machine: Machine = {
    facts,
    role,
    ports,
    times: timingsAt(ports.speed, ports.knobs),
    paths: {
      config: path.join(ports.dir, 'state', 'config.yaml'),
      secrets,
      kubernetes: path.join(secrets, 'kubernetes', 'kube-apiserver'),
      etcdSecrets: path.join(secrets, 'etcd'),
      etcdData: path.join(ports.dir, 'etcd'),
      logs: path.join(ports.dir, 'logs'),
      nodeLog: path.join(ports.dir, 'node.log'),
    },
    nodeId: nodeIdOf(own.hostname, own.privateIPv4),
    ailments,
    kept: undefined,
    stage: 'off',
    releases,
    events: createEventLog(ports.clock, ports.random),
    bootTime: ports.clock.wall(),
    bootId: '',
    active: undefined,
    persistent: undefined,
    meta: new Map(),
    claims: new Map(),
    earlier: new Set(),
    services: new Map(),
    pods: new Map(),
    podStatuses: new Map(),
    etcdMemberId: undefined,
    recentLog: [],
    log(line) {
      machine.recentLog.push(`${ports.clock.wall().toISOString()} ${line}`);
      if (machine.recentLog.length > LOG_LINES) machine.recentLog.splice(0, LOG_LINES / 2);
      ports.log(line);
      for (const reader of readers) reader(machine.recentLog.at(-1) ?? line);
    },
    onLog(listener) {
      readers.add(listener);
      return () => readers.delete(listener);
    },
    changed() {
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    service(id, state, healthy, message) {
      const at = ports.clock.wall();
      const known = machine.services.get(id);
      const event = { state, message, at };
      if (known === undefined) {
        machine.services.set(id, { id, state, healthy, lastChange: at, events: [event] });
      } else {
        if (known.state !== state || known.healthy !== healthy) known.lastChange = at;
        known.state = state;
        known.healthy = healthy;
        known.events = [...known.events.slice(-9), event];
      }
      machine.events.emit(ServiceStateEventSchema, {
        service: id,
        action: ACTIONS[state] ?? ServiceStateEvent_Action.RUNNING,
        message,
        health: { unknown: healthy === undefined, healthy: healthy === true, lastChange: timestampFromDate(at) },
      });
      machine.changed();
    },
    derive(text) {
      const verdict = readConfig(text, ports.version, nodeFacts(machine));
      if (verdict.kind === 'refused' || ailments.derived === undefined) return verdict;
      return { ...verdict, derived: ailments.derived(verdict.derived) };
    },
    forget() {
      machine.kept = undefined;
      machine.active = undefined;
      machine.events.clear();
      machine.recentLog.length = 0;
      machine.claims.clear();
      machine.earlier.clear();
      machine.services.clear();
      machine.pods.clear();
      machine.podStatuses.clear();
      machine.etcdMemberId = undefined;
      machine.changed();
    },
  };
  return machine;
}

/** The machine as its config is read against: its own addresses as /32 (as Hetzner's DHCP gives them), then what came. */
export function nodeFacts(machine: Machine): NodeFacts {
  const { facts } = machine;
  const own = facts.links.map((link) => ({ address: `${link.address}/32`, link: link.name }));
  const [first] = facts.links;
  if (facts.publicIPv6 !== undefined && first !== undefined)
    own.push({ address: `${facts.publicIPv6}/64`, link: first.name });
  return {
    hostname: facts.hostname,
    links: facts.links.map(({ name, busPath, driver, hardwareAddr }) => ({ name, busPath, driver, hardwareAddr })),
    addresses: [...own, ...[...machine.claims].map(([address, link]) => ({ address: hostPrefix(address), link }))],
    externalAddresses: [],
    earlierAddresses: [...machine.earlier].map(hostPrefix),
  };
}
