import type { Evidence, EvidenceOutage, EvidenceStep } from './evidence.ts';
import { byTarget, causeText, escape, failuresText, PATHS } from './outage-words.ts';
import { timeline } from './outage-timeline.ts';

const seconds = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

/**
 * The record of a run as one page that needs nothing else: no script, no other file, no network. Light and dark as the reader's system is.
 */
export function outagePage(evidence: Evidence): string {
  const { cluster, operation, verdict, startedAt, endedAt } = evidence;
  const title = `fairlead ${operation}: ${cluster}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p><strong class="verdict ${verdict}">${verdict}</strong> ${escape(startedAt.slice(0, 19).replace('T', ' '))} to ${escape(endedAt.slice(11, 19))} UTC, ${seconds(Date.parse(endedAt) - Date.parse(startedAt))}, ${evidence.steps.length} ${evidence.steps.length === 1 ? 'change' : 'changes'}</p>
</header>
<main>
<section><h2>What clients felt</h2>${gapTable(evidence)}${never(evidence)}</section>
<section><h2>Time line</h2>${timeline(evidence)}</section>
<section><h2>Times in which something failed</h2>${outageTable((evidence.outages ?? []).filter((o) => o.failures.length > 0))}</section>
<section><h2>Changes</h2>${steps(evidence.steps, startedAt)}</section>
<section><h2>Safeguards and counts</h2>${facts(evidence)}</section>
</main>
</body>
</html>
`;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th scope="col">${escape(cell)}</th>`).join('')}</tr></thead><tbody>${rows
    .map(
      ([first = '', ...rest]) =>
        `<tr><th scope="row">${escape(first)}</th>${rest.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`,
    )
    .join('')}</tbody></table></div>`;

function gapTable(evidence: Evidence): string {
  const targets = Object.entries(evidence.gaps ?? {}).toSorted(([a], [b]) => byTarget(a, b));
  if (targets.length === 0) return '<p>Nothing was measured.</p>';
  const longest = (target: string): EvidenceOutage | undefined =>
    (evidence.outages ?? [])
      .filter((outage) => outage.target === target && outage.failures.length > 0)
      .toSorted((a, b) => b.ms - a.ms)[0];
  const cell = (ms: number | undefined): string => (ms === undefined ? '-' : seconds(ms));
  return `<p>Longest gap: the time between two successive good answers. Where nothing failed it is a pause, not an outage.</p>${table(
    ['Target', ...Object.values(PATHS), 'Cause of the longest outage'],
    targets.map(([target, gaps]) => {
      const worst = longest(target);
      return [
        target,
        cell(gaps.readNewConnection),
        cell(gaps.readKeptConnection),
        cell(gaps.write),
        cell(gaps.token),
        worst === undefined ? 'nothing failed' : `${seconds(worst.ms)}: ${causeText(worst.cause)}`,
      ];
    }),
  )}`;
}

const never = ({ neverAnswered = [] }: Evidence): string =>
  neverAnswered.length === 0
    ? ''
    : `<p>Never answered: ${neverAnswered.map(({ target, error }) => `${escape(target)} (${escape(error)})`).join(', ')}.</p>`;

function outageTable(outages: readonly EvidenceOutage[]): string {
  if (outages.length === 0) return '<p>None: every request was answered.</p>';
  return table(
    ['Target', 'Way', 'From', 'Length', 'Cause', 'What failed'],
    outages.map((outage) => [
      outage.target,
      PATHS[outage.path],
      `${outage.from.slice(11, 23)}`,
      seconds(outage.ms),
      causeText(outage.cause),
      failuresText(outage.failures),
    ]),
  );
}

function steps(list: readonly EvidenceStep[], startedAt: string): string {
  if (list.length === 0) return '<p>None.</p>';
  const since = (at: string): string => seconds(Math.max(0, Date.parse(at) - Date.parse(startedAt)));
  return `<ol>${list
    .map(
      (step) =>
        `<li><details><summary>${escape(step.what)} <span>phase ${step.phase}, done after ${since(step.at)}, took ${seconds(step.ms)}</span></summary><ul>${step.evidence
          .map((fact) => `<li>${escape(fact)}</li>`)
          .join('')}</ul></details></li>`,
    )
    .join('')}</ol>`;
}

function facts(evidence: Evidence): string {
  const { lock, snapshot, degraded, tokens, kubeconfig } = evidence;
  const restarts = Object.entries(evidence.apiServerRestarts).map(([node, n]) => `${node} ${n}`);
  return table(
    ['What', 'How'],
    [
      ['API server restarts', restarts.join(', ') || 'none'],
      ['Tokens refused', `${tokens.refused} of ${tokens.mintedBefore} minted before`],
      ...(lock === undefined ? [] : [['Lock', lock.state === 'held' ? lock.how : `left out: ${lock.reason}`]]),
      ...(snapshot === undefined
        ? []
        : [
            [
              'etcd snapshot',
              snapshot.state === 'taken'
                ? `${snapshot.bytes} bytes from ${snapshot.member}, SHA-256 ${snapshot.sha256}, sealed in ${snapshot.place}`
                : `left out: ${snapshot.reason}`,
            ],
          ]),
      ...(degraded === undefined ? [] : [['Degraded', degraded.effect]]),
      ...(kubeconfig === undefined
        ? []
        : [['Kubeconfig SHA-256', `${kubeconfig.sha256Before} before, ${kubeconfig.sha256After} after`]]),
      ...Object.entries(evidence.components),
    ],
  );
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--paper:#fff;--lane:#f3f5f7;--step:#3b6ea8;--move:#8a5fb5;--fail:#c0392b;--pause:#b9c2cc;--good:#1d7a46;--warn:#9a6700}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b1;--line:#3a424b;--paper:#14181c;--lane:#1d2329;--step:#6fa3dd;--move:#b692dd;--fail:#ef7b6e;--pause:#525d69;--good:#5cc48a;--warn:#d8a54a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.3rem 0 .8rem}
.verdict{padding:.1rem .5rem;border:1px solid currentColor;border-radius:.3rem}
.survived{color:var(--good)}.failed{color:var(--fail)}.incomplete{color:var(--warn)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;min-width:40rem;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:5.5rem}
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:600}
svg{display:block;min-width:44rem;width:100%;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--ink)}svg .soft{fill:var(--soft)}
.lane{fill:var(--lane)}.tick{stroke:var(--line)}.step{fill:var(--step)}.move{fill:var(--move)}.fail{fill:var(--fail)}.none{fill:var(--pause)}
.key{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;list-style:none;margin:.5rem 0 0;padding:0;color:var(--soft);font-size:.875rem}
.key svg{display:inline-block;min-width:0;width:.9rem;height:.9rem;vertical-align:-.1rem;margin-right:.35rem}
ol{padding-left:1.6rem}summary{cursor:pointer}summary span{color:var(--soft);font-size:.875rem}
details ul{margin:.2rem 0 .6rem;color:var(--soft);font-size:.875rem;overflow-wrap:anywhere}
`;
