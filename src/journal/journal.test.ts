import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { nodeFiles } from '../consumers/files.ts';
import { openJournal } from './journal.ts';

const folders: string[] = [];
const folder = async (): Promise<string> => {
  const made = await mkdtemp(path.join(os.tmpdir(), 'fairlead-journal-'));
  folders.push(made);
  return made;
};
afterEach(async () => {
  await Promise.all(folders.splice(0).map((name) => rm(name, { recursive: true, force: true })));
});

const ports = { files: nodeFiles, clock: systemClock };
const first = { kind: 'run-started', cluster: 'prod', changes: ['a'] } as const;

describe('the journal', () => {
  it('is a private folder of lines that only grow', async () => {
    const state = path.join(await folder(), 'state');
    const journal = await openJournal(ports, state, first);
    await journal.append({ kind: 'result', change: 'a', ok: true, evidence: ['seen'] });
    await openJournal(ports, state, first);
    const lines = (await readFile(journal.file, 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
      'run-started',
      'result',
      'run-started',
    ]);
    expect((await stat(state)).mode & 0o777).toBe(0o700);
    expect((await stat(journal.file)).mode & 0o777).toBe(0o600);
    const evidence = await journal.evidence({ kind: 'Evidence' });
    expect((await stat(evidence)).mode & 0o777).toBe(0o600);
  });

  it('fails before anything is changed when it cannot be written', async () => {
    const file = path.join(await folder(), 'a-file');
    await writeFile(file, '');
    const failure = await openJournal(ports, path.join(file, 'state'), first).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ code: 'state-unwritable', state: 'Nothing was changed.' });
  });
});
