import type { JournalRun } from '../../journal/runs.ts';
import { table } from '../output.ts';
import { count, type Paint, plain } from './paint.ts';

/** How a run ended, in a word or a line. */
export const outcomeOf = (run: JournalRun): string => run.outcome ?? 'cut off';

const madeOf = (run: JournalRun): number => run.steps.filter((step) => step.ok === true).length;

/** All runs, a line each; the newest last, as it is read. */
export function renderHistory(runs: readonly JournalRun[], paint: Paint = plain): string {
  if (runs.length === 0) return 'no run yet';
  const [head, ...rows] = table([
    ['N', 'BEGAN', 'WHAT', 'CHANGES', 'END'],
    ...runs.map((run, i) => [
      String(i + 1),
      run.run,
      run.operation,
      `${madeOf(run)} of ${run.planned.length}`,
      firstLine(outcomeOf(run)),
    ]),
  ]).split('\n');
  return [paint('bold', head ?? ''), ...rows].join('\n');
}

/** One run: its steps, what was kept of before, and where. */
export function renderRun(number: number, run: JournalRun, paint: Paint = plain): string {
  return [
    `${paint('bold', `Run ${number}`)}  ${run.operation} of ${run.cluster}, begun ${run.run}, ${run.outcome === undefined ? 'cut off: how it ended is not written' : `ended ${run.endedAt ?? ''}`}`,
    ...(run.outcome === undefined || run.outcome === 'done' ? [] : [`  ${run.outcome.replaceAll('\n', '\n  ')}`]),
    '',
    ...run.steps.map((step) => `${mark(step.ok)} ${step.at}  ${step.what}`),
    ...(run.steps.length === 0 ? ['no change was begun'] : []),
    '',
    `originals kept, sealed   ${count(run.originals.length, 'text')}`,
    `etcd snapshot            ${run.snapshot === undefined ? 'none' : `${run.snapshot.place}, ${run.snapshot.bytes} bytes`}`,
  ].join('\n');
}

const mark = (ok: boolean | undefined): string => (ok === true ? 'done  ' : ok === false ? 'failed' : 'begun ');

const firstLine = (text: string): string => text.split('\n')[0] ?? '';

/** For programs: no secret is in a journal's lines. */
export const runDocument = (number: number, run: JournalRun): Record<string, unknown> => ({
  number,
  began: run.run,
  ended: run.endedAt ?? null,
  operation: run.operation,
  cluster: run.cluster,
  outcome: run.outcome ?? null,
  planned: run.planned,
  steps: run.steps.map((step) => ({ ...step, ok: step.ok ?? null })),
  originals: run.originals,
  snapshot: run.snapshot ?? null,
});
