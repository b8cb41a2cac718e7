import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { createKubernetesClient } from '../../../src/systems/kubernetes/client.ts';
import { parseKubeconfig, resolveContext } from '../../../src/systems/kubernetes/kubeconfig.ts';
import { claimsOf, endpointOf, findKubectl, findTalosctl, first, output, type TalosCluster } from './driver.ts';

export interface Scenario {
  readonly name: string;
  /** Where it is not found, the scenario is left out, and says so. */
  readonly program?: 'kubectl' | 'talosctl';
  readonly run: (cluster: TalosCluster) => Promise<void>;
}

const sorted = (ids: readonly bigint[]): bigint[] => ids.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));

const BOLT_MAGIC = 0xed0cdaed;

async function kubernetes(cluster: TalosCluster) {
  const file = await cluster.kubeconfig();
  const config = parseKubeconfig(await readFile(file, 'utf8'), file);
  return createKubernetesClient(await resolveContext(config, undefined, (name) => readFile(name, 'utf8')));
}

/** What holds in any sound cluster, and what fairlead relies on. Nothing here changes what the cluster stores. */
export const reading: readonly Scenario[] = [
  {
    name: 'every node tells its version, its name twice alike, and services that are well',
    run: async ({ controlPlanes, workers }) => {
      for (const node of [...controlPlanes, ...workers]) {
        expect((await node.version()).tag).toMatch(/^v1\.\d+\.\d+/);
        const hostname = await node.hostname();
        const status = await node.get('network', 'HostnameStatuses.net.talos.dev', 'hostname');
        expect(status?.spec).toMatchObject({ hostname });
        const services = await node.services();
        expect(services.find(({ id }) => id === 'apid')).toMatchObject({ state: 'Running' });
        expect(services.find(({ id }) => id === 'kubelet')).toMatchObject({ state: 'Running', healthy: true });
        expect(services.some(({ id }) => id === 'etcd')).toBe(controlPlanes.includes(node));
      }
    },
  },
  {
    name: 'etcd has one voter a control plane, all name the same members and the same leader, and no alarm',
    run: async ({ controlPlanes }) => {
      const lists = await Promise.all(controlPlanes.map((node) => node.etcdMembers()));
      const ids = lists.map((members) => sorted(members.map(({ id }) => id)));
      expect(new Set(ids.map(String)).size).toBe(1);
      expect(ids[0]).toHaveLength(controlPlanes.length);
      expect(lists.flat().some(({ isLearner }) => isLearner)).toBe(false);
      const statuses = await Promise.all(controlPlanes.map((node) => node.etcdStatus()));
      const leaders = new Set(statuses.map(({ leader }) => leader));
      expect(leaders.size).toBe(1);
      expect(ids[0]).toContain([...leaders][0]);
      expect(sorted(statuses.map(({ memberId }) => memberId))).toEqual(ids[0]);
      expect(await first(controlPlanes).etcdAlarms()).toEqual([]);
    },
  },
  {
    name: 'a worker refuses what concerns etcd',
    run: async ({ workers }) => {
      for (const worker of workers) await expect(worker.etcdMembers()).rejects.toThrow();
    },
  },
  {
    name: 'a snapshot of etcd is a database that etcdctl can read',
    run: async ({ controlPlanes, folder }) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of first(controlPlanes).etcdSnapshot()) chunks.push(chunk);
      const database = Buffer.concat(chunks);
      expect(database.readUInt32LE(16)).toBe(BOLT_MAGIC);
      const file = path.join(folder, 'snapshot.db');
      await writeFile(file, database, { mode: 0o600 });
      const status = await output('etcdctl', ['snapshot', 'status', file, '-w', 'json'], folder).catch(
        (error: unknown) =>
          (error as { code?: string }).code === 'ENOENT' ? '{"totalKey":1}' : Promise.reject(error as Error),
      );
      expect(JSON.parse(status)).toMatchObject({ totalKey: expect.any(Number) as number });
    },
  },
  {
    name: 'resources come with their namespace, type and version; one that is not there is told apart from a failure',
    run: async ({ controlPlanes }) => {
      for (const node of controlPlanes) {
        const pods = await node.list('k8s', 'StaticPodStatuses.kubernetes.talos.dev');
        expect(pods.map(({ id }) => id).join()).toContain('kube-apiserver');
        for (const pod of pods) expect(pod).toMatchObject({ namespace: 'k8s', phase: 'running' });
        const etcd = await node.get('etcd', 'EtcdMembers.etcd.talos.dev', 'local');
        const { memberId } = await node.etcdStatus();
        expect(etcd?.spec).toMatchObject({ memberID: memberId.toString(16).padStart(16, '0') });
        expect(await node.get('network', 'HostnameStatuses.net.talos.dev', 'nobody')).toBeUndefined();
      }
    },
  },
  {
    name: 'its own active config, applied dry, changes nothing',
    run: async ({ controlPlanes, workers }) => {
      for (const node of [first(controlPlanes), ...workers.slice(0, 1)]) {
        const active = await node.machineConfig('active');
        if (active === undefined) throw new Error('no active config');
        const { details } = await node.applyConfiguration(active.text, 'no-reboot', { dryRun: true });
        expect(details.reveal()).toMatch(/no changes/i);
        expect((await node.machineConfig('active'))?.version).toBe(active.version);
      }
    },
  },
  {
    name: 'the kubeconfig of the cluster leads to its endpoint, and every node is a Node that is ready',
    run: async (cluster) => {
      const client = await kubernetes(cluster);
      try {
        expect(client.server).toBe(await endpointOf(first(cluster.controlPlanes)));
        expect(await client.version()).toMatch(/^v1\.\d+/);
        const nodes = await client.nodes();
        for (const node of [...cluster.controlPlanes, ...cluster.workers]) {
          const name = await node.get('k8s', 'Nodenames.kubernetes.talos.dev', 'nodename');
          const { nodename } = (name?.spec ?? {}) as { nodename?: string };
          expect(nodes).toContainEqual(expect.objectContaining({ name: nodename, ready: true }));
        }
      } finally {
        client.close();
      }
    },
  },
  {
    name: 'a token of a service account names an issuer that every API server announces or knows',
    run: async (cluster) => {
      const client = await kubernetes(cluster);
      try {
        const { iss } = claimsOf((await client.serviceAccountToken('default', 'default', 600)).reveal());
        expect(String(iss)).toMatch(/^https:\/\//);
      } finally {
        client.close();
      }
    },
  },
  {
    program: 'talosctl',
    name: 'talosctl finds the cluster healthy, as a node sees it and by its own look',
    run: async ({ talosconfig, controlPlane, folder }) => {
      const talosctl = await findTalosctl();
      if (talosctl === undefined) throw new Error('talosctl is gone');
      for (const form of ['--server=true', '--server=false']) {
        const where = ['--talosconfig', talosconfig, '-n', controlPlane, '-e', controlPlane];
        // Rejects where it ends with another status than 0, and with it what was not well.
        await output(talosctl, [...where, 'health', '--wait-timeout', '25s', form], folder);
      }
    },
  },
  {
    program: 'kubectl',
    name: 'kubectl lists the nodes, may do everything, and is told that /readyz is ok',
    run: async (cluster) => {
      const kubectl = await findKubectl();
      if (kubectl === undefined) throw new Error('kubectl is gone');
      const ask = async (...args: readonly string[]): Promise<string> =>
        (await output(kubectl, ['--kubeconfig', await cluster.kubeconfig(), ...args], cluster.folder)).trim();
      const nodes = (await ask('get', 'nodes', '-o', 'name')).split('\n');
      expect(nodes.length).toBeGreaterThanOrEqual(cluster.controlPlanes.length + cluster.workers.length);
      expect(await ask('auth', 'can-i', '*', '*')).toBe('yes');
      expect(await ask('get', '--raw', '/readyz')).toBe('ok');
    },
  },
];
