import type { Duration } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import type { ApplyMode } from '../apply/apply.ts';
import type { Machine } from '../machine.ts';
import { clientConfiguration } from './client-configuration.ts';
import { rolesIn } from './context.ts';
import type { MachineControl } from './control.ts';
import { etcdCalls, requireControlPlane } from './etcd-calls.ts';
import { fileCalls } from './files/calls.ts';
import { tarGz } from './files/tar.ts';
import { ApplyConfigurationRequest_Mode as Mode, type MachineService } from './generated/machine/machine_pb.ts';
import { olderImageCalls, type ImageStore } from './image-calls.ts';
import { adminKubeconfig } from './kubeconfig.ts';
import { lifeCalls } from './life-calls.ts';
import { logCalls } from './log-calls.ts';
import { observedCalls } from './observed/calls.ts';
import { notAuthorized } from './roles.ts';
import { serviceCalls } from './service-calls.ts';

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

/** Talos' machine API. */
export function machineCalls(machine: Machine, control: MachineControl, images: ImageStore): Calls {
  const { ports } = machine;
  return {
    ...etcdCalls(machine, control),
    ...fileCalls(machine),
    ...lifeCalls(machine, control),
    ...logCalls(machine),
    ...observedCalls(machine, control),
    ...olderImageCalls(images),
    ...serviceCalls(machine, control),
    version: () => ({
      messages: [
        {
          version: { tag: ports.version, sha: 'fairlead-lab', goVersion: '', os: 'linux', arch: 'amd64' },
          platform: { name: 'hcloud', mode: 'cloud' },
          features: { rbac: true },
        },
      ],
    }),
    async applyConfiguration(request, context) {
      // Where there is no config yet, anyone may give one.
      if (machine.active !== undefined && !rolesIn(context.values).includes('os:admin')) notAuthorized();
      const mode = MODES[request.mode];
      if (mode === undefined) throw new ConnectError('incorrect mode', Code.InvalidArgument);
      const { tryModeTimeout } = request;
      const tryTimeoutMs = tryModeTimeout === undefined ? MINUTE_MS : milliseconds(tryModeTimeout);
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
      const content = new TextEncoder().encode(await adminKubeconfig(machine, derived));
      yield { bytes: tarGz([{ name: 'kubeconfig', content, modified: ports.clock.wall() }]) };
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
    metaWrite({ key, value }) {
      machine.meta.set(key, value);
      machine.changed();
      return { messages: [{}] };
    },
    metaDelete({ key }) {
      if (!machine.meta.delete(key)) throw new ConnectError('meta key not found', Code.NotFound);
      machine.changed();
      return { messages: [{}] };
    },
  };
}

const milliseconds = (duration: Duration | undefined): number =>
  duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
