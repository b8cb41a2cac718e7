import { buildCommand } from '@stricli/core';
import { EXIT, type ExitCode } from '../../base/failure.ts';
import type { Plan } from '../../model/plan.ts';
import type { CliContext } from '../context.ts';
import { type CommonFlags, commonFlags } from '../flags.ts';
import { type SafeguardFlags, safeguardFlags } from '../safeguards.ts';
import { runCommand } from '../output.ts';
import { endOf, optionsOf } from '../undertaking.ts';
import { withCluster } from '../with-cluster.ts';

const allowDegraded = {
  kind: 'boolean',
  default: false,
  withNegated: false,
  brief: 'Go on without a dead control plane where etcd keeps its quorum',
} as const;

interface PlanFlags extends CommonFlags {
  readonly allowDegraded: boolean;
  readonly detailedExitcode: boolean;
}

const refusedOr = (plan: Plan, otherwise: ExitCode): ExitCode => (plan.refusals.length > 0 ? EXIT.refused : otherwise);

export const planCommand = buildCommand<PlanFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, (printer) =>
      withCluster(this, flags, async ({ loaded, systems, signal }) => {
        const [{ observe }, planners, { changesOf }, { renderPlan, planDocument }] = await Promise.all([
          import('../../observe/observe.ts'),
          import('../../plan/planner.ts'),
          import('../../model/plan.ts'),
          import('../render/plan.ts'),
        ]);
        printer.progress('Looking at the cloud, the nodes and the consumers …');
        const planner = flags.allowDegraded ? planners.degradedPlanner : planners.applyPlanner;
        const seen = await observe(systems, loaded, signal);
        const plan = planner.plan(planner.view?.(seen) ?? seen, loaded);
        printer.text(renderPlan(plan, { paint: printer.paint, verbose: flags.verbose }));
        printer.json(planDocument(plan));
        const changes = changesOf(plan).length;
        return refusedOr(plan, flags.detailedExitcode && changes > 0 ? EXIT.planHasChanges : EXIT.done);
      }),
    );
  },
  parameters: {
    flags: {
      ...commonFlags,
      allowDegraded,
      detailedExitcode: { kind: 'boolean', default: false, brief: 'End with 3 when there are changes' },
    },
  },
  docs: {
    brief: 'Show every change in every system, before anything is touched',
    fullDescription: [
      'Looks at the cloud, every node and every consumer, and shows what would be changed, in order, with reasons.',
      'Writes nothing and mints nothing. Ends with 4 when something it must know cannot be told.',
      '',
      'Examples:',
      '  fairlead plan',
      '  fairlead plan --output json --detailed-exitcode',
    ].join('\n'),
  },
});

interface ApplyFlags extends CommonFlags, SafeguardFlags {
  readonly allowDegraded: boolean;
  readonly yes: boolean;
}

export const applyCommand = buildCommand<ApplyFlags, [], CliContext>({
  func(flags) {
    return runCommand(
      this,
      flags,
      (printer) =>
        withCluster(
          this,
          flags,
          async ({ loaded, systems, signal }) => {
            const { apply } = await import('../../apply/apply.ts');
            printer.progress('Looking at the cloud, the nodes and the consumers …');
            return endOf(
              await apply(systems, loaded, {
                ...(await optionsOf(this, flags, printer, signal, 'apply')),
                allowDegraded: flags.allowDegraded,
              }),
              flags,
              printer,
            );
          },
          'What was done stays done; what was not begun was not touched.',
        ),
      'What was done stays done and is in the journal; the step that was under way may or may not have happened.',
    );
  },
  parameters: {
    flags: {
      ...commonFlags,
      yes: { kind: 'boolean', default: false, brief: 'Do not ask; needed where there is no terminal' },
      allowDegraded,
      ...safeguardFlags,
    },
  },
  docs: {
    brief: 'Make the changes of the plan, one gated step at a time',
    fullDescription: [
      'Shows the plan, asks, then makes its changes in order: one node at a time, each step proven by its effect.',
      'Run it again after it was interrupted: it looks at what is there and goes on. With nothing to do it writes nothing.',
      'With a dead control plane it refuses; with --allow-degraded it changes the others, one API server at a time, where the quorum holds.',
      'Before the first change it takes the lock of the cluster (a Lease), a snapshot of etcd, and keeps every original, encrypted with age.',
      '',
      'Examples:',
      '  fairlead apply',
      '  fairlead apply --yes --output json',
    ].join('\n'),
  },
});

export const verifyCommand = buildCommand<CommonFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, (printer) =>
      withCluster(this, flags, async ({ loaded, systems, signal }) => {
        const [{ observe }, { diagnose }, { renderVerification }] = await Promise.all([
          import('../../observe/observe.ts'),
          import('../../diagnose/diagnose.ts'),
          import('../render/verification.ts'),
        ]);
        printer.progress('Looking at the cloud, the nodes and the consumers …');
        const verification = diagnose(await observe(systems, loaded, signal), loaded);
        printer.text(renderVerification(verification, printer.paint));
        printer.json({ ...verification });
        return { sound: EXIT.done, broken: EXIT.failure, unknown: EXIT.refused }[verification.verdict];
      }),
    );
  },
  parameters: { flags: commonFlags },
  docs: {
    brief: 'Tell whether the endpoint is sound, and the one cause when it is not',
    fullDescription: [
      'Looks at everything and judges it. Ends with 0 when the endpoint is sound, 1 when it is broken, 4 when it cannot tell.',
      'Needs no working endpoint: every node is dialled on its own address. Writes nothing.',
      '',
      'Examples:',
      '  fairlead verify',
      '  fairlead verify --output json',
    ].join('\n'),
  },
});

export const statusCommand = buildCommand<CommonFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, (printer) =>
      withCluster(this, flags, async ({ loaded, systems, signal }) => {
        const [{ observe }, { renderStatus, statusDocument }] = await Promise.all([
          import('../../observe/observe.ts'),
          import('../render/status.ts'),
        ]);
        const observation = await observe(systems, loaded, signal);
        printer.text(renderStatus(observation, loaded, printer.paint));
        printer.json(statusDocument(observation, loaded));
      }),
    );
  },
  parameters: { flags: commonFlags },
  docs: {
    brief: 'The endpoint, its holder and the nodes, in a few lines',
    fullDescription:
      'Shows what is there, without judging it (that is verify). Writes nothing.\n\nExample:\n  fairlead status',
  },
});
