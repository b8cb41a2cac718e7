#!/usr/bin/env node
import { existsSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { judgeFolder, type CaseResult } from '../test/goldens/cases.ts';

/**
 * `npm run test:goldens -- DIR [--output json]`: judges every case that lies below DIR by what real programs did: our
 * patcher by talosctl's answers, the lab's nodes by what Talos derives, refuses, prints and asks of the cloud, the lab's
 * Talos API by what talosctl needs of it, the lab's cloud by what clients of Hetzner's API send. Fails when a case does, and
 * when there is none.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { output: { type: 'string', default: 'text' } },
    allowPositionals: true,
  });
  const [directory] = positionals;
  if (directory === undefined || (values.output !== 'text' && values.output !== 'json')) {
    console.error('usage: npm run test:goldens -- DIR [--output text|json]');
    return 2;
  }
  if (!existsSync(directory)) {
    console.error(`test:goldens: there is no ${directory}`);
    return 1;
  }
  const cases = await judgeFolder(directory, tell);
  const failed = cases.filter(({ result }) => result === 'failed').length;
  const document = {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Goldens',
    passed: cases.length - failed,
    failed,
    skipped: 0,
    cases,
  };
  if (values.output === 'json') console.log(JSON.stringify(document, undefined, 2));
  else console.log(`${cases.length} cases: ${document.passed} passed, ${failed} failed`);
  if (cases.length === 0) console.error(`test:goldens: nothing to judge by in ${directory}`);
  return failed === 0 && cases.length > 0 ? 0 : 1;
}

const tell = ({ id, kind, result, message }: CaseResult): void => {
  if (result === 'failed') console.error(`not ok ${kind} ${id}\n  ${(message ?? '').replaceAll('\n', '\n  ')}`);
};

process.exitCode = await main();
