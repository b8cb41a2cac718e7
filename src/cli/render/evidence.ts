import type { Evidence } from '../../journal/evidence.ts';
import type { ApplyEvent } from '../../apply/reporter.ts';
import { table } from '../output.ts';
import { count, type Paint, plain, seconds } from './paint.ts';

/** The end of an apply as a person reads it. */
export function renderEvidence(evidence: Evidence, file: string, paint: Paint = plain): string {
  const colour = evidence.verdict === 'survived' ? 'green' : evidence.verdict === 'failed' ? 'red' : 'yellow';
  const gaps = Object.entries(evidence.gaps ?? {});
  const cell = (ms: number | undefined): string => (ms === undefined ? '-' : seconds(ms));
  const restarts = Object.entries(evidence.apiServerRestarts);
  return [
    `${paint('bold', 'Verdict')}  ${paint(colour, evidence.verdict)}: ${count(evidence.steps.length, 'change')} made`,
    ...(gaps.length === 0
      ? []
      : [
          '',
          table([
            ['LONGEST GAP', 'NEW CONNECTION', 'KEPT CONNECTION', 'WRITE', 'TOKEN'],
            ...gaps.map(([name, gap]) => [
              name,
              cell(gap.readNewConnection),
              cell(gap.readKeptConnection),
              cell(gap.write),
              cell(gap.token),
            ]),
          ]),
        ]),
    '',
    `API server restarts   ${restarts.map(([node, n]) => `${node} ${n}`).join(', ') || 'none'}`,
    `tokens refused        ${evidence.tokens.refused} of ${count(evidence.tokens.mintedBefore, 'token')} minted before`,
    ...(evidence.kubeconfig === undefined
      ? []
      : [
          `kubeconfig            ${evidence.kubeconfig.sha256Before.slice(0, 12)} before, ${evidence.kubeconfig.sha256After.slice(0, 12)} now`,
        ]),
    `evidence              ${file}`,
  ].join('\n');
}

/** One line of progress; `detail` lines are for --verbose. */
export interface EventLine {
  readonly text: string;
  readonly detail: boolean;
}

/** One event of an apply in words; undefined where it says nothing new. */
export function renderEvent(event: ApplyEvent, paint: Paint = plain): EventLine | undefined {
  const line = (text: string, detail = false): EventLine => ({ text, detail });
  switch (event.kind) {
    case 'plan':
    case 'prober-report':
      return undefined;
    case 'phase':
      return line(`\n${paint('cyan', `Phase ${event.number}  ${event.title}`)}`);
    case 'gates': {
      const shut = event.checks.filter((check) => check.verdict !== 'open');
      if (shut.length > 0) {
        return line(shut.map((c) => `  ${paint('red', 'gate')}  ${c.name}: ${c.verdict}, ${c.evidence}`).join('\n'));
      }
      if (event.checks.length === 0) return undefined;
      return line(event.checks.map((c) => `  ${paint('green', 'open')}  ${c.name}: ${c.evidence}`).join('\n'), true);
    }
    case 'change-started':
      return line(`  ${String(event.number).padStart(2)}/${event.of}  ${event.change.what}`);
    case 'waiting':
      return line(`         waiting for ${event.what}`, true);
    case 'change-done':
      return line(
        `         ${paint('green', 'done')} in ${seconds(event.ms)}${event.evidence.length === 0 ? '' : `: ${event.evidence.at(-1) ?? ''}`}`,
      );
    case 'prober-started':
      return line(`Measuring from now on: ${event.targets.join(', ')}`);
    case 'note':
      return line(`  ${event.text}`);
  }
}
