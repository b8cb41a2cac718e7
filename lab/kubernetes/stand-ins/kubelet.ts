import type { Clock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import type { Random } from '../../../src/base/random.ts';
import { listAt, stringAt, type Json, type JsonRecord } from '../api-server/objects/types.ts';
import { createApiClient, type ApiAccess, type ApiClient } from '../http.ts';
import { findCondition, microTime } from './conditions.ts';

export interface KubeletPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly speed: number;
  /** The API server it talks to now, with the kubelet's own certificate or the node's admin one; undefined: none yet. */
  readonly access: () => ApiAccess | undefined;
  readonly node: {
    readonly name: string;
    readonly role: 'control-plane' | 'worker';
    readonly internalIP: string;
    readonly externalIP: string;
    readonly serverId: number;
  };
  /** v1.36.3 */
  readonly version: string;
  readonly osImage?: string;
  readonly log: (line: string) => void;
}

export interface KubeletStandIn {
  /** Stops at once: no further request is made. */
  stop(): void;
}

/** The kubelet's own figures at speed 1, milliseconds and seconds. */
const HEARTBEAT_MS = 10_000;
const STATUS_MS = 300_000;
const LEASE_SECONDS = 40;
const RETRY_MS = 2_000;
const ROLE_LABEL = 'node-role.kubernetes.io/control-plane';

/**
 * What others see of a node's kubelet: it registers the Node and renews its Lease every 10 s; the status is written when it
 * is not as it should be, or every 5 minutes (all divided by the speed). It also does what Talos and the cloud's controller
 * do to a Node: the role label, the provider id, the external address.
 */
export function startKubelet(ports: KubeletPorts): KubeletStandIn {
  const over = new AbortController();
  void beat(ports, over.signal);
  return { stop: () => over.abort() };
}

interface Connection {
  readonly access: ApiAccess;
  readonly client: ApiClient;
}

async function beat(ports: KubeletPorts, signal: AbortSignal): Promise<void> {
  const { clock, speed, log } = ports;
  let connection: Connection | undefined;
  let statusAt = -Infinity;
  let failing = false;
  const pause = async (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => {});
  // Kubelets that started together do not beat together.
  await pause((ports.random.next() * HEARTBEAT_MS) / speed / 10);
  while (!signal.aborted) {
    const access = ports.access();
    if (access !== undefined && !sameAccess(connection?.access, access)) {
      connection?.client.close();
      const userAgent = `kubelet/${ports.version} node/${ports.node.name}`;
      connection = { access, client: createApiClient(access, { userAgent, timeoutMs: 10_000 }) };
    }
    if (connection === undefined) {
      await pause(RETRY_MS / speed);
      continue;
    }
    try {
      const due = clock.now() - statusAt >= STATUS_MS / speed;
      if (await reportNode(ports, connection.client, due, signal)) statusAt = clock.now();
      await renewLease(ports, connection.client, signal);
      if (failing) log('kubelet: the API server answers again');
      failing = false;
      await pause(HEARTBEAT_MS / speed);
    } catch (error) {
      if (signal.aborted) break;
      if (!failing) log(`kubelet: cannot report to the API server: ${textOf(error)}`);
      failing = true;
      await pause(RETRY_MS / speed);
    }
  }
  connection?.client.close();
}

const sameAccess = (a: ApiAccess | undefined, b: ApiAccess): boolean =>
  a?.server === b.server && a.cert === b.cert && a.key === b.key && a.ca === b.ca && a.serverName === b.serverName;

