import type { Machine, PodName, StaticPod } from '../machine.ts';
import type { ApiServerService } from './api-server.ts';

/** What a static pod is to be: versions of what it was rendered from. */
export interface PodVersions {
  readonly secrets: number;
  readonly config: Readonly<Record<PodName, number>>;
}

export interface Kubelet {
  /** Starts the pods and the polls. Resolves when the API server listens. */
  start(signal: AbortSignal): Promise<void>;
  /** The kubelet's own restart: Talos forgets what pods it saw, which is what moves a shared IP. */
  restart(): Promise<void>;
  /** It is gone, and what it started runs on; `up` again, it looks anew. */
  set(state: 'up' | 'down'): void;
  /** Orderly end of the pods. */
  stop(): Promise<void>;
}

const PODS: readonly PodName[] = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/**
 * The kubelet as far as static pods go: every 20 s it compares what it runs with what Talos wants, and recreates what
 * differs, all at once. The API server is real; controller-manager and scheduler are only said to run.
 */
export function createKubelet(machine: Machine, apiServer: ApiServerService, wanted: () => PodVersions): Kubelet {
  const { clock } = machine.ports;
  const { times, pods, podStatuses } = machine;
  let syncing: Promise<void> = Promise.resolve();
  let up = false;

  const stopped = (pod: StaticPod, versions: PodVersions): boolean =>
    pod.secretsVersion !== versions.secrets || pod.configVersion !== versions.config[pod.name];

  const begin = (name: PodName, versions: PodVersions, restarts: number): StaticPod => {
    const pod: StaticPod = {
      name,
      secretsVersion: versions.secrets,
      configVersion: versions.config[name],
      ready: name !== 'kube-apiserver',
      restarts,
      startedAt: clock.wall(),
    };
    pods.set(name, pod);
    return pod;
  };

  const sync = async (signal: AbortSignal): Promise<void> => {
    const versions = wanted();
    // Arguments that Talos refuses to render leave the pod as it is, or leave it out.
    const rendered = (machine.active?.derived.kubeAPIServerArgs.length ?? 0) > 0;
    const changed = PODS.filter((name) => {
      if (name === 'kube-apiserver' && !rendered) return false;
      const pod = pods.get(name);
      return pod === undefined || stopped(pod, versions);
    });
    if (changed.length === 0) return;
    const restarts = (name: PodName): number => {
      const pod = pods.get(name);
      return pod === undefined ? 0 : pod.restarts + 1;
    };
    const server = changed.includes('kube-apiserver');
    const again = server && pods.has('kube-apiserver');
    for (const name of changed) {
      const count = restarts(name);
      if (count > 0) machine.log(`kubelet: static pod ${name} is recreated`);
      begin(name, versions, count);
    }
    machine.changed();
    if (again) await apiServer.stop();
    if (server) await apiServer.start(signal);
    const pod = pods.get('kube-apiserver');
    if (server && pod !== undefined) {
      pod.ready = true;
      pod.startedAt = clock.wall();
    }
    machine.changed();
  };

  const syncLoop = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(times.kubeletPollMs, signal);
      if (up) {
        syncing = sync(signal);
        await syncing;
      }
    }
  };

  const look = (): void => {
    if (!up) return;
    for (const [name, pod] of pods) podStatuses.set(name, { ...pod });
    machine.changed();
  };

  const lookLoop = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(times.podStatusPollMs, signal);
      look();
    }
  };

  const goesDown = (): void => {
    up = false;
    podStatuses.clear();
    machine.service('kubelet', 'Stopping', undefined, 'Sending SIGTERM to task kubelet');
  };

  const goesUp = (): void => {
    up = true;
    machine.service('kubelet', 'Running', true, 'Health check successful');
  };

  return {
    set(state) {
      if (state === 'up') goesUp();
      else {
        goesDown();
        machine.service('kubelet', 'Failed', false, 'Task kubelet ended');
      }
    },
    async start(signal) {
      goesUp();
      if (machine.role === 'worker') return;
      syncing = sync(signal);
      await syncing;
      look();
      void syncLoop(signal).catch(() => {});
      void lookLoop(signal).catch(() => {});
    },
    async restart() {
      goesDown();
      await clock.sleep(times.campaignRetryMs);
      goesUp();
    },
    async stop() {
      goesDown();
      await syncing.catch(() => {});
      await apiServer.stop();
      pods.clear();
      machine.services.delete('kubelet');
      machine.changed();
    },
  };
}
