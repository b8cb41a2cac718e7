import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { ControlPlane } from '../control-plane/control-plane.ts';
import type { Machine } from '../machine.ts';
import { cordon } from './cordon.ts';
import type { DownTasks } from './phases.ts';
import { installRelease } from './releases.ts';
import type { LifeRequest } from './request.ts';

/** Talos waits this long for the shared IPs before it goes down all the same. */
const RELEASE_WAIT_MS = 30_000;
/** Time for what has just been announced to reach those who watch, in the lab's own time. */
const FLUSH_MS = 100;

/** What each step of going down does to this machine. */
export function downTasks(machine: Machine, plane: ControlPlane | undefined, request: LifeRequest): DownTasks {
  const { clock, dir } = machine.ports;
  return {
    drain: () => cordon(machine),
    async stopPods() {
      if (plane === undefined) return;
      // The address is handed over before anything else goes; a cloud that hangs holds this up only so long.
      const wait = new AbortController();
      const bound = clock.sleep(RELEASE_WAIT_MS / machine.ports.speed, wait.signal).catch(() => {});
      await Promise.race([plane.vips.stop(), bound]);
      wait.abort();
      await plane.kubelet.stop();
    },
    async leaveEtcd() {
      await plane?.etcd.leave();
    },
    async stopServices() {
      await plane?.etcd.stop();
    },
    async install() {
      if (request.kind === 'upgrade') await installRelease(machine, request.version);
    },
    async stopEverything() {
      for (const id of machine.services.keys()) {
        if (id !== 'machined' && id !== 'apid')
          machine.service(id, 'Finished', undefined, 'Service finished successfully');
      }
      await clock.sleep(FLUSH_MS);
    },
    async wipe() {
      const wiped = request.kind === 'reset' ? request.partitions : [];
      const has = (label: string): boolean => wiped === undefined || wiped.includes(label);
      if (has('STATE')) {
        await rm(machine.paths.config, { force: true });
        machine.persistent = undefined;
      }
      if (has('EPHEMERAL')) {
        const etcdFate = path.join(dir, 'state', 'etcd');
        await Promise.all(
          [machine.paths.etcdData, machine.paths.secrets, path.join(dir, 'kube-apiserver'), etcdFate].map((file) =>
            rm(file, { recursive: true, force: true }),
          ),
        );
      }
    },
  };
}
