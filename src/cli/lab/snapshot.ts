import path from 'node:path';
import { buildCommand } from '@stricli/core';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand } from '../output.ts';
import { renderLab } from './render.ts';

interface SnapshotFlags extends OutputFlags {
  readonly state: string;
}

const positional = (brief: string) =>
  ({ kind: 'tuple', parameters: [{ brief, parse: String, placeholder: 'FILE' }] }) as const;

export const snapshotCommand = buildCommand<SnapshotFlags, [string], CliContext>({
  func(flags, file) {
    return runCommand(this, flags, async (printer) => {
      const { findLab } = await import('../../../lab/world/client.ts');
      const lab = await findLab(path.resolve(this.cwd, flags.state));
      const before = this.clock.now();
      const report = await lab.snapshot(path.resolve(this.cwd, file));
      const seconds = ((this.clock.now() - before) / 1000).toFixed(1);
      printer.text(
        `The world of the lab stands in ${file} (${seconds} s), for you alone: it holds the lab's throwaway keys.`,
      );
      printer.json({ kind: 'LabSnapshotTaken', ...report });
    });
  },
  parameters: { flags: { ...outputFlags, ...stateFlag }, positional: positional('The file to write') },
  docs: {
    brief: 'Write the whole world of the lab into one file',
    fullDescription: [
      'Writes cloud, disks, etcd, addresses, faults and knobs into one archive (tar, gzip, mode 0600: it holds the',
      "lab's throwaway keys). The lab runs on. Actions, boots and joins that are under way are waited for.",
      '',
      'Example:',
      '  fairlead lab snapshot before.tgz',
    ].join('\n'),
  },
});

export const restoreCommand = buildCommand<SnapshotFlags, [string], CliContext>({
  func(flags, file) {
    return runCommand(
      this,
      flags,
      async (printer) => {
        const { restoreLab } = await import('../../../lab/world/snapshot/command.ts');
        const before = this.clock.now();
        const { info, manifest, replaced } = await restoreLab(
          { clock: this.clock },
          path.resolve(this.cwd, flags.state),
          path.resolve(this.cwd, file),
          printer.progress,
          this.signal,
        );
        const seconds = ((this.clock.now() - before) / 1000).toFixed(1);
        printer.text(renderLab(info, 'brief'));
        printer.text(`\nRestored as it was at ${manifest.takenAt} (${seconds} s).`);
        printer.json({ ...info, restored: { takenAt: manifest.takenAt, replaced } });
      },
      'A lab that ran there may be ended; the snapshot is as it was.',
    );
  },
  parameters: { flags: { ...outputFlags, ...stateFlag }, positional: positional('A file that `lab snapshot` wrote') },
  docs: {
    brief: 'Bring the world of a snapshot back',
    fullDescription: [
      'Starts a lab with the world of a snapshot; a lab that runs in the folder is replaced by it. Addresses, keys,',
      'kubeconfig, talosconfig and tokens are those of then; ids that were given since never come back.',
      '',
      'Example:',
      '  fairlead lab restore before.tgz',
    ].join('\n'),
  },
});
