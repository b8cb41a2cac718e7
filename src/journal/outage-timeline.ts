import type { Evidence, EvidenceOutage } from './evidence.ts';
import { byTarget, causeText, escape, failuresText, PATHS } from './outage-words.ts';

const WIDTH = 1_000;
const LABEL = 190;
const ROW = 26;
const TOP = 26;
/** A bar that is too short to be seen is drawn this wide. */
const LEAST = 2;

/** The run from left to right: its changes in the first lane, then for each target the times without an answer, by cause. */
export function timeline(evidence: Evidence): string {
  const start = Date.parse(evidence.startedAt);
  const length = Math.max(1, Date.parse(evidence.endedAt) - start);
  const x = (at: number): number => LABEL + Math.min(1, Math.max(0, (at - start) / length)) * (WIDTH - LABEL - 10);
  const bar = (row: number, part: { from: number; to: number }, look: string, words: string, inset = 4): string => {
    const [left, right] = [x(part.from), x(part.to)];
    const width = Math.max(LEAST, right - left);
    return `<rect class="${look}" x="${left.toFixed(1)}" y="${TOP + row * ROW + inset}" width="${width.toFixed(1)}" height="${ROW - 2 * inset}" rx="2"><title>${escape(words)}</title></rect>`;
  };
  const targets = [
    ...new Set([...Object.keys(evidence.gaps ?? {}), ...(evidence.neverAnswered ?? []).map(({ target }) => target)]),
  ].toSorted(byTarget);
  const rows = ['changes', ...targets];
  const height = TOP + rows.length * ROW + 6;
  const lanes = rows.map(
    (name, row) =>
      `<rect class="lane" x="${LABEL}" y="${TOP + row * ROW + 2}" width="${WIDTH - LABEL - 10}" height="${ROW - 4}"/><text x="0" y="${TOP + row * ROW + 17}">${escape(name.length > 30 ? `${name.slice(0, 29)}…` : name)}</text>`,
  );
  const steps = evidence.steps.map((step) => {
    const to = Date.parse(step.at);
    const moves = /\/vip(-out)?$|^address\/assign/.test(step.change ?? '');
    return bar(0, { from: to - step.ms, to }, moves ? 'move' : 'step', step.what);
  });
  const dead = (evidence.neverAnswered ?? []).map(({ target, error }) =>
    bar(rows.indexOf(target), { from: start, to: start + length }, 'fail', `${target} never answered: ${error}`, 9),
  );
  const outages = (evidence.outages ?? []).filter(
    (outage) => outage.failures.length > 0 && rows.includes(outage.target),
  );
  const failures = outages.map((outage) => {
    const from = Date.parse(outage.from);
    const look =
      outage.cause.kind === 'address-moved' ? 'move' : outage.cause.kind === 'api-server-restart' ? 'step' : 'fail';
    return bar(rows.indexOf(outage.target), { from, to: from + outage.ms }, look, outageWords(outage), 6);
  });
  return `<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Changes and outages over ${Math.round(length / 1_000)} seconds; the tables tell the same">${axis(length, height, x, start)}${[...lanes, ...steps, ...dead, ...failures].join('')}</svg></div>${KEY}`;
}

const outageWords = (outage: EvidenceOutage): string =>
  `${outage.target}, ${PATHS[outage.path]}: ${Math.round(outage.ms)} ms, ${causeText(outage.cause)} (${failuresText(outage.failures)})`;

function axis(length: number, height: number, x: (at: number) => number, start: number): string {
  const every = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800].find((s) => length / 1_000 / s <= 10) ?? 3_600;
  const ticks: string[] = [];
  for (let s = 0; s * 1_000 <= length; s += every) {
    const at = x(start + s * 1_000).toFixed(1);
    ticks.push(
      `<line class="tick" x1="${at}" x2="${at}" y1="18" y2="${height}"/><text class="soft" x="${at}" y="12" text-anchor="${s === 0 ? 'start' : 'middle'}">${s} s</text>`,
    );
  }
  return ticks.join('');
}

const swatch = (look: string, words: string): string =>
  `<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${look}" width="10" height="10" rx="2"/></svg>${words}</li>`;

const KEY = `<ul class="key">${swatch('step', 'a change of a config, or an outage while its API server restarted')}${swatch('move', 'the address moves')}${swatch('fail', 'an outage with another cause, or none known')}</ul>`;
