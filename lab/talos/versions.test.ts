import { Code } from '@connectrpc/connect';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { waitFor } from '../../src/base/retry.ts';
import { ApplyConfigurationRequest_Mode as Mode } from '../../src/generated/machine/machine_pb.ts';
import { startSmallWorld, type SmallWorld, type TalosCalls, type WorldNode } from './testing/small-world.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const VERSIONS = ['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1'] as const;

describe.each(VERSIONS)('Talos %s', (version) => {
  const modern = version.startsWith('v1.14');
  let world: SmallWorld | undefined;
  afterEach(() => world?.close());

  const begin = async (): Promise<{ calls: TalosCalls; cp: WorldNode; text: string }> => {
    world = await startSmallWorld({ version, speed: 30 });
    const cp = await world.add('cp-1', 'control-plane', 'founding');
    await world.ready(cp);
    const calls = await world.call(cp);
    return { calls, cp, text: world.config('control-plane') };
  };

  it('boots its generated config and serves the exact bytes of it, encoded as that release does', async () => {
    const { calls, text } = await begin();
    expect((await calls.machine.version({})).messages[0]?.version?.tag).toBe(version);
    const id = { namespace: 'config', type: 'MachineConfigs.config.talos.dev', id: 'v1alpha1' };
    const { resource } = await calls.state.get(id);
    const yaml = resource?.spec?.yamlSpec ?? '';
    if (version === 'v1.11.6') {
      expect(yaml).toBe(text);
      expect(resource?.metadata?.annotations).toEqual({});
    } else {
      expect(parse(yaml)).toBe(text);
      expect(resource?.metadata?.annotations).toEqual({ 'talos.dev/yaml-spec': '1' });
    }
    expect(new TextDecoder().decode(resource?.spec?.protoSpec)).toContain(text);
    calls.close();
  });

  it('treats modes as that release does', async () => {
    const { calls, cp, text } = await begin();
    const needsReboot = text.replace(/token: \S+/, 'token: abcdef.0123456789abcdef');
    expect(needsReboot).not.toBe(text);
    const apply = (data: string, mode?: Mode, dryRun = false) =>
      calls.machine.applyConfiguration({ data: bytes(data), dryRun, ...(mode === undefined ? {} : { mode }) });
    // Without a mode a call means a reboot.
    const unset = apply(text, undefined, true);
    if (modern) await expect(unset).rejects.toMatchObject({ code: Code.Unimplemented });
    else expect((await unset).messages[0]?.mode).toBe(Mode.REBOOT);
    const auto = await apply(needsReboot, Mode.AUTO, true);
    expect(auto.messages[0]?.mode).toBe(modern ? Mode.NO_REBOOT : Mode.REBOOT);
    expect(auto.messages[0]?.modeDetails).toMatch(/^Dry run summary:\nApplied configuration with/);
    if (!modern) {
      await expect(apply(needsReboot, Mode.NO_REBOOT)).rejects.toMatchObject({ code: Code.InvalidArgument });
    }
    const boot = (await calls.machine.systemStat({})).messages[0]?.bootTime;
    const staged = await apply(text, Mode.STAGED);
    expect(staged.messages[0]?.modeDetails).toBe('Staged configuration to be applied after the next reboot');
    if (!modern) {
      await systemClock.sleep(1_000);
      await apply(text, Mode.REBOOT);
      await waitFor(systemClock, { everyMs: 10, timeoutMs: 5_000 }, async () =>
        cp.node.info().stage === 'running' ? undefined : true,
      );
      await world?.ready(cp);
      const again = await world?.call(cp);
      expect((await again?.machine.systemStat({}))?.messages[0]?.bootTime).not.toBe(boot);
      again?.close();
    }
    calls.close();
  });

  it('refuses a second apply while one is under way, or lets it wait', async () => {
    const { calls, text } = await begin();
    const apply = () => calls.machine.applyConfiguration({ data: bytes(text), mode: Mode.NO_REBOOT });
    const outcomes = await Promise.allSettled([apply(), apply(), apply()]);
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    if (version === 'v1.11.6') expect(refused).toEqual([]);
    for (const reason of refused) {
      expect(reason).toMatchObject({
        code: Code.FailedPrecondition,
        rawMessage: 'another apply configuration is already in progress',
      });
    }
    expect(outcomes.some((outcome) => outcome.status === 'fulfilled')).toBe(true);
    calls.close();
  });
});