/** Registers the Node, or puts right what is not as it should be. Resolves with whether the status was written. */
async function reportNode(ports: KubeletPorts, client: ApiClient, due: boolean, signal: AbortSignal): Promise<boolean> {
  const { name } = ports.node;
  const path = `/api/v1/nodes/${name}`;
  const found = await client.request('GET', path, { signal });
  const providerID = stringAt(found.body, 'spec', 'providerID');
  if (found.status === 200 && providerID !== undefined && providerID !== providerOf(ports)) {
    // The name belongs to a new machine: the Node of the old one goes (in life the cloud's controller removes it).
    await expect(client.request('DELETE', path, { signal }), 200, 404);
    return reportNode(ports, client, due, signal);
  }
  if (found.status === 404) {
    await expect(client.request('POST', '/api/v1/nodes', { body: nodeOf(ports), signal }), 201, 409);
    ports.log(`kubelet: registered node ${name}`);
    return true;
  }
  if (found.status !== 200) throw new Error(`GET ${path}: ${found.status}`);
  const ready = findCondition(found.body, 'Ready');
  const right =
    stringAt(ready, 'status') === 'True' &&
    stringAt(found.body, 'status', 'nodeInfo', 'kubeletVersion') === ports.version &&
    JSON.stringify(listAt(found.body, 'status', 'addresses')) === JSON.stringify(addressesOf(ports));
  if (right && !due) return false;
  // Addresses are given whole: merging them by type would keep an old one of the same type.
  const status = statusOf(
    ports,
    stringAt(ready, 'status') === 'True' ? stringAt(ready, 'lastTransitionTime') : undefined,
  );
  const addresses: Json = [{ $patch: 'replace' }, ...addressesOf(ports)];
  const body = { status: { ...status, addresses } };
  const contentType = 'application/strategic-merge-patch+json';
  await expect(client.request('PATCH', `${path}/status`, { body, contentType, signal }), 200);
  return true;
}

async function renewLease(ports: KubeletPorts, client: ApiClient, signal: AbortSignal): Promise<void> {
  const folder = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
  const { name } = ports.node;
  const spec: JsonRecord = {
    holderIdentity: name,
    leaseDurationSeconds: Math.max(1, Math.ceil(LEASE_SECONDS / ports.speed)),
    renewTime: microTime(ports.clock.wall()),
  };
  const renewed = await client.request('PATCH', `${folder}/${name}`, {
    body: { spec },
    contentType: 'application/merge-patch+json',
    signal,
  });
  if (renewed.status === 200) return;
  if (renewed.status !== 404) throw new Error(`lease of ${name}: ${renewed.status}`);
  const body = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'kube-node-lease' },
    spec,
  };
  await expect(client.request('POST', folder, { body, signal }), 201, 409);
}

async function expect(sent: Promise<{ status: number; body: unknown }>, ...wanted: readonly number[]): Promise<void> {
  const { status, body } = await sent;
  if (!wanted.includes(status)) throw new Error(`${status}: ${stringAt(body, 'message') ?? 'no reason given'}`);
}

const providerOf = ({ node }: KubeletPorts): string => `hcloud://${node.serverId}`;

const addressesOf = ({ node }: KubeletPorts): JsonRecord[] => [
  { type: 'Hostname', address: node.name },
  { type: 'InternalIP', address: node.internalIP },
  { type: 'ExternalIP', address: node.externalIP },
];

function nodeOf(ports: KubeletPorts): JsonRecord {
  const { node } = ports;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.name,
      labels: {
        'kubernetes.io/hostname': node.name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        ...(node.role === 'control-plane' ? { [ROLE_LABEL]: '' } : {}),
      },
    },
    spec: {
      providerID: providerOf(ports),
      ...(node.role === 'control-plane' ? { taints: [{ key: ROLE_LABEL, effect: 'NoSchedule' }] } : {}),
    },
    status: { ...statusOf(ports, undefined), addresses: addressesOf(ports) },
  };
}

function statusOf(ports: KubeletPorts, since: string | undefined): JsonRecord {
  const now = `${ports.clock.wall().toISOString().slice(0, 19)}Z`;
  const condition = (type: string, status: string, reason: string, message: string): JsonRecord => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: now,
    lastTransitionTime: since ?? now,
  });
  // Guess: the size of a small cloud server; nothing here depends on it.
  const size = { cpu: '2', memory: '3901Mi', pods: '110', 'ephemeral-storage': '40Gi' };
  return {
    capacity: { ...size },
    allocatable: { ...size },
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      architecture: 'amd64',
      bootID: '',
      containerRuntimeVersion: 'containerd://2.1.5',
      kernelVersion: '6.18.0-talos',
      kubeProxyVersion: '',
      kubeletVersion: ports.version,
      machineID: '',
      operatingSystem: 'linux',
      osImage: ports.osImage ?? 'Talos',
      systemUUID: '',
    },
  };
}
