import { isDeepStrictEqual } from 'node:util';
import { isRecord, kubeTime, recordAt, stringAt, type Json, type JsonRecord } from '../api-server/objects/types.ts';
import { findCondition } from './conditions.ts';

/** A machine as its Node tells of it. */
export interface NodeFacts {
  readonly name: string;
  readonly role: 'control-plane' | 'worker';
  readonly serverId: number;
  readonly privateIPv4: string;
  readonly publicIPv4: string;
  readonly talosVersion: string;
  /** With the v: `v1.36.3`. */
  readonly kubeletVersion: string;
  readonly machineId: string;
  readonly bootId: string;
}

export const CONTROL_PLANE_LABEL = 'node-role.kubernetes.io/control-plane';

/** What names the server behind a Node: `hcloud://4711`, as Hetzner's controllers write it. */
export const providerIdOf = (serverId: number): string => `hcloud://${serverId}`;

/** The server a Node belongs to; undefined where it names none. */
export function serverOf(node: unknown): number | undefined {
  const id = /^hcloud:\/\/(\d+)$/.exec(stringAt(node, 'spec', 'providerID') ?? '')?.[1];
  return id === undefined ? undefined : Number(id);
}

/** The Node a kubelet makes. Its role is no label that it may give itself: Talos adds it. */
export const newNode = (facts: NodeFacts): JsonRecord => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: facts.name,
    labels: { 'kubernetes.io/hostname': facts.name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
  },
  spec: {
    providerID: providerIdOf(facts.serverId),
    ...(facts.role === 'control-plane' ? { taints: [{ key: CONTROL_PLANE_LABEL, effect: 'NoSchedule' }] } : {}),
  },
});

/** The status a healthy kubelet posts. A condition keeps the time of its last change while it stays what it was. */
export function statusOf(facts: NodeFacts, node: unknown, now: Date): JsonRecord {
  const at = kubeTime(now);
  const condition = (type: string, status: string, reason: string, message: string): Json => {
    const before = findCondition(node, type);
    const same = stringAt(before, 'status') === status;
    const since = same ? (stringAt(before, 'lastTransitionTime') ?? at) : at;
    return { type, status, reason, message, lastHeartbeatTime: at, lastTransitionTime: since };
  };
  // Guess: the size of a small cloud server; nothing here depends on it.
  const size = { cpu: '4', memory: '8Gi', 'ephemeral-storage': '80Gi', pods: '110' };
  return {
    addresses: [
      { type: 'Hostname', address: facts.name },
      { type: 'InternalIP', address: facts.privateIPv4 },
      { type: 'ExternalIP', address: facts.publicIPv4 },
    ],
    capacity: { ...size },
    allocatable: { ...size },
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
    ],
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.machineId,
      bootID: facts.bootId,
      kernelVersion: '6.18.0-talos',
      osImage: `Talos (${facts.talosVersion})`,
      containerRuntimeVersion: 'containerd://2.1.5',
      kubeletVersion: facts.kubeletVersion,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  };
}

/** Whether a Node says something else than this status, times of heartbeats aside. */
export const differsFrom = (node: unknown, status: JsonRecord): boolean =>
  Object.entries(status).some(
    ([field, value]) => !isDeepStrictEqual(timeless(recordAt(node, 'status')?.[field]), timeless(value)),
  );

const timeless = (value: Json | undefined): Json | undefined =>
  Array.isArray(value)
    ? value.map((item) => {
        if (!isRecord(item)) return item;
        const { lastHeartbeatTime: _heartbeat, ...rest } = item;
        return rest;
      })
    : value;
