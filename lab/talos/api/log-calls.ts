import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ConnectError, Code, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import type { MachineEvent } from '../events.ts';
import type { Machine } from '../machine.ts';
import { ContainerDriver } from './generated/common/common_pb.ts';
import { MachineStatusEventSchema, type MachineService } from './generated/machine/machine_pb.ts';
import { followFile, followLines, lastLines } from './tail.ts';

type Calls = Pick<ServiceImpl<typeof MachineService>, 'dmesg' | 'events' | 'logs' | 'logsContainers'>;

/** In the lab's own time. */
const AFTER_BOOT_MS = 10_000;
/** Logs of the machine itself, which are kept in memory. */
const OWN = ['machined', 'controller-runtime'];
/** Logs that a node has beside those of its services; nothing is written to them here. */
const OTHERS = ['dns-resolve-cache', 'kernel', 'ext-init'];

/** Logs, the kernel's messages and the machine's events, with the past first and, if asked for, what is to come. */
export function logCalls(machine: Machine): Calls {
  const bytes = (line: string) => ({ bytes: new TextEncoder().encode(`${line}\n`) });
  return {
    async *logs(request, context) {
      const { follow, tailLines } = request;
      // -1 is all of it, 0 nothing of the past.
      const tail = tailLines < 0 ? Number.POSITIVE_INFINITY : tailLines;
      for await (const line of linesOf(machine, request, tail, follow, context)) yield bytes(line);
    },
    logsContainers: () => ({
      messages: [{ ids: [...new Set([...OWN, ...OTHERS, ...machine.services.keys()])].toSorted() }],
    }),
    async *dmesg({ follow, tail }, context) {
      const shown = tail ? [] : machine.recentLog;
      for await (const line of follow ? followLines(machine, shown, context.signal) : shown) {
        const [at = '', ...words] = line.split(' ');
        yield bytes(`user: warning: [${at}]: [talos] ${words.join(' ')}`);
      }
    },
    async *events({ tailEvents, tailId, tailSeconds, withActorId: actorId }, context) {
      const wrap = ({ id, actorId: actor, typeUrl, value }: MachineEvent) => ({
        id,
        actorId: actor,
        data: { typeUrl, value },
      });
      yield wrap(machine.events.greeting(actorId));
      const status = tailEvents === 0 ? statusAfterBoot(machine) : undefined;
      if (status !== undefined) yield wrap(status);
      for await (const event of machine.events.watch({ tailEvents, tailId, tailSeconds, actorId }, context.signal)) {
        yield wrap(event);
      }
    },
  };
}

/**
 * Who watches a reboot looks away for a second when it begins, and waits for the word that the machine is ready. A machine
 * of a fast lab may be up again by then: for a while after its boot it says so once more.
 */
function statusAfterBoot(machine: Machine): MachineEvent | undefined {
  const { clock, speed } = machine.ports;
  const young = clock.wall().getTime() - machine.bootTime.getTime() < AFTER_BOOT_MS;
  return speed > 1 && young ? machine.events.latest(MachineStatusEventSchema) : undefined;
}

/** A service's log: files of the real processes, else what the machine itself has logged. */
async function* linesOf(
  machine: Machine,
  request: { readonly id: string; readonly namespace: string; readonly driver: ContainerDriver },
  tail: number,
  follow: boolean,
  { signal }: HandlerContext,
): AsyncIterable<string> {
  const { id, namespace } = request;
  const system = namespace === 'system' || namespace === '' || id === 'kubelet';
  if (system && OWN.includes(id)) {
    const past = lastLines(machine.recentLog, tail);
    yield* follow ? followLines(machine, past, signal) : past;
    return;
  }
  const name = system ? id : /kube-apiserver/.test(id) ? 'kube-apiserver' : id;
  if (system && !machine.services.has(id) && !OTHERS.includes(id))
    throw new ConnectError(`log "${id}" was not registered`, Code.Unknown);
  if (!system && ![...machine.pods.keys()].some((pod) => id.includes(pod))) {
    throw new ConnectError(`container "${id}" not found`, Code.Unknown);
  }
  const file = path.join(machine.paths.logs, `${name}.log`);
  if (
    await stat(file).then(
      () => true,
      () => false,
    )
  ) {
    yield* followFile(machine.ports.clock, file, tail, follow, signal);
    return;
  }
  // What has no process of its own has said what its events tell.
  const said = (machine.services.get(id)?.events ?? []).map(
    ({ at, message, state }) => `${at.toISOString()} ${id} ${state}: ${message}`,
  );
  yield* lastLines(said, tail);
  if (follow) yield* followLines(machine, [], signal, (line) => line.includes(id));
}
