import type { JournalLine, Operation, Subject } from './entries.ts';

/** One run as its lines tell it. */
export interface JournalRun {
  /** RFC 3339; the run's name. */
  readonly run: string;
  readonly operation: Operation;
  readonly cluster: string;
  /** SHA-256 of the cluster's CA; undefined in a journal of an earlier fairlead. */
  readonly ca: string | undefined;
  readonly planned: readonly string[];
  readonly originals: readonly { readonly subject: Subject; readonly sha256: string | null }[];
  readonly steps: readonly {
    readonly change: string;
    readonly what: string;
    readonly at: string;
    /** undefined: it was begun, and how it ended is not written: the run was killed there. */
    readonly ok: boolean | undefined;
    readonly evidence: readonly string[];
    /** SHA-256 of what the step would write, where that was known when it began. */
    readonly sha256After: string | undefined;
  }[];
  readonly snapshot:
    | {
        readonly place: string;
        readonly sha256: string;
        readonly bytes: number;
        readonly member: string;
        readonly at: string;
      }
    | undefined;
  readonly endedAt: string | undefined;
  /** `done`, what stopped it, or undefined: killed. */
  readonly outcome: string | undefined;
}

type Open = { -readonly [K in keyof JournalRun]: JournalRun[K] extends readonly (infer T)[] ? T[] : JournalRun[K] };

/**
 * The runs of a journal in their order. A line that is no line of ours (cut off by a crash, or older) is passed over: the journal is
 * never needed to go on.
 */
export function readRuns(text: string): readonly JournalRun[] {
  const runs = new Map<string, Open>();
  for (const raw of text.split('\n')) {
    const line = lineOf(raw);
    if (line === undefined) continue;
    if (line.kind === 'run-started') {
      runs.set(line.run, {
        run: line.run,
        operation: line.operation ?? 'apply',
        cluster: line.cluster,
        ca: line.ca,
        planned: [...line.changes],
        originals: [],
        steps: [],
        snapshot: undefined,
        endedAt: undefined,
        outcome: undefined,
      });
      continue;
    }
    const run = runs.get(line.run);
    if (run !== undefined) take(run, line);
  }
  return [...runs.values()];
}

function take(run: Open, line: JournalLine): void {
  switch (line.kind) {
    case 'original':
      // Earlier journals named the node alone and kept no bytes.
      if (line.subject !== undefined) run.originals.push({ subject: line.subject, sha256: line.sha256 });
      return;
    case 'snapshot':
      run.snapshot = { place: line.place, sha256: line.sha256, bytes: line.bytes, member: line.member, at: line.at };
      return;
    case 'intent':
      run.steps.push({
        change: line.change,
        what: line.what,
        at: line.at,
        ok: undefined,
        evidence: [],
        sha256After: line.sha256After,
      });
      return;
    case 'result': {
      const at = run.steps.findLastIndex((step) => step.change === line.change);
      const step = run.steps[at];
      if (step !== undefined) run.steps[at] = { ...step, ok: line.ok, evidence: line.evidence };
      return;
    }
    case 'run-ended':
      run.outcome = line.outcome;
      run.endedAt = line.at;
      return;
    case 'run-started':
    case 'snapshot-left-out':
    case 'lock-left-out':
  }
}

function lineOf(raw: string): JournalLine | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'object' && value !== null && 'kind' in value && 'run' in value
      ? (value as JournalLine)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The runs that belong to the last undertaking: the last one that changed something and those before it that were cut short, back to
 * the one that was done. What the first of them found is what undo goes back to. Empty where the last word was an undo that is done.
 */
export function lastUndertaking(runs: readonly JournalRun[]): readonly JournalRun[] {
  const worked = workedOf(runs);
  const last = worked.at(-1);
  if (last === undefined || (last.operation !== 'apply' && last.outcome === 'done')) return [];
  const applies = worked.filter((run) => run.operation === 'apply');
  const lastUndone = worked.findLastIndex((run) => run.operation !== 'apply' && run.outcome === 'done');
  const since = applies.filter((run) => worked.indexOf(run) > lastUndone);
  const doneBefore = since.slice(0, -1).findLastIndex((run) => run.outcome === 'done');
  return since.slice(doneBefore + 1);
}

const workedOf = (runs: readonly JournalRun[]): readonly JournalRun[] =>
  runs.filter((run) => run.steps.length > 0 || run.outcome === undefined);

/**
 * Whether an undo or a remove was cut short and nothing came after it. It must go on, also where the journal has lost the apply that it
 * was taking back.
 */
export function retreatCutShort(runs: readonly JournalRun[]): boolean {
  const last = workedOf(runs).at(-1);
  return last !== undefined && last.operation !== 'apply' && last.outcome !== 'done';
}
