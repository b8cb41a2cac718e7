import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { createTalosClient } from '../../../src/systems/talos/client.ts';
import { parseTalosconfig, selectContext, selectNodes } from '../../../src/systems/talos/talosconfig.ts';
import type { TalosClient } from '../../../src/systems/talos/types.ts';

const run = promisify(execFile);

/** A Talos cluster as its user has it: a talosconfig, and the addresses of its nodes. */
export interface TalosCluster {
  readonly controlPlanes: readonly TalosClient[];
  readonly workers: readonly TalosClient[];
  /** The file with its client certificate, and a control plane's address, as talosctl wants them. */
  readonly talosconfig: string;
  readonly controlPlane: string;
  /** A folder of the test's own. */
  readonly folder: string;
  /** The kubeconfig that the cluster gives to an admin, as a file; asked for once. */
  kubeconfig(): Promise<string>;
  close(): Promise<void>;
}

/** Asks every node of a talosconfig what it is. `nodes`: where the talosconfig names endpoints only. */
export async function openCluster(talosconfig: string, nodes: readonly string[] = []): Promise<TalosCluster> {
  const context = selectContext(parseTalosconfig(await readFile(talosconfig, 'utf8'), talosconfig));
  const { ca, crt, key } = context;
  const addresses = selectNodes(context, nodes).nodes;
  const clients = addresses.map((address) => createTalosClient({ address, ca, crt, key, timeoutMs: 20_000 }));
  const kinds = await Promise.all(
    clients.map(async (client) => {
      const type = await client.get('config', 'MachineTypes.config.talos.dev', 'machine-type');
      return type?.spec;
    }),
  );
  const folder = await mkdtemp(path.join(tmpdir(), 'talos-conformance-'));
  const controlPlanes = clients.filter((_, n) => ['controlplane', 'init'].includes(String(kinds[n])));
  let kubeconfig: Promise<string> | undefined;
  return {
    controlPlanes,
    workers: clients.filter((client) => !controlPlanes.includes(client)),
    talosconfig,
    controlPlane: addresses[clients.indexOf(first(controlPlanes))] ?? '',
    folder,
    kubeconfig: () =>
      (kubeconfig ??= (async () => {
        const text = await first(controlPlanes).kubeconfig();
        const file = path.join(folder, 'kubeconfig');
        await writeFile(file, text.reveal(), { mode: 0o600 });
        return file;
      })()),
    close: async () => {
      for (const client of clients) client.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error('the cluster has no control plane');
  return item;
}

/** The documents of a node's active config, each as plain data. */
export async function documentsOf(client: TalosClient): Promise<readonly Record<string, unknown>[]> {
  const active = await client.machineConfig('active');
  const parsed = parseAllDocuments(active?.text.reveal() ?? '');
  return (Array.isArray(parsed) ? parsed : []).map((document) => document.toJS() as Record<string, unknown>);
}

/** Where the cluster says its API is, in whichever document the release keeps it. */
export async function endpointOf(client: TalosClient): Promise<string> {
  for (const document of await documentsOf(client)) {
    const { cluster, endpoint } = document as {
      cluster?: { controlPlane?: { endpoint?: string } };
      endpoint?: string;
    };
    const found = document['kind'] === 'KubeClusterConfig' ? endpoint : cluster?.controlPlane?.endpoint;
    if (found !== undefined) return found;
  }
  throw new Error('the machine config names no endpoint');
}

/** kubectl and talosctl from PATH or the cache of scripts/prepare; undefined when there is none. */
export const findKubectl = (): Promise<string | undefined> => find('kubectl', 'kubectl-v1.36.3');
export const findTalosctl = (): Promise<string | undefined> => find('talosctl', 'talosctl-v1.13.9');

async function find(name: string, prepared: string): Promise<string | undefined> {
  for (const program of [name, path.join(homedir(), '.cache/fairlead/bin', prepared)]) {
    const works = await run(program, ['version', '--client']).then(
      () => true,
      () => false,
    );
    if (works) return program;
  }
  return undefined;
}

/** Standard output of a program with the surroundings that keep a user's own files out of it. */
export async function output(program: string, args: readonly string[], folder: string): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: folder, ETCDCTL_API: '3' };
  return (await run(program, [...args], { env, timeout: 30_000, maxBuffer: 1 << 26 })).stdout;
}

/** The claims of a JWT. */
export const claimsOf = (token: string): Record<string, unknown> =>
  parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
