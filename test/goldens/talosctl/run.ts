import { fromBinary } from '@bufbuild/protobuf';
import { parseAllDocuments } from 'yaml';
import { createSecrets } from '../../../lab/provisioner/secrets.ts';
import { baseConfig } from '../../../lab/provisioner/base-config.ts';
import { DEFAULT_KUBERNETES } from '../../../lab/provisioner/types.ts';
import { KNOWN_RELEASES } from '../../../lab/talos/life/releases.ts';
import type { TalosVersion } from '../../../lab/talos/types.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import { ApplyConfigurationRequestSchema } from '../../../src/generated/machine/machine_pb.ts';
import { readCluster } from './cluster-secrets.ts';
import { kept, requestsOf, type RecordedCall, type RecordedCommand, type Recordings } from './recordings.ts';
import { talosRegistry } from './registry.ts';
import { replayCommand, type Replayed } from './replay.ts';
import { RECORDED, startReplayWorld, VERSION_OF, type ReplayWorld } from './world.ts';

/** How a command leaves its world. */
type Wake = 'as it was' | 'recovering' | 'spent';

const APPLY = '/machine.MachineService/ApplyConfiguration';
const SPENDS = new Set(
  ['Shutdown', 'Reset', 'EtcdLeaveCluster', 'EtcdRemoveMemberByID', 'ServiceStop'].map(
    (name) => `/machine.MachineService/${name}`,
  ),
);
const STIRS = new Set(
  ['Reboot', 'Upgrade', 'Rollback', 'EtcdForfeitLeadership', 'ServiceRestart', 'ServiceStart', 'Restart', 'Bootstrap'].map(
    (name) => `/machine.MachineService/${name}`,
  ),
);
/** An action begins after its reply. */
const BEGUN_MS = 150;
/** Commands that leave a world as it was are sent side by side. */
const READERS = 4;
/** Worlds of one release at a time: most of a command that changes one is waiting. */
const WORLDS = 2;

/** Sends all commands of one release again, in worlds of that release; tells each result as it comes. */
export async function replayRelease(
  version: TalosVersion,
  { commands, blobs }: Recordings,
  tell: (result: Replayed) => void,
): Promise<void> {
  const registry = await talosRegistry();
  const config = await configOf(version, commands, blobs);
  const start = (release: TalosVersion = version): Promise<ReplayWorld> =>
    startReplayWorld(version, release === version ? config : inTheFormOf(release, config));
  const send = async (command: RecordedCommand, world: Promise<ReplayWorld>): Promise<void> => {
    try {
      tell(await replayCommand(command, { world: await world, registry, blobs }));
    } catch (error) {
      tell({ id: idOf(command), compared: [], troubles: [textOf(error)] });
    }
  };
  const wakes = new Map(
    commands.map((command) => [command, olderRelease(command, version) === undefined ? wakeOf(command) : 'spent']),
  );
  const reading = commands.filter((command) => wakes.get(command) === 'as it was');
  // What costs a world goes first: the last to end is then a short one.
  const changing = (['spent', 'recovering'] as const).flatMap((wake) => commands.filter((one) => wakes.get(one) === wake));

  const change = async (given: Promise<ReplayWorld> | undefined): Promise<void> => {
    let world = given;
    for (let command = changing.shift(); command !== undefined; command = changing.shift()) {
      const older = olderRelease(command, version);
      if (older !== undefined) {
        await closed(world);
        world = undefined;
      }
      world ??= start(older);
      await send(command, world);
      await systemClock.sleep(BEGUN_MS);
      const more = changing.length > 0;
      if (more && wakes.get(command) === 'recovering' && (await settled(world))) continue;
      await closed(world);
      world = undefined;
    }
    await closed(world);
  };
  const read = async (): Promise<void> => {
    const world = reading.length === 0 ? undefined : start();
    await Promise.all(
      Array.from({ length: READERS }, async () => {
        for (let command = reading.shift(); command !== undefined; command = reading.shift()) {
          if (world !== undefined) await send(command, world);
        }
      }),
    );
    await change(world);
  };
  await Promise.all([read(), ...Array.from({ length: WORLDS - 1 }, () => change(undefined))]);
}

