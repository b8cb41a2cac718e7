import type { UndertakingOptions, UndertakingResult } from '../apply/undertake.ts';
import { EXIT, type ExitCode } from '../base/failure.ts';
import { type CliContext, needsYes } from './context.ts';
import type { CommonFlags } from './flags.ts';
import type { Printer } from './output.ts';
import { type SafeguardFlags, safeguardsOf } from './safeguards.ts';

interface UndertakingFlags extends CommonFlags, SafeguardFlags {
  readonly yes: boolean;
}

/** How a person is asked and told while an apply, an undo or a remove goes on. */
export async function optionsOf(
  context: CliContext,
  flags: UndertakingFlags,
  printer: Printer,
  signal: AbortSignal,
  command: string,
): Promise<UndertakingOptions> {
  const [{ renderPlan }, { progressLine }] = await Promise.all([
    import('./render/plan.ts'),
    import('./render/progress.ts'),
  ]);
  return {
    signal,
    safeguards: safeguardsOf(context, flags),
    reporter: {
      report: (event) => {
        const line = progressLine(event, flags.verbose, printer.paintProgress);
        if (line !== undefined) printer.progress(line);
      },
    },
    confirm: async (plan) => {
      printer.text(renderPlan(plan, { paint: printer.paint, verbose: flags.verbose }));
      if (flags.yes) return true;
      if (!context.interactive) throw needsYes(command);
      return context.confirm('Make these changes?');
    },
  };
}

/** Says how it ended, and gives the exit code. */
export async function endOf(result: UndertakingResult, flags: UndertakingFlags, printer: Printer): Promise<ExitCode> {
  const [{ renderPlan, planDocument }, { renderEvidence }] = await Promise.all([
    import('./render/plan.ts'),
    import('./render/evidence.ts'),
  ]);
  switch (result.kind) {
    case 'nothing-to-do':
      printer.text('nothing to do');
      printer.json({ kind: 'Applied', result: 'nothing-to-do', endpoint: result.plan.endpoint.wanted ?? null });
      return EXIT.done;
    case 'refused':
      printer.text(renderPlan(result.plan, { paint: printer.paint, verbose: flags.verbose }));
      printer.json(planDocument(result.plan));
      return EXIT.refused;
    case 'declined':
      printer.text('Nothing was changed.');
      printer.json({ kind: 'Applied', result: 'declined' });
      return EXIT.failure;
    case 'done':
      printer.text(renderEvidence(result.evidence, { file: result.evidenceFile, page: result.page }, printer.paint));
      printer.json({ ...result.evidence });
      return result.evidence.verdict === 'survived' ? EXIT.done : EXIT.failure;
  }
}
