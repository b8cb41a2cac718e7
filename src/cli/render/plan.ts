import { type Change, changesOf, type Disruption, type Phase, type Plan } from '../../model/plan.ts';
import { count, indent, type Paint, plain } from './paint.ts';

const DISRUPTION: Readonly<Record<Disruption, string>> = {
  none: 'none',
  'one-apiserver-restarts': 'the API server of this node restarts (10-40 s on real machines; the others serve)',
  'address-moves': 'the address moves',
  reboot: 'the node reboots',
};

export interface PlanRendering {
  readonly paint?: Paint;
  /** Also precondition, effect check and undo of each change. */
  readonly verbose?: boolean;
}

/** A plan as a person reads it: every change in every system, what it costs, and why nothing happens where nothing may. */
export function renderPlan(plan: Plan, { paint = plain, verbose = false }: PlanRendering = {}): string {
  const changes = changesOf(plan);
  const head = [
    `${paint('bold', `Plan for cluster ${plan.cluster}`)} (mode ${plan.mode})`,
    '',
    `endpoint now    ${plan.endpoint.current.join(', ') || 'unknown'}`,
    `endpoint then   ${plan.endpoint.wanted ?? 'the address that will be reserved'}`,
    `token issuer    ${plan.issuer.inForce ?? 'unknown'}`,
    indent(plan.issuer.note, 16),
  ];
  const body = plan.phases
    .filter((phase) => phase.changes.length > 0 || (changes.length > 0 && (phase.number === 0 || phase.number === 4)))
    .flatMap((phase) => ['', renderPhase(phase, paint, verbose)]);
  const warnings =
    plan.warnings.length === 0 ? [] : ['', ...plan.warnings.map((w) => `${paint('yellow', 'Warning')}  ${w}`)];
  const refusals =
    plan.refusals.length === 0
      ? []
      : [
          '',
          paint('red', 'Refused: nothing will be changed.'),
          ...plan.refusals.flatMap((r) => [
            `  ${r.what}`,
            `    why   ${indent(r.why, 10).trimStart()}`,
            `    next  ${r.next}`,
          ]),
        ];
  return [...head, ...body, ...warnings, ...refusals, '', summary(plan, changes)].join('\n');
}

function summary(plan: Plan, changes: readonly Change[]): string {
  if (plan.refusals.length > 0) return `Not safe, or not known: ${count(plan.refusals.length, 'refusal')}.`;
  if (changes.length === 0) return 'Nothing to do: everything is as the configuration asks for.';
  const restarts = changes.filter((change) => change.disruption === 'one-apiserver-restarts').length;
  const writes = new Set(changes.map((change) => change.where.subject)).size;
  return `${count(changes.length, 'change')} in ${count(writes, 'place')}; API server restarts: ${restarts}, one at a time; reboots: 0.`;
}

function renderPhase(phase: Phase, paint: Paint, verbose: boolean): string {
  const lines = [paint('cyan', `Phase ${phase.number}  ${phase.title}`)];
  for (const [i, change] of phase.changes.entries()) {
    const first = phase.changes.slice(0, i).find(({ diff }) => diff !== undefined && diff === change.diff);
    lines.push(indent(renderChange(change, phase.changes[i - 1], first, { paint, verbose }), 2));
  }
  if (phase.changes.length === 0 || verbose)
    lines.push(...phase.checks.map((check) => indent(paint('dim', `check: ${check}`), 2)));
  return lines.join('\n');
}

/** What is the same as in the change before is not said again, unless all is asked for. */
function renderChange(
  change: Change,
  former: Change | undefined,
  /** The one of this phase that showed the same lines, if any. */
  shown: Change | undefined,
  { paint, verbose }: { readonly paint: Paint; readonly verbose: boolean },
): string {
  const again = (key: 'why' | 'before' | 'after' | 'disruption'): boolean => !verbose && former?.[key] === change[key];
  const lines = [`${paint('bold', '~')} ${change.what}`];
  if (!again('why')) lines.push(`    why         ${change.why}`);
  if (!again('before')) lines.push(`    before      ${change.before}`);
  if (!again('after')) lines.push(`    after       ${change.after}`);
  if (!again('disruption')) lines.push(`    disruption  ${DISRUPTION[change.disruption]}`);
  if (verbose) {
    lines.push(
      `    only if     ${change.precondition}`,
      `    proven by   ${change.effect}`,
      `    undo        ${change.undo}`,
    );
  }
  const { diff } = change;
  if (diff !== undefined && diff.trim() !== '') {
    lines.push(
      !verbose && shown !== undefined
        ? paint('dim', `    the same lines as on ${shown.where.subject}`)
        : indent(paintDiff(diff.trimEnd(), paint), 6),
    );
  }
  return lines.join('\n');
}

const paintDiff = (diff: string, paint: Paint): string =>
  diff
    .split('\n')
    .map((line) => (line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line))
    .join('\n');

/** The plan as a document: without the texts that apply would send, which are secrets as a whole. */
export function planDocument(plan: Plan): { readonly kind: string } & Record<string, unknown> {
  const phases = plan.phases.map((phase) => ({
    number: phase.number,
    title: phase.title,
    checks: phase.checks,
    changes: phase.changes.map(({ action, ...change }) => ({ ...change, action: action.kind })),
  }));
  return { ...plan, phases, changes: changesOf(plan).length };
}
