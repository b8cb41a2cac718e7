import { textOf } from '../../../../src/base/failure.ts';
import type { KubernetesNode, KubernetesView } from './kubernetes.ts';
import type { CheckedNode, PeerClients } from './peers.ts';

/** A check of the cluster: repeated until it does not throw. */
export interface Check {
  /** As progress lines name it: `waiting for <description>: …`. */
  readonly description: string;
  /** Rejects with what is not yet as it should be; resolves with `skip` where there is nothing to check. */
  run(): Promise<'skip' | void>;
}

export interface Checked {
  readonly nodes: readonly CheckedNode[];
  readonly clients: PeerClients;
  readonly kubernetes: KubernetesView;
}

const PODS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
/** Talos' smallest sizes, MiB: a control plane's and a worker's. */
const MEMORY_MIB = { 'control-plane': 1_966, worker: 966 } as const;
const called = (node: CheckedNode): string => node.addresses[0] ?? '';

/** What Talos checks of a cluster, in its order. There is neither kube-proxy nor CoreDNS in the lab. */
export function clusterChecks({ nodes, clients, kubernetes }: Checked): readonly Check[] {
  const planes = nodes.filter((node) => node.role === 'control-plane');

  const each = async (some: readonly CheckedNode[], look: (node: CheckedNode) => Promise<void>): Promise<void> => {
    const failed = (await Promise.allSettled(some.map(look))).flatMap((outcome) =>
      outcome.status === 'rejected' ? [textOf(outcome.reason)] : [],
    );
    if (failed.length === 0) return;
    const list = failed.map((text) => `\t* ${text}\n`).join('');
    throw new Error(`${failed.length} error${failed.length === 1 ? '' : 's'} occurred:\n${list}`);
  };
  const service = (id: string) => () =>
    each(planes, async (node) => {
      const { messages } = await (await clients.of(node)).machine.serviceList({});
      const found = messages[0]?.services.find((candidate) => candidate.id === id);
      const last = found?.events?.events.at(-1);
      if (found === undefined || last === undefined) {
        throw new Error(`${called(node)}: no events recorded yet for service "${id}"`);
      }
      if (found.state !== 'Running') {
        const state = `current state [${found.state}] ${last.msg}`;
        throw new Error(`${called(node)}: service "${id}" not in expected state "Running": ${state}`);
      }
      if (found.health?.healthy !== true) throw new Error(`${called(node)}: service is not healthy: ${id}`);
    });
  const membersOf = async (node: CheckedNode) =>
    (await (await clients.of(node)).machine.etcdMemberList({})).messages[0]?.members ?? [];
  const match = (expected: readonly CheckedNode[], actual: readonly KubernetesNode[]): void => {
    const missing = expected.filter(
      (node) => !actual.some((other) => other.addresses.some((address) => node.addresses.includes(address))),
    );
    if (missing.length > 0) {
      throw new Error(
        `can't find expected node with IPs [${missing.map((node) => JSON.stringify(node.addresses)).join(' ')}]`,
      );
    }
    const strange = actual.filter(
      (other) => !expected.some((node) => other.addresses.some((address) => node.addresses.includes(address))),
    );
    if (strange.length > 0) throw new Error(`unexpected nodes with IPs ${JSON.stringify(strange[0]?.addresses)}`);
  };
  const resources = async (node: CheckedNode, namespace: string, type: string) => {
    const found = [];
    for await (const { resource } of (await clients.of(node)).state.list({ namespace, type })) {
      if (resource !== undefined) found.push(resource);
    }
    return found;
  };

  return [
    { description: 'etcd to be healthy', run: service('etcd') },
    {
      description: 'etcd members to be consistent across nodes',
      async run() {
        const lists = await Promise.all(planes.map(async (node) => [node, await membersOf(node)] as const));
        const key = ({ hostname, id, isLearner }: { hostname: string; id: bigint; isLearner: boolean }): string =>
          `${hostname} ${id} ${isLearner}`;
        const known = new Set((lists[0]?.[1] ?? []).map(key));
        for (const [node, members] of lists) {
          if (members.length !== known.size) {
            throw new Error(`${called(node)}: expected to have ${known.size} members, got ${members.length}`);
          }
          const strange = members.find((member) => !known.has(key(member)));
          if (strange !== undefined) {
            throw new Error(`${called(node)}: found unexpected etcd member ${strange.hostname}`);
          }
        }
      },
    },
    {
      description: 'etcd members to be control plane nodes',
      async run() {
        const [first] = planes;
        const members = first === undefined ? [] : await membersOf(first);
        const ips = members.flatMap((member) => member.peerUrls.map((url) => new URL(url).hostname));
        const own = planes.flatMap((node) => node.addresses);
        if (ips.some((ip) => !own.includes(ip))) {
          const lists = `${JSON.stringify(ips)} are not subset of control plane node ips ${JSON.stringify(own)}`;
          throw new Error(`etcd member ips ${lists}`);
        }
      },
    },
    {
      description: 'apid to be ready',
      run: () => each(nodes, async (node) => void (await (await clients.of(node)).machine.version({}))),
    },
    {
      description: 'all nodes memory sizes',
      run: () =>
        each(nodes, async (node) => {
          const { messages } = await (await clients.of(node)).machine.memory({});
          const mib = Number(messages[0]?.meminfo?.memtotal ?? 0n) / 1024;
          if (mib < MEMORY_MIB[node.role])
            throw new Error(`${called(node)}: memory ${Math.round(mib)} MiB is too little`);
        }),
    },
    {
      description: 'all nodes disk sizes',
      run: () =>
        each(nodes, async (node) => {
          const volumes = await resources(node, 'runtime', 'VolumeStatuses.block.talos.dev');
          if (!volumes.some((volume) => volume.metadata?.id === 'EPHEMERAL')) {
            throw new Error(`${called(node)}: no ephemeral volume`);
          }
        }),
    },
    {
      description: 'no diagnostics',
      run: () =>
        each(nodes, async (node) => {
          const found = await resources(node, 'runtime', 'Diagnostics.runtime.talos.dev');
          if (found.length > 0) {
            throw new Error(`${called(node)}: active diagnostics: ${found.map((one) => one.metadata?.id).join(', ')}`);
          }
        }),
    },
    { description: 'kubelet to be healthy', run: service('kubelet') },
    {
      description: 'all nodes to finish boot sequence',
      run: () =>
        each(nodes, async (node) => {
          const [status] = await resources(node, 'runtime', 'MachineStatuses.runtime.talos.dev');
          const yaml = status?.spec?.yamlSpec ?? '';
          if (!/^stage: running$/m.test(yaml)) throw new Error(`${called(node)}: ${yaml.split('\n')[0] ?? ''}`);
        }),
    },
    { description: 'all k8s nodes to report', run: async () => match(nodes, await kubernetes.nodes()) },
    {
      description: 'all control plane static pods to be running',
      run: () =>
        each(planes, async (node) => {
          const pods = await resources(node, 'k8s', 'StaticPodStatuses.kubernetes.talos.dev');
          for (const pod of PODS) {
            const found = pods.find((candidate) => candidate.metadata?.id.startsWith(`kube-system/${pod}-`));
            if (found === undefined)
              throw new Error(`missing static pods on node ${called(node)}: [kube-system/${pod}]`);
            if (!/type: Ready/.test(found.spec?.yamlSpec ?? '')) throw new Error(`static pod ${pod} is not ready`);
          }
        }),
    },
    {
      description: 'all control plane components to be ready',
      async run() {
        const found = (await kubernetes.nodes()).filter((node) => node.controlPlane);
        match(planes, found);
        const pods = await kubernetes.pods();
        for (const app of PODS) {
          const own = pods.filter((pod) => pod.app === app);
          if (own.length !== found.length) {
            throw new Error(`expected number of pods for ${app} to be ${found.length}, got ${own.length}`);
          }
          const late = own.filter((pod) => !pod.ready).map((pod) => pod.name);
          if (late.length > 0) throw new Error(`some pods are not ready for ${app}: [${late.join(' ')}]`);
        }
      },
    },
    {
      description: 'all k8s nodes to report ready',
      async run() {
        const late = (await kubernetes.nodes()).filter((node) => !node.ready).map((node) => node.name);
        if (late.length > 0) throw new Error(`some nodes are not ready: [${late.join(' ')}]`);
      },
    },
    { description: 'kube-proxy to report ready', run: async () => 'skip' },
    { description: 'coredns to report ready', run: async () => 'skip' },
    {
      description: 'all k8s nodes to report schedulable',
      async run() {
        const marked = (await kubernetes.nodes()).filter((node) => node.unschedulable).map((node) => node.name);
        if (marked.length > 0) throw new Error(`some nodes are not schedulable: [${marked.join(' ')}]`);
      },
    },
  ];
}
