import type { Finding, Verification } from '../../model/finding.ts';
import { indent, type Paint, plain } from './paint.ts';

/** A verdict as a person reads it: the root first, then what follows from it, then what nobody could tell. */
export function renderVerification(verification: Verification, paint: Paint = plain): string {
  const { verdict, cause, findings, unknowns } = verification;
  const colour = verdict === 'sound' ? 'green' : verdict === 'broken' ? 'red' : 'yellow';
  const lines = [
    `${paint('bold', 'Verdict')}  ${paint(colour, verdict)}${cause === null ? '' : `, because of ${cause}`}`,
  ];
  for (const finding of findings) lines.push('', renderFinding(finding, paint));
  if (unknowns.length > 0) {
    lines.push('', paint('yellow', 'Not known'), ...unknowns.map((u) => `  ${u.subject}: ${u.what} (${u.why})`));
  }
  return lines.join('\n');
}

function renderFinding(finding: Finding, paint: Paint): string {
  const colour = finding.level === 'error' ? 'red' : finding.level === 'warning' ? 'yellow' : 'dim';
  const lines = [`${paint(colour, finding.level.padEnd(7))}  ${finding.message}`];
  lines.push(indent(`${finding.id}${finding.causedBy === null ? '' : `, follows from ${finding.causedBy}`}`, 9));
  for (const fact of finding.evidence) lines.push(indent(`- ${fact}`, 9));
  lines.push(indent(`remedy: ${finding.remedy}`, 9));
  return lines.join('\n');
}
