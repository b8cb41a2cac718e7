import path from 'node:path';
import { textOf } from '../../../src/base/failure.ts';
import type { RunningPart } from '../../kubernetes/types.ts';
import { makeFolders } from '../files.ts';
import type { Machine } from '../machine.ts';
import { untilApiServerReady } from './readiness.ts';
import { advertisedAddress, argValue, labApiServerArgs } from './api-server-args.ts';

export interface ApiServerService {
  readonly part: RunningPart | undefined;
  /** `/readyz` has said ok since the last start. */
  readonly ready: boolean;
  /** Resolves when it listens; readiness comes later. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** Its container is made anew, with the arguments of now. */
  restart(signal: AbortSignal): Promise<void>;
  kill(): Promise<void>;
}

/**
 * The container of the API server's static pod. It is begun again when it ends by itself, as the kubelet does, with
 * growing pauses.
 */
export function createApiServerService(machine: Machine): ApiServerService {
  const { ports, facts, times, paths } = machine;
  const { host, clock } = ports;
  let part: RunningPart | undefined;
  let wanted = false;
  let port = 6443;
  let ready = false;
  /** Each start and stop by others begins a new one: what was to be done in the last is dropped. */
  let turn = 0;

  const argsNow = (): string[] => [
    ...labApiServerArgs(machine.active?.derived.kubeAPIServerArgs ?? [], {
      hidden: host.hidden,
      secrets: paths.kubernetes,
      advertise: advertisedAddress(facts.privateIPv4),
    }),
    ...(machine.ailments.apiServerArgs ?? []),
  ];

  const startOnce = async (signal: AbortSignal): Promise<void> => {
    const began = turn;
    await makeFolders([paths.logs, path.join(ports.dir, 'kube-apiserver')]);
    const args = argsNow();
    port = Number(argValue(args, '--secure-port') ?? 6443);
    const started = await ports.parts.kubeApiserver.start({
      node: facts.hostname,
      ...(host.group === undefined ? {} : { group: host.group }),
      args,
      dir: path.join(ports.dir, 'kube-apiserver'),
      log: path.join(paths.logs, 'kube-apiserver.log'),
      audit: ports.audit,
    });
    if (signal.aborted || !wanted || began !== turn) {
      await started.kill();
      return;
    }
    const mine = turn;
    part = started;
    await openPort();
    machine.changed();
    const gone = new AbortController();
    untilApiServerReady(machine, port, AbortSignal.any([signal, gone.signal]))
      .then(() => {
        if (part === started) ready = true;
        machine.changed();
      })
      .catch(() => {});
    void started.exited.then(async () => {
      gone.abort();
      if (part !== started || !wanted || signal.aborted) return;
      part = undefined;
      ready = false;
      await host.shut(port);
      machine.log('kubelet: container kube-apiserver ended, back-off restarting');
      await clock.sleep(times.campaignRetryMs, signal).catch(() => {});
      if (mine === turn && wanted && !signal.aborted) await startUntilUp(signal).catch(() => {});
    });
  };

  const openPort = async (): Promise<void> => {
    try {
      await host.open(port);
    } catch (error) {
      machine.log(`the lab's network does not carry port ${port}: ${textOf(error)}`);
    }
  };

  const startUntilUp = async (signal: AbortSignal): Promise<void> => {
    const mine = turn;
    for (let n = 0; mine === turn && wanted && !signal.aborted; n += 1) {
      try {
        await startOnce(signal);
        return;
      } catch (error) {
        machine.log(`kubelet: container kube-apiserver did not start: ${textOf(error)}`);
        await clock.sleep(Math.min(10_000, 500 * 2 ** n), signal);
      }
    }
  };

  const service: ApiServerService = {
    get part() {
      return part;
    },
    get ready() {
      return ready;
    },
    async start(signal) {
      wanted = true;
      turn += 1;
      await startUntilUp(signal);
    },
    async restart(signal) {
      if (!wanted) return;
      await service.stop();
      await service.start(signal);
    },
    async stop() {
      wanted = false;
      turn += 1;
      const ending = part;
      part = undefined;
      ready = false;
      await Promise.all([ending?.stop(times.podGraceMs), host.shut(port)]);
    },
    async kill() {
      wanted = false;
      const ending = part;
      part = undefined;
      ready = false;
      await ending?.kill();
    },
  };
  return service;
}
