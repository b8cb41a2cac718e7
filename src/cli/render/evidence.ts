import type { Evidence } from '../../journal/evidence.ts';
import { byTarget, causeText, failuresText, PATHS, worstOf } from '../../journal/outage-words.ts';
import { table } from '../output.ts';
import { count, type Paint, plain, seconds } from './paint.ts';

/** The end of an apply as a person reads it. */
export function renderEvidence(
  evidence: Evidence,
  where: { readonly file: string; readonly page: string | undefined },
  paint: Paint = plain,
): string {
  const colour = evidence.verdict === 'survived' ? 'green' : evidence.verdict === 'failed' ? 'red' : 'yellow';
  const gaps = Object.entries(evidence.gaps ?? {}).toSorted(([a], [b]) => byTarget(a, b));
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
    ...causes(evidence),
    '',
    `API server restarts   ${restarts.map(([node, n]) => `${node} ${n}`).join(', ') || 'none'}`,
    `tokens refused        ${evidence.tokens.refused} of ${count(evidence.tokens.mintedBefore, 'token')} minted before`,
    ...(evidence.kubeconfig === undefined
      ? []
      : [
          `kubeconfig            ${evidence.kubeconfig.sha256Before.slice(0, 12)} before, ${evidence.kubeconfig.sha256After.slice(0, 12)} now`,
        ]),
    ...safeguards(evidence),
    `evidence              ${where.file}`,
    ...(where.page === undefined ? [] : [`with a time line      ${where.page}`]),
  ].join('\n');
}

function safeguards({ lock, snapshot, degraded }: Evidence): string[] {
  return [
    ...(lock === undefined
      ? []
      : [`lock                  ${lock.state === 'held' ? lock.how : `left out: ${lock.reason}`}`]),
    ...(snapshot === undefined
      ? []
      : [
          `etcd snapshot         ${snapshot.state === 'taken' ? `${snapshot.bytes} bytes from ${snapshot.member}, sealed in ${snapshot.place}` : `left out: ${snapshot.reason}`}`,
        ]),
    ...(degraded === undefined ? [] : [`degraded              ${degraded.effect}`]),
  ];
}

/** Why the longest outage of each target was; targets of which every request was answered are not listed. */
function causes(evidence: Evidence): string[] {
  const worst = worstOf(evidence).filter((outage) => outage.failures.length > 0);
  const never = (evidence.neverAnswered ?? []).map(({ target, error }) => [target, 'never answered', error, '']);
  if (worst.length === 0 && never.length === 0) {
    return evidence.outages === undefined
      ? []
      : ['', 'Every request was answered; the gaps are pauses between answers.'];
  }
  return [
    '',
    table([
      ['LONGEST OUTAGE', 'LENGTH', 'CAUSE', 'WHAT FAILED'],
      ...worst.map((outage) => [
        outage.target,
        seconds(outage.ms),
        causeText(outage.cause),
        `${PATHS[outage.path]}: ${failuresText(outage.failures)}`,
      ]),
      ...never,
    ]),
  ];
}
