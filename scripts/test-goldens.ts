#!/usr/bin/env node
import process from 'node:process';
import { disagreement, patchFolder, readCases } from '../test/goldens/patch-oracle.ts';
import { readFields } from '../test/goldens/hetzner-fields.ts';
import { readRecordings, recordingFolder } from '../test/goldens/hetzner-recordings.ts';
import { chains, replay } from '../test/goldens/hetzner-replay.ts';

/** How many were judged, and how many of them went wrong. */
interface Tally {
  readonly runs: number;
  readonly failed: number;
}

/**
 * `npm run test:goldens -- DIR`: judges the parts that real programs left their answers for, and fails when it judged
 * nothing: our patcher by talosctl's answers, the lab's cloud by what real clients of Hetzner's API sent. DIR holds either
 * form, or both below `talos/patch` and `hetzner`.
 */
async function main(directory: string | undefined): Promise<number> {
  if (directory === undefined) {
    console.error(
      'usage: npm run test:goldens -- DIR   (a folder with patch cases/, with recordings of Hetzner clients as *.jsonl, or a goldens folder with both)',
    );
    return 2;
  }
  const patches = patchFolder(directory);
  const recordings = recordingFolder(directory);
  if (patches === undefined && recordings === undefined) {
    console.error(
      `test:goldens: nothing to judge by in ${directory} (looked for cases/, patch/cases/, talos/patch/cases/, *.jsonl with recordings and hetzner/*.jsonl)`,
    );
    return 1;
  }
  const tallies: Tally[] = [];
  if (patches !== undefined) tallies.push(judgePatches(patches));
  if (recordings !== undefined) tallies.push(await judgeCloud(recordings));
  return tallies.every(({ runs, failed }) => runs > 0 && failed === 0) ? 0 : 1;
}

function judgePatches(folder: string): Tally {
  const cases = readCases(folder);
  let runs = 0;
  let failed = 0;
  for (const item of cases) {
    for (const result of item.results) {
      runs += 1;
      const trouble = disagreement(folder, item, result);
      if (trouble === undefined) continue;
      failed += 1;
      console.error(`not ok ${item.id} (${result.talosctl}): ${item.description}\n${trouble}`);
    }
  }
  console.log(
    `patch goldens: ${cases.length} cases, ${runs} runs (case x talosctl version), ${runs - failed} agree, ${failed} disagree`,
  );
  return { runs, failed };
}

async function judgeCloud(folder: string): Promise<Tally> {
  const fields = readFields();
  let requests = 0;
  let runs = 0;
  let failed = 0;
  for (const chain of chains(readRecordings(folder))) {
    for (const { recording, requests: sent, troubles } of await replay(chain, fields)) {
      runs += 1;
      requests += sent;
      if (troubles.length === 0) continue;
      failed += 1;
      console.error(`not ok ${recording.client} ${recording.version} ${recording.id}\n  ${troubles.join('\n  ')}`);
    }
  }
  console.log(
    `hetzner goldens: ${runs} recordings with ${requests} requests replayed, ${runs - failed} served, ${failed} not`,
  );
  return { runs, failed };
}

process.exitCode = await main(process.argv[2]);
