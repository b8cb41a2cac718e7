import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

/** Each folder under test/lint breaks one rule of the house once; linting it must fail with that rule's name. */
const EXPECTED: Readonly<Record<string, string>> = {
  'pure-io': 'no-restricted-globals',
  'pure-clock': 'no-restricted-properties',
  'pure-node': 'no-restricted-imports',
  direction: 'no-restricted-imports',
  'lab-in-tool': 'no-restricted-imports',
  'tool-in-lab': 'no-restricted-imports',
  any: 'no-explicit-any',
  'base-up': 'no-restricted-imports',
  console: 'no-console',
};

const root = path.resolve(import.meta.dirname, '..');
const work = await mkdtemp(path.join(os.tmpdir(), 'fairlead-lint-'));
afterAll(() => rm(work, { recursive: true, force: true }));

const config = JSON.parse(await readFile(path.join(root, '.oxlintrc.json'), 'utf8')) as Record<string, unknown>;
// Fixtures have no tsconfig, and must not be ignored here.
await writeFile(
  path.join(work, '.oxlintrc.json'),
  JSON.stringify({ ...config, ignorePatterns: [], options: {}, $schema: undefined }),
);
await cp(path.join(root, 'test/lint'), path.join(work, 'fixtures'), { recursive: true });

const lint = (target: string): { status: number | null; output: string } => {
  const run = spawnSync(path.join(root, 'node_modules/.bin/oxlint'), [target], { cwd: work, encoding: 'utf8' });
  return { status: run.status, output: run.stdout + run.stderr };
};

describe('the lint rules of the house', () => {
  test('every fixture folder is expected to break a rule, and every expectation has its folder', async () => {
    expect((await readdir(path.join(work, 'fixtures'))).toSorted()).toEqual(Object.keys(EXPECTED).toSorted());
  });

  test.each(Object.entries(EXPECTED))('%s breaks %s', (folder, rule) => {
    const { status, output } = lint(path.join('fixtures', folder));
    expect(status).not.toBe(0);
    expect(output).toContain(`(${rule})`);
  });

  test('no pure room asks what time it is', async () => {
    const rooms = ['src/model', 'src/diagnose', 'src/plan', 'src/machine-config', 'lab/talos/config'];
    const guilty: string[] = [];
    for (const room of rooms) {
      for (const file of await readdir(path.join(root, room), { recursive: true })) {
        if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
        const text = await readFile(path.join(root, room, file), 'utf8');
        if (/new Date\(\s*\)/.test(text)) guilty.push(path.join(room, file));
      }
    }
    expect(guilty).toEqual([]);
  });
});
