import { buildCommand, buildRouteMap } from '@stricli/core';
import { EXIT, Failure } from '../../base/failure.ts';
import type { JournalRun } from '../../journal/runs.ts';
import type { CliContext } from '../context.ts';
import { type CommonFlags, commonFlags } from '../flags.ts';
import { runCommand } from '../output.ts';
import { withCluster } from '../with-cluster.ts';

const runsOf = (context: CliContext, flags: CommonFlags): Promise<readonly JournalRun[]> =>
  withCluster(context, flags, async ({ loaded, systems, signal }) => {
    const [{ journalStore }, { readRuns }, { observe }] = await Promise.all([
      import('../../apply/begin.ts'),
      import('../../journal/runs.ts'),
      import('../../observe/observe.ts'),
    ]);
    // Only a journal in the cluster has to be looked for.
    const planes = loaded.stateDir === undefined ? await observe(systems, loaded, signal) : undefined;
    return readRuns(await journalStore({ systems, loaded }, planes).lines());
  });

const listCommand = buildCommand<CommonFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const [runs, { renderHistory, runDocument }] = await Promise.all([
        runsOf(this, flags),
        import('../render/history.ts'),
      ]);
      printer.text(renderHistory(runs, printer.paint));
      printer.json({ kind: 'History', runs: runs.map((run, i) => runDocument(i + 1, run)) });
    });
  },
  parameters: { flags: commonFlags },
  docs: {
    brief: 'The runs that changed this cluster, a line each',
    fullDescription: 'Reads the journal; writes nothing.\n\nExample:\n  fairlead history',
  },
});

const showCommand = buildCommand<CommonFlags, [number], CliContext>({
  func(flags, number) {
    return runCommand(this, flags, async (printer) => {
      const [runs, { renderRun, runDocument }] = await Promise.all([
        runsOf(this, flags),
        import('../render/history.ts'),
      ]);
      const run = runs[number - 1];
      if (run === undefined) throw noSuchRun(number, runs.length);
      printer.text(renderRun(number, run, printer.paint));
      printer.json({ kind: 'HistoryRun', ...runDocument(number, run) });
    });
  },
  parameters: {
    flags: commonFlags,
    positional: {
      kind: 'tuple',
      parameters: [
        {
          brief: 'Number of the run, as `fairlead history` shows it',
          placeholder: 'N',
          parse: (text) => {
            if (!/^[1-9]\d*$/.test(text)) throw new SyntaxError(`${text} is no number of a run`);
            return Number(text);
          },
        },
      ],
    },
  },
  docs: {
    brief: 'One run: what it did, what it kept',
    fullDescription: 'Reads the journal; writes nothing.\n\nExample:\n  fairlead history show 3',
  },
});

const noSuchRun = (number: number, runs: number): Failure =>
  new Failure({
    code: 'no-such-run',
    exit: EXIT.usage,
    what: `There is no run ${number}`,
    why: runs === 0 ? 'the journal holds none yet' : `the journal holds ${runs}`,
    state: 'Nothing was changed.',
    next: 'See them with `fairlead history`.',
  });

export const historyRoutes = buildRouteMap({
  routes: { list: listCommand, show: showCommand },
  defaultCommand: 'list',
  docs: {
    brief: 'The runs that changed this cluster',
    fullDescription:
      'The runs that changed this cluster, by the journal.\n\nExamples:\n  fairlead history\n  fairlead history show 3',
  },
});
