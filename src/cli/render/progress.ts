import type { ApplyEvent } from '../../apply/reporter.ts';
import { type Paint, plain, seconds } from './paint.ts';

/** One event of an apply as a line on stderr; undefined where it says nothing new. `details` shows gates and evidence too. */
export function progressLine(event: ApplyEvent, details: boolean, paint: Paint = plain): string | undefined {
  switch (event.kind) {
    case 'plan':
    case 'prober-report':
      return undefined;
    case 'phase':
      return `\n${paint('cyan', `Phase ${event.number}  ${event.title}`)}`;
    case 'gates': {
      const shut = event.checks.filter((check) => check.verdict !== 'open');
      if (shut.length > 0)
        return shut.map((c) => `  ${paint('red', 'gate')}  ${c.name}: ${c.verdict}, ${c.evidence}`).join('\n');
      if (event.checks.length === 0) return undefined;
      if (!details) return `  ${paint('green', 'gates open')}  ${event.checks.length} checks for ${event.subject}`;
      return event.checks.map((c) => `  ${paint('green', 'open')}  ${c.name}: ${c.evidence}`).join('\n');
    }
    case 'change-started':
      return `  ${event.number}/${event.of}  ${event.change.what}`;
    case 'waiting':
      return details ? `        waiting for ${event.what}` : undefined;
    case 'change-done':
      return [
        `        ${paint('green', 'done')} in ${seconds(event.ms)}`,
        ...(details ? event.evidence.map((fact) => `          - ${fact}`) : []),
      ].join('\n');
    case 'prober-started':
      return `Measuring from now on: ${event.targets.join(', ')}`;
    case 'note':
      return `  ${event.text}`;
  }
}
