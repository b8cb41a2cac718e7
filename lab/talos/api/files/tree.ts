import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Machine } from '../../machine.ts';

/** A file of the node as clients see it. */
export interface NodeFile {
  readonly kind: 'file' | 'directory';
  readonly size: number;
  readonly modified: Date;
  readonly mode: number;
  read(): Promise<Uint8Array>;
}

/** The tree of control groups, with constants of the lab in it. */
const CGROUPS = ['', '/init', '/system', '/system/apid', '/system/trustd', '/podruntime', '/podruntime/etcd'].concat([
  '/podruntime/kubelet',
  '/podruntime/runtime',
  '/kubepods',
]);
const CGROUP_FILES: readonly (readonly [name: string, content: string])[] = [
  ['cgroup.procs', ''],
  ['cpu.max', 'max 100000\n'],
  ['cpu.stat', 'usage_usec 1000000\nuser_usec 600000\nsystem_usec 400000\n'],
  ['cpu.weight', '100\n'],
  ['cpu.pressure', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'],
  ['io.pressure', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n'],
  ['memory.current', '83886080\n'],
  ['memory.high', 'max\n'],
  ['memory.low', '0\n'],
  ['memory.max', 'max\n'],
  ['memory.min', '0\n'],
  ['memory.peak', '104857600\n'],
  [
    'memory.pressure',
    'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
  ],
  ['memory.stat', 'anon 41943040\nfile 41943040\n'],
  ['memory.swap.current', '0\n'],
  ['memory.swap.max', '0\n'],
  ['pids.current', '12\n'],
  ['pids.max', 'max\n'],
];

/**
 * The node's files by their absolute paths: what Talos writes and clients ask for, from the machine's state, and its etcd
 * data and logs as they lie on its disk. There is no more of a file system than this.
 */
export async function filesOf(machine: Machine): Promise<ReadonlyMap<string, NodeFile>> {
  const { facts, ports, bootTime } = machine;
  const files = new Map<string, NodeFile>();
  const text = (file: string, content: string, mode = 0o644): void => {
    const bytes = new TextEncoder().encode(content);
    files.set(file, { kind: 'file', size: bytes.length, modified: bootTime, mode, read: async () => bytes });
  };
  text('/proc/sys/kernel/random/boot_id', `${machine.bootId}\n`);
  text('/proc/cmdline', `talos.platform=hcloud console=tty0 init_on_alloc=1\n`);
  text('/proc/uptime', `${((ports.clock.wall().getTime() - bootTime.getTime()) / 1000).toFixed(2)} 0.00\n`);
  text('/etc/hostname', `${facts.hostname}\n`);
  text(
    '/etc/hosts',
    `127.0.0.1       localhost\n${facts.privateIPv4} ${facts.hostname}\n::1             localhost ip6-localhost ip6-loopback\n`,
  );
  text(
    '/etc/os-release',
    `NAME="Talos"\nID=talos\nVERSION_ID=${ports.version}\nPRETTY_NAME="Talos (${ports.version})"\n`,
  );
  text('/etc/resolv.conf', 'nameserver 127.0.0.53\n');
  for (const group of CGROUPS) {
    const folder = `/sys/fs/cgroup${group}`;
    for (const [name, content] of CGROUP_FILES) text(`${folder}/${name}`, content);
  }
  if (machine.persistent !== undefined) text('/system/state/config.yaml', machine.persistent, 0o600);
  await copy(files, machine.paths.etcdData, '/var/lib/etcd');
  await copy(files, machine.paths.logs, '/var/log');
  withDirectories(files, bootTime);
  return files;
}

async function copy(files: Map<string, NodeFile>, from: string, to: string): Promise<void> {
  const entries = await readdir(from, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const source = path.join(entry.parentPath, entry.name);
    const found = await stat(source).catch(() => undefined);
    if (found === undefined) continue;
    files.set(path.join(to, path.relative(from, source)), {
      kind: 'file',
      size: found.size,
      modified: found.mtime,
      mode: 0o600,
      read: () => readFile(source),
    });
  }
}

function withDirectories(files: Map<string, NodeFile>, modified: Date): void {
  const directory: NodeFile = {
    kind: 'directory',
    size: 4_096,
    modified,
    mode: 0o755,
    read: async () => new Uint8Array(),
  };
  for (const always of [
    '/',
    '/var',
    '/var/log',
    '/etc',
    '/proc',
    '/system/state',
    '/etc/kubernetes',
    '/sys/dev/block',
  ]) {
    files.set(always, directory);
  }
  for (const file of files.keys()) {
    for (let up = path.dirname(file); !files.has(up); up = path.dirname(up)) files.set(up, directory);
  }
}

/** What lies at or under a path, no deeper than so many levels (0 = itself and, of a folder, what lies in it). */
export function under(files: ReadonlyMap<string, NodeFile>, root: string, depth: number): [string, NodeFile][] {
  const prefix = root === '/' ? '/' : `${root}/`;
  return [...files]
    .filter(([file]) => file === root || file.startsWith(prefix))
    .filter(([file]) => file === root || file.slice(prefix.length).split('/').length <= depth)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
