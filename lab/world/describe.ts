import path from 'node:path';
import { CLOUD_LIMITS } from '../cloud/limits.ts';
import type { Cloud } from '../cloud/types.ts';
import { prefixOf } from '../fabric/ipv6.ts';
import type { Fabric } from '../fabric/types.ts';
import type { Parts } from '../kubernetes/types.ts';
import { NODE_LIMITS } from '../talos/limits.ts';
import type { DataPlane } from './data-plane.ts';
import type { LabInfo, LabNodeInfo, LabOptions } from './info.ts';
import type { Machine, Machines } from './machines.ts';

export interface Describable {
  readonly name: string;
  readonly options: LabOptions;
  readonly state: string;
  readonly fabric: Fabric;
  readonly cloud: Cloud;
  readonly machines: Machines;
  readonly dataPlane: Pick<DataPlane, 'dns' | 'limits' | 'balancers'>;
  readonly parts: Parts;
  readonly tokens: { readonly own: string; readonly node: string; readonly readOnly: string };
}

/** `lab info`, out of the world as it is at this moment. */
export function describeWorld(world: Describable): LabInfo {
  const machines = world.machines
    .all()
    .toSorted((a, b) => rank(a) - rank(b) || a.server.name.localeCompare(b.server.name, 'en', { numeric: true }));
  const nameOf = (id: number | null): string | null =>
    id === null ? null : (world.cloud.servers().find((s) => s.id === id)?.name ?? null);
  return {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Lab',
    name: world.name,
    fabric: world.fabric.kind,
    speed: world.options.speed,
    state: world.state,
    pid: process.pid,
    hetzner: {
      endpoint: world.cloud.url,
      token: world.tokens.own,
      nodeToken: world.tokens.node,
      readOnlyToken: world.tokens.readOnly,
      era: world.options.hetznerEra,
    },
    dns: world.dataPlane.dns,
    github: null,
    files: {
      config: path.join(world.state, 'fairlead.yaml'),
      kubeconfig: path.join(world.state, 'kubeconfig'),
      talosconfig: path.join(world.state, 'talosconfig'),
      provisioner: path.join(world.state, 'provisioner'),
    },
    endpoint: endpointOf(machines),
    floatingIPs: world.cloud.floatingIPs().map((fip) => ({
      id: fip.id,
      ip: fip.ip,
      assignedTo: nameOf(fip.server),
      routedTo: world.fabric.routed(fip.ip)?.name ?? null,
      claimedBy: machines.filter((m) => m.host.claimed.map(prefixOf).includes(fip.ip)).map((m) => m.server.name),
    })),
    loadBalancers: world.dataPlane.balancers.states().map((balancer) => ({
      ...balancer,
      services: balancer.services.map((service) => ({
        ...service,
        targets: service.targets.map(({ server, address, health, connections }) => ({
          node: nameOf(server ?? null),
          address,
          health: health.status,
          ...(health.detail === undefined ? {} : { detail: health.detail }),
          connections,
        })),
      })),
    })),
    nodes: machines.map((m) => describeNode(m, world)),
    limits: [
      ...world.fabric.limits,
      ...world.dataPlane.limits,
      ...CLOUD_LIMITS,
      ...limitsOf(world, machines),
      ...NODE_LIMITS,
    ],
  };
}

/** Control planes first. A machine that was made anew stands where its name belongs. */
const rank = (machine: Machine): number => (machine.node.role === 'control-plane' ? 0 : 1);

function describeNode(machine: Machine, world: Describable): LabNodeInfo {
  const info = machine.node.info();
  const live = world.cloud.servers().find((s) => s.id === machine.server.id);
  const { server } = machine;
  return {
    name: server.name,
    role: machine.node.role,
    serverId: server.id,
    publicIPv4: server.publicIPv4,
    ...(machine.publicIPv6 === '' ? {} : { publicIPv6: machine.publicIPv6 }),
    privateIPv4: server.privateIPv4,
    power: (machine.host.condition === 'off' && info.hung !== true) || live?.status === 'off' ? 'off' : 'on',
    stage: info.stage,
    ready: info.ready,
    talosApi: `${server.publicIPv4}:50000`,
    kubernetesApi: `https://${server.publicIPv4}:${info.apiPort}`,
    talosVersion: info.talosVersion,
    kubernetesVersion: info.kubeApiserver?.version ?? info.configuredKubernetes,
    ...(info.etcd === undefined
      ? {}
      : {
          etcd: {
            endpoint: info.etcd.endpoint,
            ca: info.etcd.ca,
            cert: info.etcd.cert,
            key: info.etcd.key,
            backing: info.etcd.backing,
            ...(info.etcd.pid === undefined ? {} : { pid: info.etcd.pid }),
          },
        }),
    ...(info.kubeApiserver === undefined
      ? {}
      : {
          kubeApiserver: {
            backing: info.kubeApiserver.backing,
            ...(info.kubeApiserver.pid === undefined ? {} : { pid: info.kubeApiserver.pid }),
          },
        }),
    metadata: machine.metadata.url,
    log: info.log,
  };
}

/** The endpoint in the config of the first control plane that is up; empty while none is. */
function endpointOf(machines: readonly Machine[]): string {
  for (const machine of machines.filter((m) => m.node.role === 'control-plane')) {
    const endpoint = machine.node.info().endpoint;
    if (endpoint !== undefined) return endpoint;
  }
  return '';
}

function limitsOf(world: Describable, machines: readonly Machine[]): string[] {
  const limits = [
    'There is no CI secret store in this lab yet.',
    'No controller-manager or scheduler runs: stand-ins keep the default ServiceAccount, kube-root-ca.crt, namespace deletion and Node status, and end the pods of nodes that are gone.',
    'Node Ready says that the kubelet stand-in reports; no container is ever started.',
  ];
  if (world.parts.etcd.backing === 'built-in')
    limits.push('etcd is built in: its data lives in the memory of the lab.');
  if (world.parts.kubeApiserver.backing === 'built-in') {
    limits.push(
      'kube-apiserver is built in: nodes, ConfigMaps, Secrets, namespaces, service accounts, tokens, leases, events, and pods, which stay Pending unless a kubelet shows them; workloads can only be read; no RBAC objects, of admission only what guards nodes, mirror pods and namespaces; owners of fields are kept of server-side apply alone, and kubectl explain finds no fields.',
    );
  }
  const other = machines.find(
    (m) => minor(m.node.info().configuredKubernetes) !== minor(world.parts.kubeApiserver.version),
  );
  if (other !== undefined) {
    limits.push(
      `The machine configs name Kubernetes ${other.node.info().configuredKubernetes}; the API server that runs is ${world.parts.kubeApiserver.version}.`,
    );
  }
  return limits;
}

const minor = (version: string): string => version.split('.').slice(0, 2).join('.');
