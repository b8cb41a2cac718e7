import type { Evidence } from '../../journal/evidence.ts';
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
    ...safeguards(evidence),
    `evidence              ${file}`,
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
