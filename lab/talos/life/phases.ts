import type { LifeRequest } from './request.ts';
import type { Phase, Task } from './sequence.ts';

/** What the steps of a machine that goes down do. */
export interface DownTasks {
  readonly drain: () => Promise<void>;
  readonly stopPods: () => Promise<void>;
  readonly leaveEtcd: () => Promise<void>;
  readonly stopServices: () => Promise<void>;
  readonly install: () => Promise<void>;
  readonly wipe: () => Promise<void>;
  /** All that is left but the machine itself; clients that watch hear of it before the API goes. */
  readonly stopEverything: () => Promise<void>;
}

/** Names of the sequences in events. */
export const SEQUENCES: Readonly<Record<LifeRequest['kind'], string>> = {
  reboot: 'reboot',
  shutdown: 'shutdown',
  reset: 'reset',
  upgrade: 'upgrade',
};

/** The steps of a request in Talos' order. `controlPlane`: the machine may have an etcd to leave. */
export function phasesOf(request: LifeRequest, tasks: DownTasks, controlPlane: boolean): Phase[] {
  const cleanup = [
    phase('cleanup', { name: 'stopAllPods', work: tasks.stopPods }),
    phase('dbus', { name: 'stopDBus' }),
  ];
  const drain = phase('drain', { name: 'cordonAndDrainNode', work: tasks.drain });
  const unmount = [
    phase('stopServices', { name: 'stopServicesForUpgrade', work: tasks.stopServices }),
    phase('unmount', { name: 'unmountPodMounts' }),
    phase('unmountBind', { name: 'unmountSystemDiskBindMounts' }),
    phase('unmountSystem', { name: 'unmountEphemeralPartition' }),
    phase('volumeFinalize', { name: 'teardownVolumeLifecycle' }),
  ];
  const stop = phase('stopEverything', { name: 'stopAllServices', work: tasks.stopEverything });
  const kexec = phase('kexec', { name: 'kexecPrepare' });
  const reboot = phase('reboot', { name: 'reboot' });
  const shutdown = phase('shutdown', { name: 'shutdown' });
  switch (request.kind) {
    case 'reboot':
      return [...cleanup, ...unmount, kexec, stop, reboot];
    case 'shutdown':
      return [
        phase('storeShutdown', { name: 'storeShutdownEmergency' }),
        ...(request.force ? [] : [drain]),
        ...cleanup,
        ...unmount,
        stop,
        shutdown,
      ];
    case 'reset': {
      const { graceful } = request;
      const wiped =
        request.partitions === undefined ? ['reset', 'resetSystemDisk'] : ['resetSpec', 'resetSystemDiskSpec'];
      const [name = '', task = ''] = wiped;
      return [
        ...(graceful ? [drain] : []),
        phase('cleanup', { name: graceful ? 'removeAllPods' : 'stopAllPods', work: tasks.stopPods }),
        phase('dbus', { name: 'stopDBus' }),
        ...(graceful && controlPlane ? [phase('leave', { name: 'leaveEtcd', work: tasks.leaveEtcd })] : []),
        phase('preReset', { name: 'sendResetSignal' }),
        ...unmount,
        stop,
        phase('forceCleanup', { name: 'forceCleanup' }),
        phase(name, { name: task, work: tasks.wipe }),
        request.reboot ? reboot : shutdown,
      ];
    }
    case 'upgrade':
      return [
        ...(request.staged ? [] : [drain]),
        ...cleanup,
        ...unmount,
        phase('upgrade', { name: 'upgrade', work: tasks.install }),
        phase('meta', { name: 'reloadMeta' }),
        kexec,
        stop,
        reboot,
      ];
  }
}

const phase = (name: string, ...tasks: Task[]): Phase => ({ name, tasks });
