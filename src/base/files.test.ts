import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeAtomic } from './files.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'fairlead-files-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('an atomic write leaves the new content, the mode that was asked for, and nothing else', async () => {
  const file = path.join(dir, 'kubeconfig');
  await writeAtomic(file, 'old', 0o644);
  await writeAtomic(file, 'new', 0o600);
  expect(await readFile(file, 'utf8')).toBe('new');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(dir)).toEqual(['kubeconfig']);
});

test('a write that fails leaves the old content and no debris', async () => {
  await expect(writeAtomic(path.join(dir, 'absent', 'file'), 'x')).rejects.toThrow(/ENOENT/);
  expect(await readdir(dir)).toEqual([]);
});

test('what a killed write left behind goes with the next write in that folder; what is of somebody alive stays', async () => {
  const { pid } = spawnSync('true');
  const [dead, alive] = [`.kubeconfig.fairlead-${pid}-0011aabb`, `.kubeconfig.fairlead-${process.ppid}-0011aabb`];
  for (const name of [dead, alive, '.kubeconfig.swp']) await writeFile(path.join(dir, name), 'half');
  await writeAtomic(path.join(dir, 'other'), 'new');
  expect(await readdir(dir)).toEqual(['.kubeconfig.swp', alive, 'other'].toSorted());
});

test('a reader during many writes sees one whole content or another', async () => {
  const file = path.join(dir, 'f');
  await writeAtomic(file, 'a'.repeat(10_000));
  let done = false;
  const reader = (async () => {
    while (!done) {
      const text = await readFile(file, 'utf8');
      expect(text).toMatch(/^(a{10000}|b{10000})$/);
    }
  })();
  for (let i = 0; i < 20; i += 1) await writeAtomic(file, (i % 2 === 0 ? 'b' : 'a').repeat(10_000));
  done = true;
  await reader;
});
