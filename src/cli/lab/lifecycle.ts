import path from 'node:path';
import { buildCommand } from '@stricli/core';
import { EXIT, Failure } from '../../base/failure.ts';
import type { LabInfo, LabOptions } from '../../../lab/world/info.ts';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand } from '../output.ts';
import { renderLab } from './render.ts';

interface StateFlags extends OutputFlags {
  readonly state: string;
}
type UpFlags = StateFlags & Omit<LabOptions, 'knobs'> & { readonly knob?: readonly string[] };

const whole = (from: number, to: number) => (text: string) => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < from || n > to)
    throw new RangeError(`${text} is not a whole number from ${from} to ${to}`);
  return n;
};

const speed = (text: string): number => {
  const n = Number(text);
  if (!(n >= 1 && n <= 30)) throw new RangeError(`${text} is not a number from 1 to 30`);
  return n;
};

export const upCommand = buildCommand<UpFlags, [], CliContext>({
  func(flags) {
    return runCommand(
      this,
      flags,
      async (printer) => {
        if (this.platform !== 'linux') throw linuxOnly(this.platform);
        const { startLab } = await import('../../../lab/world/client.ts');
        const { fabric, parts, controlPlanes, workers, talos, hetznerEra, speed: factor, knob = [] } = flags;
        const { readSetting, turnKnobs } = await import('../../../lab/knobs/knobs.ts');
        const knobs = Object.fromEntries(knob.map(readSetting));
        // Told before anything is started.
        turnKnobs(knobs);
        const info = await startLab(
          { clock: this.clock },
          path.resolve(this.cwd, flags.state),
          { fabric, parts, controlPlanes, workers, talos, hetznerEra, speed: factor, knobs },
          printer.progress,
          this.signal,
        );
        printer.text(renderLab(info, 'brief'));
        printer.json({ ...info });
      },
      'The lab that was being started is ended, its folder removed.',
    );
  },
  parameters: {
    flags: {
      ...outputFlags,
      ...stateFlag,
      fabric: { kind: 'enum', values: ['loopback', 'netns'], default: 'loopback', brief: 'The network' },
      parts: {
        kind: 'enum',
        values: ['auto', 'built-in', 'real'],
        default: 'auto',
        brief: 'etcd and kube-apiserver: the real ones, built-in stand-ins, or the real ones where found',
      },
      controlPlanes: { kind: 'parsed', parse: whole(1, 7), default: '3', placeholder: 'N', brief: 'Control planes' },
      workers: { kind: 'parsed', parse: whole(0, 100), default: '1', placeholder: 'N', brief: 'Workers' },
      talos: {
        kind: 'enum',
        values: ['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1'],
        default: 'v1.13.9',
        brief: 'Talos version of the nodes',
      },
      hetznerEra: {
        kind: 'enum',
        values: ['2025', 'until-2026-09', 'from-2026-10'],
        default: 'from-2026-10',
        brief: "Which state of Hetzner's API the cloud answers as",
      },
      speed: {
        kind: 'parsed',
        parse: speed,
        default: '1',
        placeholder: 'N',
        brief: 'Divides leases, polls, boots and cloud delays (1 to 30)',
      },
      knob: {
        kind: 'parsed',
        parse: String,
        optional: true,
        variadic: true,
        placeholder: 'NAME=VALUE',
        brief: 'Guess otherwise about the outside world; `fairlead lab knobs` lists all (repeatable)',
      },
    },
  },
  docs: {
    brief: 'Start a lab in the background',
    fullDescription: [
      'Starts a lab: a Hetzner project with 3 control planes and 1 worker, whose endpoint is the first control plane itself.',
      'It goes on in the background; every other lab command finds it by its folder.',
      '',
      'Examples:',
      '  fairlead lab up',
      '  fairlead lab up --speed 10 --parts built-in --state /tmp/lab',
    ].join('\n'),
  },
});

export const downCommand = buildCommand<StateFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { stopLab } = await import('../../../lab/world/client.ts');
      const state = path.resolve(this.cwd, flags.state);
      const { wasRunning } = await stopLab({ clock: this.clock }, state);
      printer.text(
        wasRunning ? 'The lab is ended; nothing of it is left.' : 'The lab had ended; what it left behind is removed.',
      );
      printer.json({ kind: 'LabDown', state, wasRunning });
    });
  },
  parameters: { flags: { ...outputFlags, ...stateFlag } },
  docs: {
    brief: 'End the lab and remove everything it had',
    fullDescription:
      'Ends the lab, its processes and its addresses, and removes its folder.\n\nExample:\n  fairlead lab down',
  },
});

export const infoCommand = buildCommand<StateFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { findLab } = await import('../../../lab/world/client.ts');
      const info: LabInfo = await (await findLab(path.resolve(this.cwd, flags.state))).info();
      printer.text(renderLab(info, 'limits'));
      printer.json({ ...info });
    });
  },
  parameters: { flags: { ...outputFlags, ...stateFlag } },
  docs: {
    brief: 'What the lab is made of, and what it bends',
    fullDescription:
      'Shows addresses, tokens, files, nodes, which parts are real, and every limit.\n\nExample:\n  fairlead lab info --output json',
  },
});

const linuxOnly = (platform: string): Failure =>
  new Failure({
    code: 'lab-platform',
    exit: EXIT.refused,
    what: 'The lab needs Linux',
    why: `this is ${platform}; a lab holds hundreds of loopback addresses, other systems have one`,
    state: 'Nothing was started.',
    next: 'Run it in a Linux virtual machine or container. All other commands work here.',
  });
