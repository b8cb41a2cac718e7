import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../../src/base/clock.ts';
import type { EtcdClient } from '../../etcd/types.ts';
import { defaultsFor } from './kinds.ts';
import { mustKnow, type Resource } from './resources.ts';
import type { Storage } from './storage.ts';
import { isRecord, kubeTime, stringAt, type Json, type KubeObject } from './types.ts';

const namespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/** Makes what every cluster has from the start: the system's namespaces and the service `kubernetes`. */
export async function createSystemObjects(storage: Storage, clock: Clock, serviceRange: string): Promise<void> {
  for (const name of namespaces) await ensure(storage, clock, mustKnow('namespaces'), { metadata: { name } });
  await ensure(storage, clock, mustKnow('services'), {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: firstAddress(serviceRange),
      clusterIPs: [firstAddress(serviceRange)],
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
      sessionAffinity: 'None',
    },
    status: { loadBalancer: {} },
  });
}

async function ensure(storage: Storage, clock: Clock, resource: Resource, wanted: KubeObject): Promise<void> {
  const { name = '', namespace = '' } = wanted.metadata;
  if ((await storage.get(resource, namespace, name)) !== undefined) return;
  const object = headed(resource, clock, wanted);
  defaultsFor(object, resource);
  // Undefined when another server was faster, which is as good.
  await storage.create(resource, namespace, name, object);
}

const headed = (resource: Resource, clock: Clock, wanted: KubeObject): KubeObject => ({
  kind: resource.kind,
  apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
  ...wanted,
  metadata: { ...wanted.metadata, uid: randomUUID(), creationTimestamp: kubeTime(clock.wall()) },
});

/** 10.96.0.0/12 -> 10.96.0.1: the address of the service `kubernetes`. */
export function firstAddress(range: string): string {
  const parts = (range.split(',')[0] ?? '').split('/')[0]?.split('.').map(Number) ?? [];
  const [a = 0, b = 0, c = 0, d = 0] = parts;
  return [a, b, c, d + 1].join('.');
}

/** Seconds after which a server that has fallen silent is no endpoint any more, and how often it says that it lives. */
const ENDPOINT_TTL = 15;
const RENEW_MS = 10_000;

/**
 * Keeps this server among the endpoints of the service `kubernetes` for as long as the signal lets it, and the silent
 * ones out: each server holds /registry/masterleases/<address> under a lease and writes the list it sees.
 */
export async function keepEndpoint(
  ports: { readonly etcd: EtcdClient; readonly storage: Storage; readonly clock: Clock },
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<void> {
  const key = `/registry/masterleases/${address}`;
  while (!signal.aborted) {
    try {
      const { id } = await ports.etcd.leaseGrant(ENDPOINT_TTL);
      await ports.etcd.put(key, JSON.stringify({ ip: address }), { lease: id });
      await writeEndpoints(ports, port);
    } catch {
      // Without etcd nobody is an endpoint; the next turn tries again.
    }
    await ports.clock.sleep(RENEW_MS, signal).catch(() => {});
  }
}

/** Leaves the endpoints in order, as a server that is stopped does. */
export async function leaveEndpoints(
  ports: { readonly etcd: EtcdClient; readonly storage: Storage; readonly clock: Clock },
  address: string,
  port: number,
): Promise<void> {
  await ports.etcd.delete(`/registry/masterleases/${address}`);
  await writeEndpoints(ports, port);
}

async function writeEndpoints(
  ports: { readonly etcd: EtcdClient; readonly storage: Storage; readonly clock: Clock },
  port: number,
): Promise<void> {
  const { kvs } = await ports.etcd.range('/registry/masterleases/', { prefix: true });
  const addresses = kvs.map((kv) => kv.key.slice('/registry/masterleases/'.length)).toSorted();
  const https = { name: 'https', port, protocol: 'TCP' };
  await write(ports, mustKnow('endpoints'), {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: addresses.length === 0 ? [] : [{ addresses: addresses.map((ip): Json => ({ ip })), ports: [https] }],
  });
  await write(ports, mustKnow('endpointslices'), {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: addresses.map((one): Json => ({ addresses: [one], conditions: { ready: true } })),
    ports: [https],
  });
}

async function write(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  resource: Resource,
  wanted: KubeObject,
): Promise<void> {
  const { name = '', namespace = '' } = wanted.metadata;
  const old = await storage.get(resource, namespace, name);
  if (old === undefined) {
    await storage.create(resource, namespace, name, headed(resource, clock, wanted));
    return;
  }
  const { metadata: _metadata, ...content } = wanted;
  const changed = Object.entries(content).some(
    ([field, value]) => JSON.stringify(old.object[field]) !== JSON.stringify(value),
  );
  if (!changed) return;
  await storage.replace(resource, namespace, name, { ...old.object, ...content }, old.revision);
}

/** Reads whether an account exists under this uid. */
export async function accountHasUid(storage: Storage, namespace: string, name: string, uid: string): Promise<boolean> {
  const account = await storage.get(mustKnow('serviceaccounts'), namespace, name);
  return (
    account !== undefined && isRecord(account.object.metadata) && stringAt(account.object, 'metadata', 'uid') === uid
  );
}
