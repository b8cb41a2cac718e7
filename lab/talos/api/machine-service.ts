import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { timestampFromDate, type Duration } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import {
  ApplyConfigurationRequest_Mode as Mode,
  RebootRequest_Mode,
  type MachineService,
} from './generated/machine/machine_pb.ts';
import type { ApplyMode } from '../apply/apply.ts';
import type { MachineEvent } from '../events.ts';
import type { Machine } from '../machine.ts';
import { clientConfiguration } from './client-configuration.ts';
import type { MachineControl } from './control.ts';
import { etcdCalls, requireControlPlane } from './etcd-calls.ts';
import { adminKubeconfig, tarGz } from './kubeconfig.ts';

type Calls = Partial<ServiceImpl<typeof MachineService>>;

const MODES: Readonly<Record<Mode, ApplyMode>> = {
  [Mode.REBOOT]: 'reboot',
  [Mode.AUTO]: 'auto',
  [Mode.NO_REBOOT]: 'no-reboot',
  [Mode.STAGED]: 'staged',
  [Mode.TRY]: 'try',
};
const MODE_OF: Readonly<Record<ApplyMode, Mode>> = {
  reboot: Mode.REBOOT,
  auto: Mode.AUTO,
  'no-reboot': Mode.NO_REBOOT,
  staged: Mode.STAGED,
  try: Mode.TRY,
};
const DAY_MS = 24 * 3600 * 1000;
const MINUTE_MS = 60_000;

/** Talos' machine API, as far as fairlead and an operator at a lab node need it. */
export function machineCalls(machine: Machine, control: MachineControl): Calls {
  const { facts, ports } = machine;
  return {
    ...etcdCalls(machine, control),
    version: () => ({
      messages: [
        {
          version: { tag: ports.version, sha: 'fairlead-lab', goVersion: '', os: 'linux', arch: 'amd64' },
          platform: { name: 'hcloud', mode: 'cloud' },
          features: { rbac: true },
        },
      ],
    }),
    hostname: () => ({ messages: [{ hostname: facts.hostname }] }),
    systemStat: () => ({
      messages: [{ bootTime: BigInt(Math.floor(machine.bootTime.getTime() / 1000)) }],
    }),
    async applyConfiguration(request) {
      const mode = MODES[request.mode];
      if (mode === undefined) throw new ConnectError('incorrect mode', Code.InvalidArgument);
      const tryTimeoutMs = milliseconds(request.tryModeTimeout) || MINUTE_MS;
      const text = new TextDecoder().decode(request.data);
      const result = await control.apply({ text, mode, dryRun: request.dryRun, tryTimeoutMs });
      return {
        messages: [{ warnings: [...result.warnings], mode: MODE_OF[result.mode], modeDetails: result.details }],
      };
    },
    async *kubeconfig() {
      requireControlPlane(machine, 'kubeconfig');
      const derived = machine.active?.derived;
      if (derived === undefined) throw new ConnectError('the machine has no configuration', Code.FailedPrecondition);
      yield { bytes: tarGz('kubeconfig', await adminKubeconfig(machine, derived), ports.clock.wall()) };
    },
    async generateClientConfiguration(request) {
      requireControlPlane(machine, 'client config (talosconfig)');
      const made = await clientConfiguration(machine, request.roles, milliseconds(request.crtTtl) || DAY_MS);
      const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
      return {
        messages: [
          {
            ca: bytes(made.ca),
            crt: bytes(made.crt),
            key: bytes(made.key),
            talosconfig: bytes(made.talosconfig),
          },
        ],
      };
    },
    serviceList: () => ({
      messages: [
        {
          services: [...machine.services.values()]
            .toSorted((a, b) => (a.id < b.id ? -1 : 1))
            .map((service) => ({
              id: service.id,
              state: service.state,
              events: {
                events: service.events.map(({ message, state, at }) => ({
                  msg: message,
                  state,
                  ts: timestampFromDate(at),
                })),
              },
              health: {
                unknown: service.healthy === undefined,
                healthy: service.healthy === true,
                lastMessage: '',
                lastChange: timestampFromDate(service.lastChange),
              },
            })),
        },
      ],
    }),
    async serviceRestart(request) {
      if (request.id === 'kubelet') await control.restartKubelet();
      else if (request.id === 'etcd') {
        requireControlPlane(machine, 'etcd');
        await control.restartEtcd();
      } else {
        throw new ConnectError(`service "${request.id}" doesn't support restart operation via API`, Code.Unknown);
      }
      return { messages: [{ resp: `Service "${request.id}" restarted` }] };
    },
    reboot(request) {
      const actorId = randomUUID();
      control.live({ kind: 'reboot', force: request.mode === RebootRequest_Mode.FORCE, actorId });
      return { messages: [{ actorId }] };
    },
    shutdown(request) {
      const actorId = randomUUID();
      control.live({ kind: 'shutdown', force: request.force, actorId });
      return { messages: [{ actorId }] };
    },
    async *events(request, context) {
      const { tailEvents, tailId, tailSeconds, withActorId: actorId } = request;
      const wrap = ({ id, actorId: actor, typeUrl, value }: MachineEvent) => ({
        id,
        actorId: actor,
        data: { typeUrl, value },
      });
      yield wrap(machine.events.greeting(actorId));
      for await (const event of machine.events.watch({ tailEvents, tailId, tailSeconds, actorId }, context.signal)) {
        yield wrap(event);
      }
    },
    async *logs(request) {
      const lines = await logOf(machine, request.id);
      const tail = request.tailLines <= 0 ? lines : lines.slice(-request.tailLines);
      for (const line of tail) yield { bytes: new TextEncoder().encode(`${line}\n`) };
    },
    async *dmesg() {
      for (const line of machine.recentLog) yield { bytes: new TextEncoder().encode(`user: warning: ${line}\n`) };
    },
    async *read(request) {
      if (request.path !== '/proc/sys/kernel/random/boot_id') {
        throw new ConnectError(`open ${request.path}: no such file or directory`, Code.Unknown);
      }
      yield { bytes: new TextEncoder().encode(`${machine.bootId}\n`) };
    },
  };
}

/** What there is of a service's log: files of the real processes, else what the machine itself has logged. */
async function logOf(machine: Machine, id: string): Promise<readonly string[]> {
  const file = id === 'etcd' ? 'etcd.log' : /kube-apiserver/.test(id) ? 'kube-apiserver.log' : undefined;
  if (file !== undefined) {
    try {
      return (await readFile(path.join(machine.paths.logs, file), 'utf8')).trimEnd().split('\n');
    } catch {
      return [];
    }
  }
  if (id === 'machined' || id === 'controller-runtime') return machine.recentLog;
  if (!machine.services.has(id)) throw new ConnectError(`log "${id}" was not registered`, Code.Unknown);
  return [];
}

const milliseconds = (duration: Duration | undefined): number =>
  duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
