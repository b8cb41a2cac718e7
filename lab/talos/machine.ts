import { createHash } from 'node:crypto';
import path from 'node:path';
import { readConfig } from './config/read.ts';
import { type Ailments, clockOf, factsOf } from './ailments.ts';
import type { ConfigVerdict, Derived, NodeFacts } from './config/types.ts';
import type { KeptNode } from './life/kept.ts';
import { timingsAt, type Timings } from './timings.ts';
import type { MachineFacts, NodePorts, NodeStage } from './types.ts';

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
  readonly role: 'control-plane' | 'worker';
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
  bootTime: Date;
  bootId: string;
  active: ActiveConfig | undefined;
  /** The config on disk. */
  persistent: string | undefined;
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
  /** Something that a resource shows has changed. */
  changed(): void;
  onChange(listener: () => void): () => void;
  service(id: string, state: string, healthy: boolean | undefined, message: string): void;
  derive(text: string): ConfigVerdict;
  /** Clears what a power cut clears. */
  forget(): void;
}

const LOG_LINES = 2_000;

/** Discovery's name of a machine. Talos draws it at random; here every machine can tell that of its peers. */
export const nodeIdOf = (name: string, privateIPv4: string): string =>
  createHash('sha256').update(`${name}/${privateIPv4}`).digest('base64url').replaceAll(/[-_]/g, 'x');

export function createMachine(own: MachineFacts, role: 'control-plane' | 'worker', given: NodePorts): Machine {
  const ailments: Ailments = {};
  const ports: NodePorts = { ...given, clock: clockOf(given.clock, ailments) };
  const facts = factsOf(own, ailments);
  const listeners = new Set<() => void>();
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
    bootTime: ports.clock.wall(),
    bootId: '',
    active: undefined,
    persistent: undefined,
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
  return {
    hostname: facts.hostname,
    links: facts.links.map(({ name, busPath, driver, hardwareAddr }) => ({ name, busPath, driver, hardwareAddr })),
    addresses: [...own, ...[...machine.claims].map(([address, link]) => ({ address: `${address}/32`, link }))],
    externalAddresses: [],
    earlierAddresses: [...machine.earlier].map((address) => `${address}/32`),
  };
}
