import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');

test('the generated reference is what `npm run docs:generate` writes', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-docs-'));
  const ran = spawnSync(process.execPath, ['scripts/docs-generate.ts', folder], { cwd: root, encoding: 'utf8' });
  expect(ran.status, ran.stderr).toBe(0);
  const files = await readdir(folder);
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) {
    const [fresh, kept] = await Promise.all(
      [folder, path.join(root, 'docs/reference')].map((dir) => readFile(path.join(dir, file), 'utf8')),
    );
    expect(kept, `${file} is stale: run npm run docs:generate`).toBe(fresh);
  }
  await rm(folder, { recursive: true, force: true });
});
