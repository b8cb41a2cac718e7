import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { Redacted } from '../base/redacted.ts';
import { nodeFiles } from '../consumers/files.ts';
import { openJournal, sealedOriginal } from './journal.ts';
import { lastUndertaking, readRuns, retreatCutShort } from './runs.ts';
import { openSealed, sealFor } from './seal.ts';
import { folderStore } from './store.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'fairlead-journal-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const first = { operation: 'apply', cluster: 'prod', ca: 'c'.repeat(64), changes: ['a'] } as const;
const sealConfig = { recipients: [], identity: undefined, stateDir: undefined };

async function ports(state: string) {
  const sealing = { files: nodeFiles, clock: systemClock, env: { HOME: path.join(home, 'me') } };
  return {
    store: folderStore(nodeFiles, state),
    seal: await sealFor(sealing, sealConfig),
    clock: systemClock,
    sealing,
  };
}

describe('the journal', () => {
  it('is a private folder of lines that only grow', async () => {
    const state = path.join(home, 'state');
    const journal = await openJournal(await ports(state), first);
    await journal.append({ kind: 'result', change: 'a', ok: true, evidence: ['seen'] });
    await systemClock.sleep(2);
    await openJournal(await ports(state), first);
    const file = path.join(state, 'journal.jsonl');
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
      'run-started',
      'result',
      'run-started',
    ]);
    expect((await stat(state)).mode & 0o777).toBe(0o700);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const evidence = await journal.evidence({ kind: 'Evidence' });
    expect((await stat(evidence)).mode & 0o777).toBe(0o600);
  });

  it('keeps originals sealed, each text once, and gives them back byte for byte', async () => {
    const state = path.join(home, 'state');
    const given = await ports(state);
    const text = new Redacted('machine:\n  token: canary-of-the-machine\n');
    const journal = await openJournal(given, first);
    await journal.original({ what: 'machine-config', name: 'cp-1' }, text);
    await journal.original({ what: 'machine-config', name: 'cp-2' }, text);
    await journal.original({ what: 'file', name: '/home/me/.kube/config' }, undefined);
    const [run] = readRuns(await given.store.lines());
    expect(run?.originals.map((original) => original.sha256 !== null)).toEqual([true, true, false]);
    expect(await readdir(path.join(state, 'originals'))).toHaveLength(1);
    for (const name of await readdir(state, { recursive: true })) {
      const file = path.join(state, name);
      if ((await stat(file)).isFile()) expect(await readFile(file, 'utf8')).not.toContain('canary');
    }
    const sealed = await sealedOriginal(given.store, run?.originals[0]?.sha256 ?? '');
    expect((await openSealed(given.sealing, sealConfig, sealed ?? '')).reveal()).toBe(text.reveal());
  });

  it('fails before anything is changed when it cannot be written', async () => {
    const file = path.join(home, 'a-file');
    await writeFile(file, '');
    const failure = await openJournal(await ports(path.join(file, 'state')), first).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ code: 'state-unwritable', state: 'Nothing was changed.' });
  });

  it('refuses the journal of another cluster, whatever its name', async () => {
    const state = path.join(home, 'state');
    await openJournal(await ports(state), first);
    const other = openJournal(await ports(state), { ...first, ca: 'd'.repeat(64) });
    await expect(other).rejects.toMatchObject({ code: 'state-of-another-cluster', exit: 4 });
  });
});

describe('what undo goes back to', () => {
  const lines = (...runs: readonly [name: string, operation: string, outcome: string | undefined][]): string =>
    runs
      .flatMap(([run, operation, outcome]) => [
        { run, at: run, kind: 'run-started', operation, cluster: 'prod', ca: 'c', changes: [] },
        { run, at: run, kind: 'intent', change: 'x', what: 'x' },
        ...(outcome === undefined ? [] : [{ run, at: run, kind: 'run-ended', outcome }]),
      ])
      .map((line) => JSON.stringify(line))
      .join('\n');
  const names = (text: string): string[] => lastUndertaking(readRuns(text)).map((run) => run.run);

  it.each([
    ['a done apply alone', lines(['1', 'apply', 'done']), ['1']],
    [
      'the runs that were cut short before it belong to it',
      lines(['1', 'apply', undefined], ['2', 'apply', 'a gate'], ['3', 'apply', 'done']),
      ['1', '2', '3'],
    ],
    ['not those of an earlier undertaking', lines(['1', 'apply', 'done'], ['2', 'apply', undefined]), ['2']],
    ['nothing after an undo that is done', lines(['1', 'apply', 'done'], ['2', 'undo', 'done']), []],
    [
      'an undo that was cut short goes on with the same',
      lines(['1', 'apply', 'done'], ['2', 'undo', undefined]),
      ['1'],
    ],
    [
      'a new apply after an undo stands alone',
      lines(['1', 'apply', 'done'], ['2', 'undo', 'done'], ['3', 'apply', undefined]),
      ['3'],
    ],
    ['no journal, nothing', '', []],
    ['half a line at the end is passed over', `${lines(['1', 'apply', undefined])}\n{"run":"1","kin`, ['1']],
  ])('%s', (_name, text, expected) => {
    expect(names(text)).toEqual(expected);
  });

  it.each([
    ['an undo that was killed', lines(['1', 'undo', undefined]), true],
    ['one that is done', lines(['1', 'undo', undefined], ['2', 'undo', 'done']), false],
    ['an apply after it', lines(['1', 'remove', undefined], ['2', 'apply', undefined]), false],
  ])('goes on with a retreat that was cut short, its apply known or lost: %s', (_name, text, expected) => {
    expect(retreatCutShort(readRuns(text))).toBe(expected);
  });
});
