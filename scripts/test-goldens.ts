#!/usr/bin/env node
import process from 'node:process';
import { disagreement, patchFolder, readCases } from '../test/goldens/patch-oracle.ts';

/** `npm run test:goldens -- DIR`: judges our patcher by a folder of talosctl's answers, and fails when it judged nothing. */
function main(directory: string | undefined): number {
  if (directory === undefined) {
    console.error('usage: npm run test:goldens -- DIR   (a folder with cases/, or a goldens folder with talos/patch)');
    return 2;
  }
  const folder = patchFolder(directory);
  if (folder === undefined) {
    console.error(
      `test:goldens: no patch cases in ${directory} (looked for cases/, patch/cases/ and talos/patch/cases/)`,
    );
    return 1;
  }
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
  return runs > 0 && failed === 0 ? 0 : 1;
}

process.exitCode = main(process.argv[2]);
