import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findObserved } from './talos-vip/observed.ts';
import { situationsOf } from './talos-vip/situations.ts';
import { judgeFolder, type CaseResult } from './cases.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'] ?? '';
const sorted = (results: readonly CaseResult[]): string[] =>
  results.map(({ kind, result, compared }) => `${kind} ${result} ${compared.join()}`).toSorted();

describe.skipIf(goldens === '')('cases of goldens (FAIRLEAD_GOLDENS must name them)', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'fairlead-cases-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('that are renamed and moved give the same result', async () => {
    const from = path.join(goldens, 'talos');
    const kinds = ['patch', 'validate', 'derived', 'redact', 'diff'];
    for (const kind of kinds) {
      const names = await readdir(path.join(from, kind, 'cases'));
      for (const [n, name] of names.entries()) {
        await cp(path.join(from, kind, 'cases', name), path.join(folder, 'elsewhere', kind, 'deep', `x${n}`), {
          recursive: true,
        });
      }
    }
    // What cases share lies beside them: it moves along.
    for (const entry of await readdir(path.join(from, 'patch'), { withFileTypes: true })) {
      if (entry.name === 'cases') continue;
      await cp(path.join(from, 'patch', entry.name), path.join(folder, 'elsewhere', 'patch', entry.name), {
        recursive: true,
      });
    }
    const before: CaseResult[] = [];
    for (const kind of kinds) before.push(...(await judgeFolder(path.join(from, kind), () => {})));
    const after = await judgeFolder(path.join(folder, 'elsewhere'), () => {});
    expect(after.length).toBeGreaterThan(200);
    expect(sorted(after)).toEqual(sorted(before));
    expect(after.filter(({ result }) => result === 'failed')).toEqual([]);
  }, 60_000);

  it('one with a wrong expectation fails, and only that one', async () => {
    const wrong = path.join(folder, 'wrong');
    const from = path.join(goldens, 'talos', 'diff', 'cases');
    await cp(from, wrong, { recursive: true });
    const [name = ''] = await readdir(wrong);
    const file = path.join(wrong, name, 'expected.diff');
    await writeFile(file, `${await readFile(file, 'utf8')}+not what Talos printed\n`);
    const failed = (await judgeFolder(wrong, () => {})).filter(({ result }) => result === 'failed');
    expect(failed.map(({ id }) => id)).toEqual([name]);
  });

  it('a recorded call whose status was another fails, under whatever name its file goes', async () => {
    const lines = (await readFile(path.join(goldens, 'talosctl', 'talosctl-1.13.jsonl'), 'utf8')).split('\n');
    const commands = lines.filter((line) => /^\{"id": ?"version-(one|cfg-expired)"/.test(line));
    expect(commands).toHaveLength(2);
    const own = path.join(folder, 'one.jsonl');
    await writeFile(own, commands.join('\n'));
    expect((await judgeFolder(own, () => {})).map(({ result }) => result)).toEqual(['passed', 'passed']);
    await writeFile(own, commands.join('\n').replaceAll(/"status": ?\{"code": ?0/g, '"status": {"code": 5'));
    const judged = await judgeFolder(own, () => {});
    expect(judged.map(({ id, result }) => `${id} ${result}`).toSorted()).toEqual([
      '1.13/version-cfg-expired passed',
      '1.13/version-one failed',
    ]);
  }, 60_000);

  it("situations of the shared IP are found under another name and elsewhere", async () => {
    const [found] = findObserved(goldens);
    const own = path.join(folder, 'somewhere', 'else');
    await cp(found?.file ?? '', path.join(own, 'seen.json'));
    const ids = (from: string): string[] =>
      findObserved(from).flatMap(({ observed }) => situationsOf(observed).map(({ id }) => id));
    expect(ids(own)).toEqual(ids(goldens));
    expect(ids(own).length).toBeGreaterThan(30);
  });

  it('one recorded command of each kind of talosctl 1.13 is answered as it needs (npm run test:goldens sends all)', async () => {
    const kinds = new Map<string, string>();
    for (const line of (await readFile(path.join(goldens, 'talosctl', 'talosctl-1.13.jsonl'), 'utf8')).split('\n')) {
      const kind = /"kind": ?"([^"]+)"/.exec(line)?.[1];
      if (kind !== undefined && !kinds.has(kind)) kinds.set(kind, line);
    }
    expect(kinds.size).toBeGreaterThan(50);
    const own = path.join(folder, 'kinds');
    await mkdir(own);
    await writeFile(path.join(own, 'kinds.jsonl'), [...kinds.values()].join('\n'));
    await cp(path.join(goldens, 'talosctl', 'blobs.jsonl'), path.join(own, 'long.jsonl'));
    const judged = await judgeFolder(own, () => {});
    expect(judged.filter(({ result }) => result === 'failed')).toEqual([]);
    expect(judged).toHaveLength(kinds.size);
  }, 240_000);
});
