import { fromBinary } from '@bufbuild/protobuf';
import { parseAllDocuments } from 'yaml';
import { createSecrets } from '../../../lab/provisioner/secrets.ts';
import { baseConfig } from '../../../lab/provisioner/base-config.ts';
import { DEFAULT_KUBERNETES } from '../../../lab/provisioner/types.ts';
import type { TalosVersion } from '../../../lab/talos/types.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import { ApplyConfigurationRequestSchema } from '../../../src/generated/machine/machine_pb.ts';
import { requestsOf, type RecordedCall, type RecordedCommand, type Recordings } from './recordings.ts';
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

/** Sends all commands again, the worlds of one version after those of another; tells each result as it comes. */
export async function replayAll(
  recordings: Recordings,
  tell: (result: Replayed) => void,
): Promise<readonly Replayed[]> {
  const registry = await talosRegistry();
  const results: Replayed[] = [];
  for (const [version, commands] of byWorld(recordings.commands)) {
    const config = await configOf(version, commands, recordings.blobs);
    let world: ReplayWorld | undefined;
    const wakes = new Map(commands.map((command) => [command, wakeOf(command)]));
    const rank = { 'as it was': 0, recovering: 1, spent: 2 };
    const order = commands.toSorted((a, b) => rank[wakes.get(a) ?? 'spent'] - rank[wakes.get(b) ?? 'spent']);
    for (const command of order) {
      const wake = wakes.get(command) ?? 'spent';
      let result: Replayed;
      try {
        world ??= await startReplayWorld(version, config);
        result = await replayCommand(command, { world, registry, blobs: recordings.blobs });
      } catch (error) {
        result = { id: `${command.client}/${command.id}`, compared: [], troubles: [textOf(error)] };
      }
      results.push(result);
      tell(result);
      if (wake === 'as it was') continue;
      await systemClock.sleep(BEGUN_MS);
      if (wake === 'recovering' && (await world?.settle()) === true) continue;
      await world?.close();
      world = undefined;
    }
    await world?.close();
  }
  return results;
}

function byWorld(commands: readonly RecordedCommand[]): Map<TalosVersion, RecordedCommand[]> {
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
  const [bytes] = requestsOf(call, blobs);
  if (bytes === undefined) return undefined;
  const text = Buffer.from(fromBinary(ApplyConfigurationRequestSchema, bytes).data).toString('utf8');
  const documents = parseAllDocuments(text);
  const whole = documents.every((document) => document.errors.length === 0);
  return whole && /^machine:/m.test(text) && /type: controlplane/.test(text) ? text : undefined;
}
