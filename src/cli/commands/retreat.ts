import { buildCommand } from '@stricli/core';
import { EXIT, type ExitCode } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { type CommonFlags, commonFlags } from '../flags.ts';
import { runCommand } from '../output.ts';
import { type SafeguardFlags, safeguardFlags } from '../safeguards.ts';
import { endpointFlag } from '../endpoint-flag.ts';
import { endOf, optionsOf } from '../undertaking.ts';
import { withCluster } from '../with-cluster.ts';

interface UndoFlags extends CommonFlags, SafeguardFlags {
  readonly yes: boolean;
}

const yes = { kind: 'boolean', default: false, brief: 'Do not ask; needed where there is no terminal' } as const;
const STATE =
  'What was done stays done and is in the journal; the step that was under way may or may not have happened.';

export const undoCommand = buildCommand<UndoFlags, [], CliContext>({
  func(flags) {
    return runCommand(
      this,
      flags,
      (printer) =>
        withCluster(this, flags, async ({ loaded, systems, signal }): Promise<ExitCode> => {
          const [{ undo }, { observe }] = await Promise.all([
            import('../../apply/retreat.ts'),
            import('../../observe/observe.ts'),
          ]);
          printer.progress('Looking at the cloud, the nodes and the journal …');
          const observation = await observe(systems, loaded, signal);
          const result = await undo(
            systems,
            loaded,
            observation,
            await optionsOf(this, flags, printer, signal, 'undo'),
          );
          if (result !== undefined) return endOf(result, flags, printer);
          printer.text('nothing to undo: the last run that changed the cluster was taken back already');
          printer.json({ kind: 'Applied', result: 'nothing-to-do', endpoint: null });
          return EXIT.done;
        }),
      STATE,
    );
  },
  parameters: { flags: { ...commonFlags, yes, ...safeguardFlags } },
  docs: {
    brief: 'Take the last apply back: endpoint, consumers, VIP, and the machine configs byte for byte',
    fullDescription: [
      'Returns to the state before the last apply (and the runs before it that were cut short), by the originals in the journal.',
      'Planned, gated, and killable like apply. Where the journal is gone, it takes out what the live facts show to be ours.',
      'The address itself is kept.',
      '',
      'Examples:',
      '  fairlead undo',
      '  fairlead undo --yes --output json',
    ].join('\n'),
  },
});

interface RemoveFlags extends UndoFlags {
  readonly endpoint: string;
  readonly releaseAddress?: string;
}

export const removeCommand = buildCommand<RemoveFlags, [], CliContext>({
  func(flags) {
    return runCommand(
      this,
      flags,
      (printer) =>
        withCluster(this, flags, async ({ loaded, systems, signal }): Promise<ExitCode> => {
          const { remove } = await import('../../apply/retreat.ts');
          printer.progress('Looking at the cloud, the nodes and the consumers …');
          const to = { endpoint: flags.endpoint, release: flags.releaseAddress };
          return endOf(
            await remove(systems, loaded, to, await optionsOf(this, flags, printer, signal, 'remove')),
            flags,
            printer,
          );
        }),
      STATE,
    );
  },
  parameters: {
    flags: {
      ...commonFlags,
      endpoint: {
        kind: 'parsed',
        parse: endpointFlag,
        placeholder: 'URL',
        brief: 'What the cluster goes back to: https://host:port, or a host (port 6443)',
      },
      releaseAddress: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'NAME',
        brief: 'Also give the floating IP of this name back, for good',
      },
      yes,
      ...safeguardFlags,
    },
  },
  docs: {
    brief: "Take fairlead's endpoint out of a cluster",
    fullDescription: [
      'Leads every node and kubeconfig to the endpoint you name, then takes the VIP out. The address is kept, protected, unless',
      '--release-address names it. Certificate names and the issuer pin stay: they do no harm, and living tokens need the pin.',
      '',
      'Examples:',
      '  fairlead remove --endpoint https://203.0.113.7:6443',
      '  fairlead remove --endpoint 203.0.113.7 --release-address prod-api',
    ].join('\n'),
  },
});