/** A world that did not come up has said so with each of its commands. */
const settled = (world: Promise<ReplayWorld>): Promise<boolean> => world.then((found) => found.settle()).catch(() => false);
const closed = (world: Promise<ReplayWorld> | undefined): Promise<void> =>
  world === undefined ? Promise.resolve() : world.then((found) => found.close()).catch(() => {});

export const idOf = (command: RecordedCommand): string => `${command.client}/${command.id}`;

/** The commands by the release of their world. Throws for a client nobody recorded. */
export function byWorld(commands: readonly RecordedCommand[]): Map<TalosVersion, RecordedCommand[]> {
  const worlds = new Map<TalosVersion, RecordedCommand[]>();
  for (const command of commands) {
    const version = VERSION_OF[command.client];
    if (version === undefined) throw new Error(`no world for talosctl ${command.client}`);
    worlds.set(version, [...(worlds.get(version) ?? []), command]);
  }
  return worlds;
}

function wakeOf(command: RecordedCommand): Wake {
  const wakes = command.calls.map((call): Wake => {
    if (call.method === undefined) return 'as it was';
    if (SPENDS.has(call.method)) return 'spent';
    if (call.method === APPLY) {
      if (call.request?.['dryRun'] === true) return 'as it was';
      return call.endpoint === RECORDED.maintenance ? 'spent' : 'recovering';
    }
    return STIRS.has(call.method) || call.method.startsWith('/machine.LifecycleService/') ? 'recovering' : 'as it was';
  });
  return wakes.includes('spent') ? 'spent' : wakes.includes('recovering') ? 'recovering' : 'as it was';
}

/** The older release that a command puts on a machine; undefined when it brings none. */
function olderRelease(command: RecordedCommand, version: TalosVersion): TalosVersion | undefined {
  const asked = command.calls
    .filter(({ method }) => method?.endsWith('/Upgrade') === true)
    .map(({ request }) => /installer:(v[\w.-]+)/.exec(JSON.stringify(request))?.[1]);
  return KNOWN_RELEASES.find((release) => asked.includes(release) && KNOWN_RELEASES.indexOf(release) < KNOWN_RELEASES.indexOf(version));
}

/**
 * A machine that is taken back to an older release comes up with a config which that release knows, and with no other: the
 * recorder's stand-in came up with any. The cluster's config in the form that both releases read.
 */
function inTheFormOf(release: TalosVersion, config: string): string {
  const { secrets, endpoint } = readCluster(config);
  const cluster = { name: 'harbour', endpoint, talosVersion: release, kubernetesVersion: DEFAULT_KUBERNETES[release] };
  return baseConfig(secrets, cluster, 'control-plane');
}

/** The cluster's config: what is applied most often is what is there already. A folder that applies none gets a new one. */
async function configOf(
  version: TalosVersion,
  commands: readonly RecordedCommand[],
  blobs: Recordings['blobs'],
): Promise<string> {
  const counts = new Map<string, number>();
  for (const call of commands.flatMap(({ calls }) => calls)) {
    const text = appliedText(call, blobs);
    if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const [most] = [...counts].toSorted(([, a], [, b]) => b - a);
  if (most !== undefined) return most[0];
  const secrets = await createSecrets({ clock: systemClock });
  const cluster = {
    name: 'harbour',
    endpoint: `https://${RECORDED.endpoint}:6443`,
    talosVersion: version,
    kubernetesVersion: DEFAULT_KUBERNETES[version],
  };
  return baseConfig(secrets, cluster, 'control-plane');
}

function appliedText(call: RecordedCall, blobs: Recordings['blobs']): string | undefined {
  if (call.method !== APPLY) return undefined;
  const [bytes] = kept(call, blobs) ? requestsOf(call, blobs) : [];
  if (bytes === undefined) return undefined;
  const text = Buffer.from(fromBinary(ApplyConfigurationRequestSchema, bytes).data).toString('utf8');
  const documents = parseAllDocuments(text);
  const whole = documents.every((document) => document.errors.length === 0);
  return whole && /^machine:/m.test(text) && /type: controlplane/.test(text) ? text : undefined;
}
