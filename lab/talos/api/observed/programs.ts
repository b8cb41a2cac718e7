import type { Machine } from '../../machine.ts';
import type { MachineControl } from '../control.ts';

/** A program that runs on the node, as far as anyone can see from outside. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly ppid: number;
  readonly executable: string;
  readonly args: string;
  readonly image: string;
  /** Of containerd: Talos' own services, or Kubernetes' containers. Absent for what runs in no container. */
  readonly namespace?: 'system' | 'k8s.io';
  /** Of Kubernetes' containers. */
  readonly pod?: string;
  readonly memoryBytes: number;
  readonly threads: number;
  readonly ports: readonly number[];
}

const MiB = 1024 * 1024;
/** Constants of the lab: what each of Talos' own services takes. */
const SERVICES: readonly (readonly [id: string, memoryMiB: number, threads: number, ports: readonly number[]])[] = [
  ['apid', 28, 12, [50_000]],
  ['trustd', 22, 10, [50_001]],
];

/** What runs now. The sizes are the lab's constants; what is real (etcd, the API server) has its true process id. */
export function programsOf(machine: Machine, control: MachineControl): readonly Program[] {
  const { facts, ports, role, services } = machine;
  const running = (id: string): boolean => services.get(id)?.state === 'Running';
  const version = machine.active?.derived.kubernetesVersion ?? '';
  const talos = ports.version;
  const programs: Program[] = [
    {
      name: 'machined',
      pid: 1,
      ppid: 0,
      executable: '/sbin/init',
      args: '/sbin/init',
      image: '',
      memoryBytes: 90 * MiB,
      threads: 16,
      ports: [],
    },
  ];
  let pid = 1_000;
  const add = (program: Omit<Program, 'pid' | 'ppid'> & { readonly pid?: number | undefined }): void => {
    pid += 100;
    programs.push({ ...program, pid: program.pid ?? pid, ppid: 1 });
  };
  for (const [id, memory, threads, listening] of SERVICES) {
    if (!running(id)) continue;
    add({
      name: id,
      executable: `/usr/bin/${id}`,
      args: `/usr/bin/${id}`,
      image: `talos/${id}:${talos}`,
      namespace: 'system',
      memoryBytes: memory * MiB,
      threads,
      ports: listening,
    });
  }
  if (running('etcd')) {
    add({
      name: 'etcd',
      pid: control.etcd()?.part?.pid,
      executable: '/usr/local/bin/etcd',
      args: `/usr/local/bin/etcd --name=${facts.hostname}`,
      image: 'registry.k8s.io/etcd',
      namespace: 'system',
      memoryBytes: 80 * MiB,
      threads: 20,
      ports: [2379, 2380],
    });
  }
  if (running('kubelet')) {
    add({
      name: 'kubelet',
      executable: '/usr/local/bin/kubelet',
      args: `/usr/local/bin/kubelet --hostname-override=${facts.hostname}`,
      image: `ghcr.io/siderolabs/kubelet:${version}`,
      namespace: 'system',
      memoryBytes: 75 * MiB,
      threads: 18,
      ports: [10_250],
    });
  }
  if (role === 'control-plane') {
    for (const pod of machine.pods.values()) {
      add({
        name: pod.name,
        executable: `/usr/local/bin/${pod.name}`,
        args: `/usr/local/bin/${pod.name}`,
        image: `registry.k8s.io/${pod.name}:${version}`,
        namespace: 'k8s.io',
        pod: `kube-system/${pod.name}-${facts.hostname}`,
        memoryBytes: (pod.name === 'kube-apiserver' ? 265 : 50) * MiB,
        threads: 14,
        ports: pod.name === 'kube-apiserver' ? [6443] : [],
      });
    }
  }
  return programs;
}
